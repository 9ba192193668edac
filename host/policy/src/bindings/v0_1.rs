//! Version 0.1 of the contract.

use openmcp_dns_core::policy::{CheckedClaim, Context, Denial, ProposedRecordSet, Verdict};
use openmcp_dns_core::record::RecordType;

use super::guest::{guest, label_pairs};
use super::{Introduction, Version};
use crate::module::Description;

#[allow(missing_docs, unreachable_pub, clippy::all, reason = "generated from wit/released/0.1.0")]
mod generated {
    wasmtime::component::bindgen!({ path: "../../wit/released/0.1.0", world: "dns-policy" });
}

use generated::exports::openmcp::dns_policy::policy as contract;

pub(super) const VERSION: Version = Version {
    number: "0.1.0",
    track: "0.1.",
    wit: include_str!("../../../../wit/released/0.1.0/policy.wit"),
    bind: Policy::bind,
};

guest!("describe", call_describe, map);

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
    // What came with later versions, a module of this one is not told.
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
    }
}

fn verdict(verdict: contract::Verdict) -> Verdict {
    match verdict {
        contract::Verdict::Allow => Verdict::Allow,
        contract::Verdict::Deny(contract::Denial { code, message }) => {
            Verdict::Deny(Denial::new(code, message))
        }
    }
}

fn record_sets(sets: Vec<contract::RecordSet>) -> Vec<ProposedRecordSet> {
    sets.into_iter()
        .map(|contract::RecordSet { name, record_type, ttl_seconds, values }| ProposedRecordSet {
            name,
            record_type: self::record_type(record_type),
            ttl_seconds,
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
