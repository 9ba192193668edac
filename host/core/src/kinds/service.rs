//! Services: they claim the host names that an annotation gives them, and none without it.

use serde::Deserialize;

use super::annotations::collector;
use super::endpoint_slice::SliceEndpoints;
use super::load_balancer::LoadBalancerStatus;
use super::meta::{Meta, or_default};
use super::object::{Fields, Lookup};
use super::rules::{HostNamePlace, SourceRules};
use super::{Kind, Row, Shape};
use crate::resolve::{Resolution, UnresolvedReason};

pub(super) const ROW: Row = Row {
    kind: "Service",
    group: "",
    version: "v1",
    plural: "services",
    is_namespaced: true,
    shape: Shape::Service,
};

/// `spec` of a Service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceSpec {
    /// `ClusterIP`, `NodePort`, `LoadBalancer` or `ExternalName`.
    #[serde(rename = "type", deserialize_with = "or_default")]
    pub service_type: Box<str>,
    /// `None` for a headless Service.
    #[serde(rename = "clusterIP", deserialize_with = "or_default")]
    pub cluster_ip: Box<str>,
    /// Addresses that lead to it besides its load balancer's.
    #[serde(rename = "externalIPs", deserialize_with = "or_default")]
    pub external_ips: Box<[Box<str>]>,
}

/// `status` of a Service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceStatus {
    /// Where a Service of type `LoadBalancer` is reachable.
    #[serde(deserialize_with = "or_default")]
    pub load_balancer: LoadBalancerStatus,
}

/// The host names of the annotation: with the addresses of the load balancer, or of the pods of a headless Service.
pub(super) fn resolve(
    meta: &Meta,
    spec: &ServiceSpec,
    status: &ServiceStatus,
    lookup: &impl Lookup,
    rules: &SourceRules,
) -> Resolution {
    let mut collector = collector(meta);
    if rules.ignore(HostNamePlace::Annotation) {
        return Resolution::default();
    }
    let describe = || meta.describe(Kind::Service);
    let annotated = meta.annotations.targets();
    let key = (meta.namespace.to_string(), meta.name.to_string());
    let is_headless = &*spec.cluster_ip == "None";
    for host_name in meta.annotations.host_names().map(str::to_ascii_lowercase) {
        if !annotated.is_empty() {
            collector.want(host_name, annotated.iter().cloned());
        } else if &*spec.service_type == "LoadBalancer" {
            let external: Vec<&str> = spec.external_ips.iter().map(|ip| &**ip).collect();
            let balanced: Vec<&str> = status.load_balancer.targets().collect();
            let targets = if external.is_empty() { balanced } else { external };
            if targets.is_empty() {
                let parent = format!("the load balancer of {}", describe());
                collector.unresolved(&host_name, UnresolvedReason::NoAddress(parent));
            } else {
                collector.want(host_name, targets.into_iter().map(str::to_owned));
            }
        } else if is_headless {
            let slices = lookup.parts(Kind::Service, &key);
            let mut has_address = false;
            for slice in slices {
                let Fields::EndpointSlice(SliceEndpoints(endpoints)) = &slice.fields else { continue };
                for endpoint in endpoints.iter().filter(|endpoint| endpoint.is_ready()) {
                    let addresses = || endpoint.addresses.iter().map(ToString::to_string);
                    has_address |= addresses().next().is_some();
                    collector.want(host_name.clone(), addresses());
                    if !endpoint.hostname.is_empty() && !host_name.starts_with('*') {
                        collector.want(format!("{}.{host_name}", endpoint.hostname), addresses());
                    }
                }
            }
            if !has_address {
                collector.unresolved(&host_name, UnresolvedReason::NoAddress(describe()));
            }
        } else {
            collector.unresolved(&host_name, UnresolvedReason::NotReachable(describe()));
        }
    }
    collector.finish()
}
