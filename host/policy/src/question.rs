//! How large a question is, whichever version of the contract it is asked in.

use openmcp_dns_core::policy::{CheckedClaim, Context};

/// Bytes of all texts in a context.
pub(crate) fn context_bytes(context: &Context) -> usize {
    let Context { base_domain, cluster, configuration, shared_names } = context;
    base_domain.as_str().len()
        + configuration.len()
        + shared_names.iter().map(|name| name.as_str().len()).sum::<usize>()
        + cluster.id.name.len()
        + cluster.id.namespace.len()
        + bytes(&cluster.purposes)
        + pair_bytes(cluster.labels.iter().map(|(key, value)| (key.as_str(), value.as_str())))
}

/// Bytes of all texts in a claim.
pub(crate) fn claim_bytes(claim: &CheckedClaim) -> usize {
    let CheckedClaim { host_name, source, labels, targets } = claim;
    host_name.as_str().len()
        + source.kind.as_str().len()
        + source.namespace.len()
        + source.name.len()
        + pair_bytes(labels.iter())
        + bytes(targets)
}

fn bytes(texts: &[String]) -> usize {
    texts.iter().map(String::len).sum()
}

fn pair_bytes<'p>(pairs: impl Iterator<Item = (&'p str, &'p str)>) -> usize {
    pairs.map(|(key, value)| key.len() + value.len()).sum()
}
