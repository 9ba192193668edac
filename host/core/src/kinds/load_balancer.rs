//! Where a load balancer is reachable, as Ingresses and Services say it.

use serde::Deserialize;

use super::meta::or_default;

/// Where a load balancer is reachable.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct LoadBalancerStatus {
    /// Its points of entry.
    #[serde(deserialize_with = "or_default")]
    pub ingress: Box<[LoadBalancerIngress]>,
}

/// One point of entry of a load balancer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct LoadBalancerIngress {
    /// An IP address, or empty.
    #[serde(deserialize_with = "or_default")]
    pub ip: Box<str>,
    /// A host name, or empty.
    #[serde(deserialize_with = "or_default")]
    pub hostname: Box<str>,
}

impl LoadBalancerStatus {
    /// Its addresses and host names.
    pub(super) fn targets(&self) -> impl Iterator<Item = &str> {
        let entries = self.ingress.iter().flat_map(|entry| [&*entry.ip, &*entry.hostname]);
        entries.filter(|target| !target.is_empty())
    }
}
