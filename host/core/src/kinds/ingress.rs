//! Ingresses: they claim host names at the addresses of their load balancers.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::annotations::{HostNameSource, collector, host_name_source};
use super::backends::{self, Backends};
use super::load_balancer::LoadBalancerStatus;
use super::meta::{Meta, or_default};
use super::rules::{HostNamePlace, SourceRules};
use super::{Kind, Row, Shape};
use crate::details::Backend;
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
#[serde(rename_all = "camelCase", default)]
pub struct IngressSpec {
    /// Which controller it is for; empty where an annotation says it, or nothing.
    #[serde(deserialize_with = "or_default")]
    pub ingress_class_name: Box<str>,
    /// Rules by host name.
    #[serde(deserialize_with = "or_default")]
    pub rules: Box<[IngressRule]>,
    /// What serves the hosts without a rule.
    #[serde(deserialize_with = "backends::of_default_backend")]
    pub default_backend: Backends,
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
    /// What its paths lead to.
    #[serde(rename = "http", deserialize_with = "backends::of_ingress_rule")]
    pub backends: Backends,
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

/// The annotation that says the class of Ingresses without a field for it.
const CLASS: &str = "kubernetes.io/ingress.class";

/// The host names of an Ingress's rules and the whole ones of its TLS sections, with the addresses of its load
/// balancer.
pub(super) fn resolve(
    meta: &Meta,
    spec: &IngressSpec,
    status: &IngressStatus,
    rules: &SourceRules,
) -> Resolution {
    let class = Some(&*spec.ingress_class_name).filter(|class| !class.is_empty());
    let class = class.or_else(|| meta.annotations.get(CLASS)).unwrap_or_default();
    if !rules.ingress_classes.is_empty() && !rules.ingress_classes.contains(class) {
        return Resolution::default();
    }
    let mut collector = collector(meta);
    let mut targets = meta.annotations.targets();
    if targets.is_empty() {
        targets.extend(status.load_balancer.targets().map(str::to_owned));
    }
    for host in host_names(meta, spec, rules, &mut collector) {
        let host = host.to_ascii_lowercase();
        if targets.is_empty() {
            let parent = format!("the load balancer of {}", meta.describe(Kind::Ingress));
            collector.unresolved(&host, UnresolvedReason::NoAddress(parent));
        } else {
            collector.want(host, targets.iter().cloned());
        }
    }
    collector.finish()
}

/// What a host name leads to: what the rules for it, or for every host, say, else the default backend.
pub(super) fn backends(meta: &Meta, spec: &IngressSpec, host_name: &str) -> Vec<Backend> {
    let is_for = |rule: &&IngressRule| rule.host.is_empty() || rule.host.eq_ignore_ascii_case(host_name);
    let mut rules = spec.rules.iter().filter(is_for).map(|rule| &rule.backends).peekable();
    let default = rules.peek().is_none().then_some(&spec.default_backend);
    let found: BTreeSet<Backend> =
        rules.chain(default).flat_map(|backends| backends.of_object_in(&meta.namespace)).collect();
    found.into_iter().collect()
}

fn host_names(
    meta: &Meta,
    spec: &IngressSpec,
    rules: &SourceRules,
    collector: &mut Collector,
) -> Vec<String> {
    let source = host_name_source(meta, "ingress-hostname-source", collector);
    let mut host_names: Vec<String> = Vec::new();
    if source != Some(HostNameSource::AnnotationOnly) {
        if !rules.ignore(HostNamePlace::IngressRules) {
            host_names.extend(spec.rules.iter().map(|rule| rule.host.to_string()));
        }
        if !rules.ignore(HostNamePlace::IngressTls) {
            // The names of a certificate are not those that are served. For whole names they mostly are, and
            // external-dns takes them too; a wildcard would lead every name that does not exist to this Ingress.
            let hosts = spec.tls.iter().flat_map(|tls| &tls.hosts).filter(|host| !host.starts_with('*'));
            host_names.extend(hosts.map(ToString::to_string));
        }
    }
    if source != Some(HostNameSource::DefinedHostsOnly) && !rules.ignore(HostNamePlace::Annotation) {
        host_names.extend(meta.annotations.host_names().map(str::to_owned));
    }
    host_names.retain(|host| !host.is_empty());
    host_names.extend(rules.template_names(meta, host_names.len()));
    host_names
}
