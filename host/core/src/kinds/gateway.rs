//! Gateways: where routes point to.

use serde::Deserialize;

use super::condition::Condition;
use super::meta::or_default;
use super::selector::LabelSelector;
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
    /// Where the Gateway accepts traffic.
    #[serde(deserialize_with = "or_default")]
    pub listeners: Vec<Listener>,
}

/// One listener of a Gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Listener {
    /// Unique within the Gateway.
    pub name: String,
    /// Restricts the host names; empty means any.
    #[serde(deserialize_with = "or_default")]
    pub hostname: String,
    /// 1 to 65535.
    pub port: i32,
    /// `HTTP`, `HTTPS`, `TLS`, `TCP`, `UDP` or a vendor's own.
    pub protocol: String,
    /// Which routes may attach.
    #[serde(deserialize_with = "or_default")]
    pub allowed_routes: AllowedRoutes,
}

/// Which routes may attach to a listener.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct AllowedRoutes {
    /// From which namespaces.
    #[serde(deserialize_with = "or_default")]
    pub namespaces: RouteNamespaces,
    /// Of which kinds; empty means those that fit the protocol.
    #[serde(deserialize_with = "or_default")]
    pub kinds: Vec<RouteGroupKind>,
}

/// The namespaces from which routes may attach.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct RouteNamespaces {
    /// `Same` (the default, also when empty), `All` or `Selector`; anything else allows nothing.
    #[serde(deserialize_with = "or_default")]
    pub from: String,
    /// With `Selector`: the labels that the namespace must have. A selector that is not there selects
    /// nothing, an empty one everything (`metav1.LabelSelector`).
    pub selector: Option<LabelSelector>,
}

/// A group and kind of route.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct RouteGroupKind {
    /// `None` means `gateway.networking.k8s.io`.
    pub group: Option<String>,
    /// For example `HTTPRoute`.
    pub kind: String,
}

/// `status` of a Gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct GatewayStatus {
    /// Addresses that the Gateway is reachable at.
    #[serde(deserialize_with = "or_default")]
    pub addresses: Vec<GatewayAddress>,
    /// What its controller says of each listener.
    #[serde(deserialize_with = "or_default")]
    pub listeners: Vec<ListenerStatus>,
}

/// What the controller of a Gateway says of one listener.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ListenerStatus {
    /// Name of the listener.
    pub name: String,
    /// Conditions, among them `Conflicted` and `Accepted`.
    #[serde(deserialize_with = "or_default")]
    pub conditions: Vec<Condition>,
}

impl GatewayStatus {
    /// Whether the controller has said that a listener serves nothing: it is in conflict with another one, or
    /// is not accepted. `Programmed` is not asked: it is also false while an address is awaited.
    pub(super) fn refuses(&self, listener: &Listener) -> bool {
        let conditions = self.listeners.iter().filter(|status| status.name == listener.name);
        conditions.flat_map(|status| &status.conditions).any(|condition| {
            matches!(
                (condition.condition_type.as_str(), condition.status.as_str()),
                ("Conflicted", "True") | ("Accepted", "False")
            )
        })
    }
}

/// One address of a Gateway. Its `type` is not read: the value says what it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct GatewayAddress {
    /// An IP address or a host name.
    pub value: String,
}
