//! What an agent asks for: its host names with their targets, each an object of its own.
//!
//! No API server has these. They are made of what external-dns writes through the gate, see [`crate::agents`]; their
//! fields are those of external-dns's own DNSEndpoint.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::meta::{Meta, or_default};
use super::object::{Fields, Watched};
use super::{Kind, Row, Shape};
use crate::name::HostName;
use crate::resolve::{Collector, Resolution};

pub(super) const ROW: Row = Row {
    kind: "ExternalDNS",
    group: "dns.openmcp.cloud",
    version: "v1alpha1",
    plural: "externaldns",
    is_namespaced: false,
    shape: Shape::Endpoints,
};

/// `spec` with endpoints.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct EndpointsSpec {
    /// All of them.
    #[serde(deserialize_with = "or_default")]
    pub endpoints: Vec<Endpoint>,
}

/// A host name with its targets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Endpoint {
    /// The host name.
    #[serde(rename = "dnsName", deserialize_with = "or_default")]
    pub dns_name: String,
    /// Addresses and host names.
    #[serde(deserialize_with = "or_default")]
    pub targets: Vec<String>,
}

/// The object of one host name of an agent.
#[must_use]
pub fn endpoint(name: &HostName, targets: BTreeSet<String>) -> Watched {
    let endpoint = Endpoint { dns_name: name.to_string(), targets: targets.into_iter().collect() };
    Watched {
        kind: Kind::ExternalDns,
        meta: Meta { name: name.to_string().into(), ..Meta::default() },
        fields: Fields::Endpoints(EndpointsSpec { endpoints: vec![endpoint] }),
    }
}

/// The host names with their targets.
pub(super) fn resolve(spec: &EndpointsSpec) -> Resolution {
    let mut collector = Collector::default();
    for Endpoint { dns_name, targets } in &spec.endpoints {
        if !targets.is_empty() {
            collector.want(dns_name.to_ascii_lowercase(), targets.iter().cloned());
        }
    }
    collector.finish()
}
