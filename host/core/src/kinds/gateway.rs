//! Gateways: where routes point to.

use serde::Deserialize;

use super::listener::{FromNamespaces, Listener, ListenerStatus};
use super::meta::{Meta, or_default};
use super::{GATEWAY_API, Row, Shape};

pub(super) const ROW: Row = Row {
    kind: "Gateway",
    group: GATEWAY_API,
    version: "v1",
    plural: "gateways",
    is_namespaced: true,
    shape: Shape::Gateway,
};

/// `spec` of a Gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GatewaySpec {
    /// Which controller it is for.
    pub gateway_class_name: Box<str>,
    /// Where the Gateway accepts traffic.
    #[serde(deserialize_with = "or_default")]
    pub listeners: Box<[Listener]>,
    /// Which ListenerSets may add to them.
    #[serde(deserialize_with = "or_default")]
    pub allowed_listeners: AllowedListeners,
}

/// Which ListenerSets may attach to a Gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct AllowedListeners {
    /// From which namespaces; empty means from none.
    #[serde(deserialize_with = "or_default")]
    pub namespaces: Box<FromNamespaces>,
}

/// `status` of a Gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct GatewayStatus {
    /// Addresses that the Gateway is reachable at.
    #[serde(deserialize_with = "or_default")]
    pub addresses: Box<[GatewayAddress]>,
    /// What its controller says of each listener.
    #[serde(deserialize_with = "or_default")]
    pub listeners: Box<[ListenerStatus]>,
}

/// One address of a Gateway. Its `type` is not read: the value says what it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct GatewayAddress {
    /// An IP address or a host name.
    pub value: String,
}

/// Where a Gateway is reachable: what its annotation says, else its addresses.
pub(super) fn targets(meta: &Meta, status: &GatewayStatus) -> Vec<String> {
    let annotated = meta.annotations.targets();
    if !annotated.is_empty() {
        return annotated;
    }
    let addresses = status.addresses.iter().map(|address| address.value.trim_end_matches('.'));
    addresses.filter(|address| !address.is_empty()).map(str::to_owned).collect()
}
