//! A policy module in one page: every cluster gets `<cluster>.<base>`, every name of it is allowed,
//! except those whose first label starts with `deny-`, or what the configuration says in its place.

#![no_std]

extern crate alloc;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::{Ipv4Addr, Ipv6Addr};

use bindings::exports::openmcp::dns_policy::policy::{
    Claim, Context, Denial, Description, Guest, RecordSet, RecordType, Verdict,
};
use configuration::Configuration;

mod configuration;
mod debug;

#[allow(unsafe_code, missing_docs, reason = "generated from wit/policy.wit")]
mod bindings {
    wit_bindgen::generate!({ path: "../../wit", world: "dns-policy" });
    use super::DenyPrefix;
    export!(DenyPrefix);
}

/// Most values of one record set, as the contract says.
const MAX_VALUES: usize = 64;

#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

/// A panic is a bug of this module; the host reports the trap and nothing is published. Only a
/// debug build has room for what it says.
#[cfg(target_arch = "wasm32")]
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    debug::debug!("{info}");
    core::arch::wasm32::unreachable()
}

struct DenyPrefix;

impl Guest for DenyPrefix {
    fn describe() -> Description {
        Description {
            name: "deny-prefix".to_string(),
            version: env!("CARGO_PKG_VERSION").to_string(),
            summary: "Allows every name of a cluster that does not start with one of its prefixes."
                .to_string(),
            details: Vec::new(),
        }
    }

    fn check_configuration(configuration: String) -> Result<(), String> {
        Configuration::parse(&configuration).map(|_| ())
    }

    fn domain_filter(context: Context) -> Result<String, String> {
        let cluster = &context.cluster.name;
        if cluster.contains('.') {
            return Err(format!(
                "cluster name '{cluster}' contains a dot, so it cannot be one label of a domain"
            ));
        }
        Ok(format!("{cluster}.{}", context.base_domain))
    }

    fn validate_hostname(context: Context, _: String, claim: Claim) -> Result<Verdict, String> {
        let Configuration { prefixes, .. } = Configuration::parse(&context.configuration)?;
        let Some(prefix) = prefixes.iter().find(|prefix| claim.host_name.starts_with(prefix.as_str())) else {
            return Ok(Verdict::Allow);
        };
        let message = format!("{} starts with {prefix}, choose another name", claim.host_name);
        Ok(Verdict::Deny(Denial { code: "prefix-denied".to_string(), message }))
    }

    fn name_records(context: Context, _: String, claim: Claim) -> Result<Vec<RecordSet>, String> {
        let Configuration { ttl_seconds, .. } = Configuration::parse(&context.configuration)?;
        let mut sets: Vec<RecordSet> = Vec::new();
        // A name that is its own alias leads nowhere.
        for target in claim.targets.into_iter().filter(|target| *target != claim.host_name) {
            let record_type = type_of(&target);
            match sets.iter_mut().find(|set| set.record_type == record_type) {
                Some(set) => set.values.push(target),
                None => sets.push(RecordSet {
                    name: claim.host_name.clone(),
                    record_type,
                    ttl_seconds,
                    values: [target].into(),
                }),
            }
        }
        // A CNAME must stand alone (RFC 1034 section 3.6.2).
        if sets.len() > 1 {
            sets.retain(|set| set.record_type != RecordType::Cname);
        }
        for set in &mut sets {
            set.values.truncate(if set.record_type == RecordType::Cname { 1 } else { MAX_VALUES });
        }
        Ok(sets)
    }
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
