//! The contract as Rust types, and the way between them and the host's own.

use openmcp_dns_core::policy::{Claim, Context, Denial, ProposedRecordSet, Verdict};
use openmcp_dns_core::record::RecordType;

#[allow(missing_docs, unreachable_pub, clippy::all, reason = "generated from wit/policy.wit")]
mod generated {
    wasmtime::component::bindgen!({ path: "../../wit", world: "dns-policy" });
}

pub(crate) use generated::exports::openmcp::dns_policy::policy as contract;
pub(crate) use generated::{DnsPolicy, DnsPolicyPre};

pub(crate) fn context(context: &Context) -> contract::Context {
    let cluster = &context.cluster;
    contract::Context {
        base_domain: context.base_domain.as_str().to_owned(),
        cluster: contract::Cluster {
            name: cluster.id.name.clone(),
            namespace: cluster.id.namespace.clone(),
            purposes: cluster.purposes.clone(),
            labels: pairs(&cluster.labels),
        },
        configuration: context.configuration.clone(),
        shared_names: context.shared_names.iter().map(|name| name.as_str().to_owned()).collect(),
    }
}

pub(crate) fn claim(claim: &Claim) -> contract::Claim {
    contract::Claim {
        host_name: claim.host_name.as_str().to_owned(),
        source: contract::SourceObject {
            kind: claim.source.kind.as_str().to_owned(),
            namespace: claim.source.namespace.clone(),
            name: claim.source.name.clone(),
            labels: pairs(&claim.labels),
        },
        targets: claim.targets.clone(),
    }
}

pub(crate) fn verdict(verdict: contract::Verdict) -> Verdict {
    match verdict {
        contract::Verdict::Allow => Verdict::Allow,
        contract::Verdict::Deny(contract::Denial { code, message }) => {
            Verdict::Deny(Denial { code, message })
        }
    }
}

pub(crate) fn record_sets(sets: Vec<contract::RecordSet>) -> Vec<ProposedRecordSet> {
    sets.into_iter()
        .map(|contract::RecordSet { name, record_type, ttl_seconds, values }| ProposedRecordSet {
            name,
            record_type: match record_type {
                contract::RecordType::A => RecordType::A,
                contract::RecordType::Aaaa => RecordType::Aaaa,
                contract::RecordType::Cname => RecordType::Cname,
                contract::RecordType::Txt => RecordType::Txt,
            },
            ttl_seconds,
            values,
        })
        .collect()
}

fn pairs(map: &std::collections::BTreeMap<String, String>) -> Vec<(String, String)> {
    map.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Bytes of all texts in a context.
pub(crate) fn context_bytes(context: &contract::Context) -> usize {
    let cluster = &context.cluster;
    context.base_domain.len()
        + context.configuration.len()
        + bytes(&context.shared_names)
        + cluster.name.len()
        + cluster.namespace.len()
        + bytes(&cluster.purposes)
        + pair_bytes(&cluster.labels)
}

/// Bytes of all texts in a claim.
pub(crate) fn claim_bytes(claim: &contract::Claim) -> usize {
    let source = &claim.source;
    claim.host_name.len()
        + source.kind.len()
        + source.namespace.len()
        + source.name.len()
        + pair_bytes(&source.labels)
        + bytes(&claim.targets)
}

fn bytes(texts: &[String]) -> usize {
    texts.iter().map(String::len).sum()
}

fn pair_bytes(pairs: &[(String, String)]) -> usize {
    pairs.iter().map(|(key, value)| key.len() + value.len()).sum()
}
