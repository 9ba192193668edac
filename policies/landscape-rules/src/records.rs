//! Records of targets.

use alloc::string::String;
use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};

use crate::bindings::exports::openmcp::dns_policy::policy::{Claim, RecordSet, RecordType};

/// Most values of one record set, as the contract says.
const MAX_VALUES: usize = 64;

/// The targets of a claim, by type, at each of these names.
pub fn record_sets(names: &[String], ttl_seconds: u32, claim: &Claim) -> Vec<RecordSet> {
    let mut sets = Vec::new();
    for name in names {
        for record_type in [RecordType::A, RecordType::Aaaa] {
            sets.extend(record_set(name, record_type, ttl_seconds, claim));
        }
    }
    if sets.is_empty() {
        // A CNAME stands alone (RFC 1034 section 3.6.2).
        sets.extend(names.iter().filter_map(|name| record_set(name, RecordType::Cname, ttl_seconds, claim)));
    }
    sets
}

fn record_set(name: &String, record_type: RecordType, ttl_seconds: u32, claim: &Claim) -> Option<RecordSet> {
    // A name that is its own alias leads nowhere.
    let targets = claim.targets.iter().filter(|target| type_of(target) == record_type && *target != name);
    let most = if record_type == RecordType::Cname { 1 } else { MAX_VALUES };
    let values: Vec<String> = targets.take(most).cloned().collect();
    (!values.is_empty()).then(|| RecordSet { name: name.clone(), record_type, ttl_seconds, values })
}

fn type_of(target: &str) -> RecordType {
    if target.parse::<Ipv4Addr>().is_ok() {
        RecordType::A
    } else if target.parse::<Ipv6Addr>().is_ok() {
        RecordType::Aaaa
    } else {
        RecordType::Cname
    }
}
