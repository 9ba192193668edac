//! Routes of the Gateway API: the fields that all their kinds have, and how they are resolved.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::condition::Condition;
use super::gateway::Listener;
use super::hostname::intersect;
use super::meta::{Meta, ObjectKey, or_default};
use super::object::{Fields, Lookup, Watched};
use super::{GATEWAY_API, Kind};
use crate::resolve::{Collector, Resolution, UnresolvedReason};

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

/// The Gateways that a route names as its parents.
pub(super) fn parents(meta: &Meta, spec: &RouteSpec) -> BTreeSet<(Kind, ObjectKey)> {
    let gateways = spec.parent_refs.iter().filter(|parent| parent.is_gateway());
    gateways.map(|parent| (Kind::Gateway, parent.key(&meta.namespace))).collect()
}

/// The host names that a route asks for, each with the addresses of the Gateways that accept it.
pub(super) fn resolve(
    kind: Kind,
    meta: &Meta,
    spec: &RouteSpec,
    status: &RouteStatus,
    lookup: &impl Lookup,
) -> Resolution {
    let route = Route { kind, namespace: &meta.namespace, status, lookup };
    let mut collector = Collector::default();
    // An empty host name stands for the listener's.
    let no_host_names = [String::new()];
    let host_names: &[String] = if spec.hostnames.is_empty() { &no_host_names } else { &spec.hostnames };

    let mut has_gateway = false;
    for parent_ref in spec.parent_refs.iter().filter(|parent| parent.is_gateway()) {
        has_gateway = true;
        match route.attach(parent_ref) {
            Err(reason) => {
                for host_name in host_names {
                    collector.unresolved(&host_name.to_ascii_lowercase(), reason.clone());
                }
            }
            Ok(Attached { listeners, refused, addresses }) => {
                for host_name in host_names {
                    let mut matched = listeners
                        .iter()
                        .filter_map(|listener| intersect(&listener.hostname, host_name))
                        .peekable();
                    if matched.peek().is_none() {
                        let parent = route.describe(parent_ref);
                        let is_refused =
                            refused.iter().any(|listener| intersect(&listener.hostname, host_name).is_some());
                        let reason = if is_refused {
                            UnresolvedReason::ListenerRefused(parent)
                        } else {
                            UnresolvedReason::HostNameMismatch(parent)
                        };
                        collector.unresolved(&host_name.to_ascii_lowercase(), reason);
                    }
                    // Neither side names a host: there is nothing to publish.
                    for name in matched.filter(|name| !name.is_empty()) {
                        collector.want(name, addresses.iter().cloned());
                    }
                }
            }
        }
    }
    if !has_gateway {
        for host_name in host_names {
            collector.unresolved(&host_name.to_ascii_lowercase(), UnresolvedReason::NoParent);
        }
    }
    collector.finish()
}

/// Where a route attaches by one of its parent references.
struct Attached<'a> {
    /// Those that serve it.
    listeners: Vec<&'a Listener>,
    /// Those that would, and of which the controller says that they serve nothing.
    refused: Vec<&'a Listener>,
    /// Where they are reachable.
    addresses: Vec<String>,
}

/// What decides where a route attaches.
struct Route<'a, L> {
    kind: Kind,
    namespace: &'a str,
    status: &'a RouteStatus,
    lookup: &'a L,
}

impl<'a, L: Lookup> Route<'a, L> {
    /// What the route attaches to by one of its parent references.
    fn attach(&self, parent_ref: &ParentRef) -> Result<Attached<'a>, UnresolvedReason> {
        let parent = || self.describe(parent_ref);
        let found = self.lookup.object(Kind::Gateway, &parent_ref.key(self.namespace));
        let Some(Watched { meta, fields: Fields::Gateway(gateway, status), .. }) = found else {
            return Err(UnresolvedReason::NoSuchParent(parent()));
        };
        match self.accepted(parent_ref) {
            Some(true) => {}
            Some(false) => return Err(UnresolvedReason::NotAccepted(parent())),
            None => return Err(UnresolvedReason::NotYetAccepted(parent())),
        }
        let fitting =
            gateway.listeners.iter().filter(|listener| self.fits(parent_ref, listener, &meta.namespace));
        let (refused, listeners): (Vec<_>, Vec<_>) = fitting.partition(|listener| status.refuses(listener));
        if listeners.is_empty() {
            return Err(if refused.is_empty() {
                UnresolvedReason::NoListener(parent())
            } else {
                UnresolvedReason::ListenerRefused(parent())
            });
        }
        let addresses: Vec<_> = status
            .addresses
            .iter()
            .map(|address| address.value.trim_end_matches('.').to_owned())
            .filter(|address| !address.is_empty())
            .collect();
        if addresses.is_empty() {
            return Err(UnresolvedReason::NoAddress(parent()));
        }
        Ok(Attached { listeners, refused, addresses })
    }

    /// What the status says of a parent: several controllers may each have an entry, one acceptance is
    /// enough. `None` when no controller has decided.
    fn accepted(&self, parent_ref: &ParentRef) -> Option<bool> {
        let mut decided = None;
        for status in self.status.parents.iter().filter(|status| {
            status.parent_ref.key(self.namespace) == parent_ref.key(self.namespace)
                && status.parent_ref.is_gateway()
                && status.parent_ref.section_name == parent_ref.section_name
                && status.parent_ref.port == parent_ref.port
        }) {
            let condition = status.conditions.iter().find(|condition| condition.condition_type == "Accepted");
            match condition.map(|condition| condition.status.as_str()) {
                Some("True") => return Some(true),
                Some("False") => decided = Some(false),
                _ => {}
            }
        }
        decided
    }

    /// Whether the route fits a listener of a Gateway in this namespace.
    fn fits(&self, parent_ref: &ParentRef, listener: &Listener, namespace: &str) -> bool {
        parent_ref.section_name.as_ref().is_none_or(|name| *name == listener.name)
            && parent_ref.port.is_none_or(|port| port == listener.port)
            && self.kind_fits(listener)
            && self.namespace_fits(listener, namespace)
    }

    fn kind_fits(&self, listener: &Listener) -> bool {
        let kinds = &listener.allowed_routes.kinds;
        self.kind.attaches_to(&listener.protocol)
            && (kinds.is_empty()
                || kinds.iter().any(|allowed| {
                    allowed.kind == self.kind.as_str() && is_of_gateway_api(allowed.group.as_deref())
                }))
    }

    fn namespace_fits(&self, listener: &Listener, gateway_namespace: &str) -> bool {
        let namespaces = &listener.allowed_routes.namespaces;
        match namespaces.from.as_str() {
            "" | "Same" => self.namespace == gateway_namespace,
            "All" => true,
            "Selector" => self
                .lookup
                .object(Kind::Namespace, &(String::new(), self.namespace.to_owned()))
                .zip(namespaces.selector.as_ref())
                .is_some_and(|(namespace, selector)| selector.matches(&namespace.meta.labels)),
            _ => false,
        }
    }

    fn describe(&self, parent: &ParentRef) -> String {
        let (namespace, name) = parent.key(self.namespace);
        format!("{} {namespace}/{name}", Kind::Gateway)
    }
}

impl ParentRef {
    fn is_gateway(&self) -> bool {
        is_of_gateway_api(self.group.as_deref())
            && self.kind.as_deref().is_none_or(|kind| kind == Kind::Gateway.as_str())
    }

    fn key(&self, route_namespace: &str) -> ObjectKey {
        (self.namespace.clone().unwrap_or_else(|| route_namespace.to_owned()), self.name.clone())
    }
}

fn is_of_gateway_api(group: Option<&str>) -> bool {
    group.is_none_or(|group| group == GATEWAY_API)
}
