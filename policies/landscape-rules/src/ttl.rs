//! How long answers may be kept is what an annotation of the object says. The DNSPolicy has to name the annotation in
//! `spec.sources.moduleAnnotations`.

use alloc::format;

use crate::bindings::exports::openmcp::dns_policy::policy::{Claim, Denial};
use crate::configuration::Configuration;
use crate::denial;

/// Where nobody says anything else.
const TTL_SECONDS: u32 = 60;
/// The host takes no longer one.
const MAX_TTL_SECONDS: u32 = 86_400;

pub fn objection(configuration: &Configuration, claim: &Claim) -> Option<Denial> {
    let value = annotation(configuration, claim)?;
    if parse(value).is_some() {
        return None;
    }
    let key = configuration.ttl_annotation.as_deref().unwrap_or_default();
    denial(
        "invalid-ttl",
        format!("annotation {key}: '{value}' is no number of seconds from 1 to {MAX_TTL_SECONDS}"),
    )
}

/// The time to live of a claim's records, in seconds.
pub fn of(configuration: &Configuration, claim: &Claim) -> u32 {
    annotation(configuration, claim).and_then(parse).unwrap_or(TTL_SECONDS)
}

fn annotation<'c>(configuration: &Configuration, claim: &'c Claim) -> Option<&'c str> {
    let key = configuration.ttl_annotation.as_ref()?;
    let annotation = claim.source.annotations.iter().find(|(other, _)| other == key);
    annotation.map(|(_, value)| value.as_str())
}

fn parse(value: &str) -> Option<u32> {
    value.parse().ok().filter(|seconds| (1..=MAX_TTL_SECONDS).contains(seconds))
}
