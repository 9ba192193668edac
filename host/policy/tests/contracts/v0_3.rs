//! Version 0.3 of the contract, which does not exist: made up for the tests.

use openmcp_dns_core::policy::{CheckedClaim, Context, Denial, ProposedRecordSet, Verdict};
use openmcp_dns_core::record::RecordType;

use super::super::guest::{guest, label_pairs};
use super::super::{Introduction, Version};
use crate::module::Description;

#[allow(missing_docs, unreachable_pub, clippy::all, reason = "generated from 0.3.0/policy.wit")]
mod generated {
    wasmtime::component::bindgen!({ path: "tests/contracts/0.3.0", world: "dns-policy" });
}

use generated::exports::openmcp::dns_policy::policy as contract;

pub(super) const CONTRACT: &str = include_str!("0.3.0/policy.wit");

pub(super) const VERSION: Version =
    Version { number: "0.3.0", track: "0.3.", wit: CONTRACT, bind: Policy::bind };

/// The host knows no generation; a guest that gets this one has read the field.
const GENERATION: u64 = 7;
/// What the host takes where a module leaves the time to live to it.
const TTL_SECONDS: u32 = 300;

guest!("introduce", call_introduce, and_then);

fn introduction(description: contract::Description) -> Introduction {
    let contract::Description { name, version, summary } = description;
    Introduction { description: Description { name, version, summary }, details: Vec::new() }
}

fn context(context: &Context) -> contract::Context {
    let Context { base_domain, cluster, configuration, shared_names, shared_suffixes: _ } = context;
    contract::Context {
        base_domain: base_domain.as_str().to_owned(),
        cluster: self::cluster(cluster),
        configuration: configuration.clone(),
        shared_names: shared_names.iter().map(|name| name.as_str().to_owned()).collect(),
    }
}

fn claim(claim: &CheckedClaim) -> contract::Claim {
    let CheckedClaim { host_name, source, labels, targets, details: _, published_names: _ } = claim;
    contract::Claim {
        host_name: host_name.as_str().to_owned(),
        source: contract::SourceObject {
            kind: source.kind.as_str().to_owned(),
            namespace: source.namespace.clone(),
            name: source.name.clone(),
            labels: label_pairs(labels),
        },
        targets: targets.clone(),
        generation: GENERATION,
    }
}

/// What the host's own type cannot express is no decision.
fn verdict(verdict: contract::Verdict) -> Result<Verdict, String> {
    match verdict {
        contract::Verdict::Allow => Ok(Verdict::Allow),
        contract::Verdict::Deny(contract::Denial { code, message }) => {
            Ok(Verdict::Deny(Denial::new(code, message)))
        }
        contract::Verdict::Postpone(why) => Err(format!("postponed: {why}")),
    }
}

fn record_sets(sets: Vec<contract::RecordSet>) -> Vec<ProposedRecordSet> {
    sets.into_iter()
        .map(|contract::RecordSet { name, record_type, ttl, values }| ProposedRecordSet {
            name,
            record_type: self::record_type(record_type),
            ttl_seconds: ttl.unwrap_or(TTL_SECONDS),
            values,
        })
        .collect()
}

const fn record_type(record_type: contract::RecordType) -> RecordType {
    match record_type {
        contract::RecordType::A => RecordType::A,
        contract::RecordType::Aaaa => RecordType::Aaaa,
        contract::RecordType::Cname => RecordType::Cname,
        contract::RecordType::Txt => RecordType::Txt,
    }
}
