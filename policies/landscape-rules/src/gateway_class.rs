//! Only Gateways of these classes may serve names.

use alloc::format;

use crate::bindings::exports::openmcp::dns_policy::policy::{Claim, Denial};
use crate::configuration::Configuration;
use crate::denial;

pub fn objection(configuration: &Configuration, claim: &Claim) -> Option<Denial> {
    let classes = configuration.gateway_classes.as_ref()?;
    let gateways = claim.listeners.iter().map(|listener| &listener.gateway);
    let other = gateways.into_iter().find(|gateway| !classes.contains(&gateway.class))?;
    denial(
        "gateway-class",
        format!(
            "Gateway {}/{} has class {}: use one of class {}",
            other.namespace,
            other.name,
            other.class,
            classes.join(" or ")
        ),
    )
}
