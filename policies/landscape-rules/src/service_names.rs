//! What a claim leads to is recorded as `<service>.<namespace>.<domain>` as well.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::bindings::exports::openmcp::dns_policy::policy::{Backend, Claim, Denial};
use crate::configuration::Configuration;
use crate::denial;

/// The host takes 16 record sets for one claim; each name can have two, and the claimed name is one.
const MOST: usize = 7;

/// Names that are made of a namespace are for its own objects only.
pub fn objection(configuration: &Configuration, domain: &str, claim: &Claim) -> Option<Denial> {
    if !configuration.service_names {
        return None;
    }
    let namespace = &claim.source.namespace;
    let labels = claim.host_name.strip_suffix(domain).and_then(|head| head.strip_suffix('.'));
    if let Some((_, other)) = labels.and_then(|labels| labels.rsplit_once('.'))
        && other != namespace
    {
        return denial(
            "name-of-another-namespace",
            format!("names below {other}.{domain} are for services in namespace {other}"),
        );
    }
    let services = services(claim).count();
    if services > MOST {
        return denial(
            "too-many-services",
            format!(
                "it leads to {services} Services, each of which gets a name: split it, {MOST} are possible"
            ),
        );
    }
    None
}

/// The further names of a claim.
pub fn of(configuration: &Configuration, domain: &str, claim: &Claim) -> Vec<String> {
    if !configuration.service_names {
        return Vec::new();
    }
    services(claim).map(|service| format!("{}.{}.{domain}", service.name, service.namespace)).collect()
}

/// The Services of the object's own namespace. One may be there with several ports, one after another.
fn services(claim: &Claim) -> impl Iterator<Item = &Backend> {
    let own = |backend: &&Backend| {
        backend.group.is_empty() && backend.kind == "Service" && backend.namespace == claim.source.namespace
    };
    let mut last = None;
    claim
        .backends
        .iter()
        .filter(own)
        .filter(move |backend| last.replace(&backend.name) != Some(&backend.name))
}
