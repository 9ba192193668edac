//! Host names of an Ingress.

use super::{Collector, Resolution, UnresolvedReason};
use crate::object::Ingress;

/// The host names of an Ingress's rules and TLS sections, with the addresses of its load balancer.
#[must_use]
pub fn resolve_ingress(ingress: &Ingress) -> Resolution {
    let targets: Vec<&str> = ingress
        .status
        .load_balancer
        .ingress
        .iter()
        .flat_map(|entry| [entry.ip.as_str(), entry.hostname.as_str()])
        .filter(|target| !target.is_empty())
        .collect();
    let hosts = ingress
        .spec
        .rules
        .iter()
        .map(|rule| &rule.host)
        .chain(ingress.spec.tls.iter().flat_map(|tls| &tls.hosts))
        .filter(|host| !host.is_empty());
    let mut collector = Collector::default();
    for host in hosts {
        let host = host.to_ascii_lowercase();
        if targets.is_empty() {
            let parent =
                format!("the load balancer of Ingress {}/{}", ingress.meta.namespace, ingress.meta.name);
            collector.unresolved(&host, UnresolvedReason::NoAddress(parent));
        } else {
            collector.want(host, targets.iter().map(ToString::to_string));
        }
    }
    collector.finish()
}
