//! What an agent asks for: its host names with their targets, each an object of its own.
//!
//! No API server has these. They are made of what external-dns writes through the gate, see [`crate::agents`]; their
//! fields are those of external-dns's own DNSEndpoint.

use std::collections::BTreeSet;

use super::endpoints::{Endpoint, EndpointsSpec};
use super::meta::Meta;
use super::object::{Fields, Watched};
use super::{Kind, Row, Shape};
use crate::name::HostName;

pub(super) const ROW: Row = Row {
    kind: "ExternalDNS",
    group: "dns.openmcp.cloud",
    version: "v1alpha1",
    plural: "externaldns",
    is_namespaced: false,
    shape: Shape::Endpoints { is_watched: false },
};

/// The object of one host name of an agent.
#[must_use]
pub fn endpoint(name: &HostName, targets: BTreeSet<String>) -> Watched {
    let endpoint = Endpoint {
        dns_name: name.to_string(),
        targets: targets.into_iter().collect(),
        ..Endpoint::default()
    };
    Watched {
        kind: Kind::ExternalDns,
        meta: Meta { name: name.to_string().into(), ..Meta::default() },
        fields: Fields::Endpoints(EndpointsSpec { endpoints: vec![endpoint] }),
    }
}
