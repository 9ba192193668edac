//! Ingresses: they claim host names at the addresses of their load balancers.

use serde::Deserialize;

use super::meta::{Meta, or_default};
use super::{Row, Shape};
use crate::resolve::{Collector, Resolution, UnresolvedReason};

pub(super) const ROW: Row = Row {
    kind: "Ingress",
    group: "networking.k8s.io",
    version: "v1",
    plural: "ingresses",
    is_namespaced: true,
    shape: Shape::Ingress,
};

/// `spec` of an Ingress.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct IngressSpec {
    /// Rules by host name.
    #[serde(deserialize_with = "or_default")]
    pub rules: Box<[IngressRule]>,
    /// TLS by host names.
    #[serde(deserialize_with = "or_default")]
    pub tls: Box<[IngressTls]>,
}

/// One rule of an Ingress.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct IngressRule {
    /// Host name; empty means any.
    #[serde(deserialize_with = "or_default")]
    pub host: Box<str>,
}

/// One TLS section of an Ingress.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct IngressTls {
    /// Host names of the certificate.
    #[serde(deserialize_with = "or_default")]
    pub hosts: Box<[Box<str>]>,
}

/// `status` of an Ingress.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IngressStatus {
    /// Where the Ingress is reachable.
    #[serde(deserialize_with = "or_default")]
    pub load_balancer: LoadBalancerStatus,
}

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

/// The host names of an Ingress's rules and the whole ones of its TLS sections, with the addresses of its load
/// balancer.
pub(super) fn resolve(meta: &Meta, spec: &IngressSpec, status: &IngressStatus) -> Resolution {
    let targets: Vec<&str> = status
        .load_balancer
        .ingress
        .iter()
        .flat_map(|entry| [&*entry.ip, &*entry.hostname])
        .filter(|target| !target.is_empty())
        .collect();
    // The names of a certificate are not those that are served. For whole names they mostly are, and external-dns
    // takes them too; a wildcard would lead every name that does not exist to this Ingress.
    let of_certificates = spec.tls.iter().flat_map(|tls| &tls.hosts).filter(|host| !host.starts_with('*'));
    let hosts =
        spec.rules.iter().map(|rule| &rule.host).chain(of_certificates).filter(|host| !host.is_empty());
    let mut collector = Collector::default();
    for host in hosts {
        let host = host.to_ascii_lowercase();
        if targets.is_empty() {
            let parent = format!("the load balancer of Ingress {}/{}", meta.namespace, meta.name);
            collector.unresolved(&host, UnresolvedReason::NoAddress(parent));
        } else {
            collector.want(host, targets.iter().map(ToString::to_string));
        }
    }
    collector.finish()
}
