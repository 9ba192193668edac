//! At most so many names for a namespace.

use alloc::format;

use crate::bindings::exports::openmcp::dns_policy::policy::{Claim, Denial};
use crate::configuration::Configuration;
use crate::denial;

pub fn objection(configuration: &Configuration, claim: &Claim) -> Option<Denial> {
    let most = configuration.max_names_per_namespace?;
    let published = claim.published_names.in_namespace;
    // What the cluster's own external-dns records belongs to no namespace.
    if claim.source.namespace.is_empty() || published < most {
        return None;
    }
    let namespace = &claim.source.namespace;
    denial(
        "too-many-names",
        format!("namespace {namespace} has {published} names already and may have {most}: withdraw one"),
    )
}
