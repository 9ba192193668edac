//! How large a question is, whichever version of the contract it is asked in.

use openmcp_dns_core::details::{Backend, Details, ServingGateway, ServingListener};
use openmcp_dns_core::policy::{CheckedClaim, Context};

/// Bytes of all texts in a context.
pub(crate) fn context_bytes(context: &Context) -> usize {
    let Context { base_domain, cluster, configuration, shared_names, shared_suffixes } = context;
    let shared = shared_names.iter().chain(shared_suffixes);
    base_domain.as_str().len()
        + configuration.len()
        + shared.map(|name| name.as_str().len()).sum::<usize>()
        + cluster.id.name.len()
        + cluster.id.namespace.len()
        + bytes(&cluster.purposes)
        + pair_bytes(cluster.labels.iter().map(|(key, value)| (key.as_str(), value.as_str())))
}

/// Bytes of all texts in a claim.
pub(crate) fn claim_bytes(claim: &CheckedClaim) -> usize {
    let CheckedClaim { host_name, source, labels, targets, details, published_names: _ } = claim;
    host_name.as_str().len()
        + source.kind.as_str().len()
        + source.namespace.len()
        + source.name.len()
        + pair_bytes(labels.iter())
        + bytes(targets)
        + details.as_deref().map_or(0, details_bytes)
}

fn details_bytes(details: &Details) -> usize {
    let Details { namespace_labels, annotations, listeners, backends } = details;
    let listeners = listeners.iter().map(|listener| {
        let ServingListener { gateway, name, port: _, protocol } = listener;
        let ServingGateway { namespace, name: gateway, class, labels } = gateway;
        [name, protocol, namespace, gateway, class].into_iter().map(String::len).sum::<usize>()
            + pair_bytes(labels.iter())
    });
    let backends = backends.iter().map(|backend| {
        let Backend { group, kind, namespace, name, port: _ } = backend;
        [group, kind, namespace, name].into_iter().map(String::len).sum::<usize>()
    });
    pair_bytes(namespace_labels.iter())
        + pair_bytes(annotations.iter())
        + listeners.sum::<usize>()
        + backends.sum::<usize>()
}

fn bytes(texts: &[String]) -> usize {
    texts.iter().map(String::len).sum()
}

fn pair_bytes<'p>(pairs: impl Iterator<Item = (&'p str, &'p str)>) -> usize {
    pairs.map(|(key, value)| key.len() + value.len()).sum()
}
