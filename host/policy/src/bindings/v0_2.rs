//! Version 0.2 of the contract.

use openmcp_dns_core::details::{Backend, Detail, Details, ServingGateway, ServingListener};
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::policy::{CheckedClaim, Context, Denial, ProposedRecordSet, Verdict};
use openmcp_dns_core::record::RecordType;

use super::guest::{guest, label_pairs};
use super::{Introduction, Version};
use crate::module::Description;

#[allow(missing_docs, unreachable_pub, clippy::all, reason = "generated from wit/policy.wit")]
mod generated {
    wasmtime::component::bindgen!({ path: "../../wit", world: "dns-policy" });
}

use generated::exports::openmcp::dns_policy::policy as contract;

pub(super) const VERSION: Version =
    Version { number: "0.2.0", track: "0.2.", wit: crate::CONTRACT, bind: Policy::bind };

guest!("describe", call_describe, map);

fn introduction(description: contract::Description) -> Introduction {
    let contract::Description { name, version, summary, details } = description;
    let mut details: Vec<Detail> = details.into_iter().map(detail).collect();
    details.sort_unstable();
    details.dedup();
    Introduction { description: Description { name, version, summary }, details }
}

fn context(context: &Context) -> contract::Context {
    let Context { base_domain, cluster, configuration, shared_names, shared_suffixes } = context;
    let texts = |names: &[HostName]| names.iter().map(|name| name.as_str().to_owned()).collect();
    contract::Context {
        base_domain: base_domain.as_str().to_owned(),
        cluster: self::cluster(cluster),
        configuration: configuration.clone(),
        shared_names: texts(shared_names),
        shared_suffixes: texts(shared_suffixes),
    }
}

fn claim(claim: &CheckedClaim) -> contract::Claim {
    let CheckedClaim { host_name, source, labels, targets, details, published_names } = claim;
    let nothing = Details::default();
    let details = details.as_deref().unwrap_or(&nothing);
    contract::Claim {
        host_name: host_name.as_str().to_owned(),
        source: contract::SourceObject {
            kind: source.kind.as_str().to_owned(),
            namespace: source.namespace.clone(),
            name: source.name.clone(),
            labels: label_pairs(labels),
            namespace_labels: label_pairs(&details.namespace_labels),
            annotations: label_pairs(&details.annotations),
        },
        targets: targets.clone(),
        listeners: details.listeners.iter().map(listener).collect(),
        backends: details.backends.iter().map(backend).collect(),
        published_names: contract::PublishedNames {
            in_namespace: published_names.in_namespace,
            in_cluster: published_names.in_cluster,
        },
    }
}

fn listener(listener: &ServingListener) -> contract::Listener {
    let ServingListener { gateway, name, port, protocol } = listener;
    let ServingGateway { namespace, name: gateway, class, labels } = gateway;
    let gateway = contract::Gateway {
        namespace: namespace.clone(),
        name: gateway.clone(),
        class: class.clone(),
        labels: label_pairs(labels),
    };
    contract::Listener { gateway, name: name.clone(), port: *port, protocol: protocol.clone() }
}

fn backend(backend: &Backend) -> contract::Backend {
    let Backend { group, kind, namespace, name, port } = backend.clone();
    contract::Backend { group, kind, namespace, name, port }
}

const fn detail(detail: contract::Detail) -> Detail {
    match detail {
        contract::Detail::NamespaceLabels => Detail::NamespaceLabels,
        contract::Detail::Annotations => Detail::Annotations,
        contract::Detail::Listeners => Detail::Listeners,
        contract::Detail::Backends => Detail::Backends,
        contract::Detail::PublishedNames => Detail::PublishedNames,
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
        contract::RecordType::Srv => RecordType::Srv,
    }
}
