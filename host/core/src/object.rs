//! The fields of Kubernetes objects that the service reads, and no others.
//!
//! An API server sends each object with managed fields, templates and specs that nobody here
//! reads. Deserializing into these types skips all that without allocating for it. The types are
//! the same for every served version of a kind: the fields they hold have not changed between
//! `v1alpha2` and `v1`. Each field may be missing.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

/// Namespace and name of an object within its cluster.
pub type ObjectKey = (String, String);

/// The metadata that the service reads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Meta {
    /// Name of the object.
    pub name: String,
    /// Namespace; empty for cluster-scoped kinds.
    pub namespace: String,
    /// Unique over time.
    pub uid: String,
    /// Version for optimistic locking and watches.
    pub resource_version: String,
    /// Counts changes of the spec.
    pub generation: i64,
    /// Labels.
    #[serde(deserialize_with = "or_default")]
    pub labels: BTreeMap<String, String>,
}

/// An object of which only `Spec` and `Status` are read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Object<Spec, Status>
where
    Spec: Default,
    Status: Default,
{
    /// Metadata.
    #[serde(rename = "metadata")]
    pub meta: Meta,
    /// What is wanted.
    #[serde(default, deserialize_with = "or_default", bound(deserialize = "Spec: Deserialize<'de>"))]
    pub spec: Spec,
    /// What is.
    #[serde(default, deserialize_with = "or_default", bound(deserialize = "Status: Deserialize<'de>"))]
    pub status: Status,
}

impl<Spec: Default, Status: Default> Object<Spec, Status> {
    /// Namespace and name.
    #[must_use]
    pub fn key(&self) -> ObjectKey {
        (self.meta.namespace.clone(), self.meta.name.clone())
    }
}

/// `gateway.networking.k8s.io` Gateway.
pub type Gateway = Object<GatewaySpec, GatewayStatus>;
/// Any route kind of `gateway.networking.k8s.io`.
pub type Route = Object<RouteSpec, RouteStatus>;
/// `networking.k8s.io` Ingress.
pub type Ingress = Object<IngressSpec, IngressStatus>;
/// A Namespace, read for its labels.
pub type Namespace = Object<Nothing, Nothing>;

/// A spec or status of which nothing is read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Nothing {}

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
    /// With `Selector`: the labels that the namespace must have.
    #[serde(deserialize_with = "or_default")]
    pub selector: LabelSelector,
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

/// A Kubernetes label selector.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LabelSelector {
    /// Labels that must have these values.
    #[serde(deserialize_with = "or_default")]
    pub match_labels: BTreeMap<String, String>,
    /// Further requirements; all must hold.
    #[serde(deserialize_with = "or_default")]
    pub match_expressions: Vec<LabelRequirement>,
}

/// One requirement of a label selector.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct LabelRequirement {
    /// The label's key.
    pub key: String,
    /// `In`, `NotIn`, `Exists` or `DoesNotExist`.
    pub operator: String,
    /// For `In` and `NotIn`.
    #[serde(deserialize_with = "or_default")]
    pub values: Vec<String>,
}

impl LabelSelector {
    /// Whether all requirements hold; an empty selector matches everything, an unknown operator nothing.
    #[must_use]
    pub fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        self.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value))
            && self.match_expressions.iter().all(|requirement| requirement.matches(labels))
    }
}

impl LabelRequirement {
    fn matches(&self, labels: &BTreeMap<String, String>) -> bool {
        let value = labels.get(&self.key);
        match self.operator.as_str() {
            "In" => value.is_some_and(|value| self.values.contains(value)),
            "NotIn" => value.is_none_or(|value| !self.values.contains(value)),
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            _ => false,
        }
    }
}

/// `status` of a Gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct GatewayStatus {
    /// Addresses that the Gateway is reachable at.
    #[serde(deserialize_with = "or_default")]
    pub addresses: Vec<GatewayAddress>,
}

/// One address of a Gateway. Its `type` is not read: the value says what it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct GatewayAddress {
    /// An IP address or a host name.
    pub value: String,
}

/// `spec` of a route.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RouteSpec {
    /// Host names; none means those of the listeners.
    #[serde(deserialize_with = "or_default")]
    pub hostnames: Vec<String>,
    /// What the route wants to attach to.
    #[serde(deserialize_with = "or_default")]
    pub parent_refs: Vec<ParentRef>,
}

/// A reference from a route to its parent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ParentRef {
    /// `None` means `gateway.networking.k8s.io`.
    pub group: Option<String>,
    /// `None` means `Gateway`.
    pub kind: Option<String>,
    /// `None` means the route's own namespace.
    pub namespace: Option<String>,
    /// Name of the parent.
    pub name: String,
    /// Restricts to one listener.
    pub section_name: Option<String>,
    /// Restricts to listeners of one port.
    pub port: Option<i32>,
}

/// `status` of a route.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct RouteStatus {
    /// What each controller says of each parent.
    #[serde(deserialize_with = "or_default")]
    pub parents: Vec<RouteParentStatus>,
}

/// What one controller says of one parent of a route.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RouteParentStatus {
    /// The parent, as in the route's spec.
    pub parent_ref: ParentRef,
    /// Conditions, among them `Accepted`.
    #[serde(deserialize_with = "or_default")]
    pub conditions: Vec<Condition>,
}

/// One condition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Condition {
    /// For example `Accepted`.
    #[serde(rename = "type")]
    pub condition_type: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// For machines.
    pub reason: String,
}

/// `spec` of an Ingress.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct IngressSpec {
    /// Rules by host name.
    #[serde(deserialize_with = "or_default")]
    pub rules: Vec<IngressRule>,
    /// TLS by host names.
    #[serde(deserialize_with = "or_default")]
    pub tls: Vec<IngressTls>,
}

/// One rule of an Ingress.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct IngressRule {
    /// Host name; empty means any.
    #[serde(deserialize_with = "or_default")]
    pub host: String,
}

/// One TLS section of an Ingress.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct IngressTls {
    /// Host names of the certificate.
    #[serde(deserialize_with = "or_default")]
    pub hosts: Vec<String>,
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
    pub ingress: Vec<LoadBalancerIngress>,
}

/// One point of entry of a load balancer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct LoadBalancerIngress {
    /// An IP address, or empty.
    #[serde(deserialize_with = "or_default")]
    pub ip: String,
    /// A host name, or empty.
    #[serde(deserialize_with = "or_default")]
    pub hostname: String,
}

/// Takes `null` for the default, as the API conventions do.
fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}
