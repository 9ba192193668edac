//! Host names of a Gateway API route.

use std::collections::{BTreeMap, BTreeSet};

use super::hostname::intersect;
use super::{Collector, Resolution, UnresolvedReason};
use crate::cluster::SourceKind;
use crate::object::{Gateway, Listener, ObjectKey, ParentRef, Route};

/// API group of Gateways and routes.
const GATEWAY_GROUP: &str = "gateway.networking.k8s.io";

/// What a route's resolution looks up in its cluster.
pub trait Parents {
    /// The Gateway with this namespace and name.
    fn gateway(&self, key: &ObjectKey) -> Option<&Gateway>;
    /// Labels of a namespace; `None` when it is not known.
    fn namespace_labels(&self, name: &str) -> Option<&BTreeMap<String, String>>;
}

/// Keys of the Gateways that a route names as its parents.
pub fn gateway_parents(route: &Route) -> BTreeSet<ObjectKey> {
    route
        .spec
        .parent_refs
        .iter()
        .filter(|parent| is_gateway(parent))
        .map(|parent| parent_key(parent, &route.meta.namespace))
        .collect()
}

/// The host names that a route asks for, each with the addresses of the Gateways that accept it.
pub fn resolve_route(kind: SourceKind, route: &Route, parents: &impl Parents) -> Resolution {
    let mut collector = Collector::default();
    // An empty host name stands for the listener's.
    let no_host_names = [String::new()];
    let host_names: &[String] =
        if route.spec.hostnames.is_empty() { &no_host_names } else { &route.spec.hostnames };

    let mut has_gateway = false;
    for parent_ref in route.spec.parent_refs.iter().filter(|parent| is_gateway(parent)) {
        has_gateway = true;
        match attach(kind, route, parent_ref, parents) {
            Err(reason) => {
                for host_name in host_names {
                    collector.unresolved(&host_name.to_ascii_lowercase(), reason.clone());
                }
            }
            Ok((listeners, addresses)) => {
                for host_name in host_names {
                    let mut matched = listeners
                        .iter()
                        .filter_map(|listener| intersect(&listener.hostname, host_name))
                        .peekable();
                    if matched.peek().is_none() {
                        let reason = UnresolvedReason::HostNameMismatch(describe(parent_ref, route));
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

/// The listeners that a route attaches to by one of its parent references, and their addresses.
fn attach<'a>(
    kind: SourceKind,
    route: &Route,
    parent_ref: &ParentRef,
    parents: &'a impl Parents,
) -> Result<(Vec<&'a Listener>, Vec<String>), UnresolvedReason> {
    let parent = || describe(parent_ref, route);
    let gateway = parents
        .gateway(&parent_key(parent_ref, &route.meta.namespace))
        .ok_or_else(|| UnresolvedReason::NoSuchParent(parent()))?;
    match accepted(route, parent_ref) {
        Some(true) => {}
        Some(false) => return Err(UnresolvedReason::NotAccepted(parent())),
        None => return Err(UnresolvedReason::NotYetAccepted(parent())),
    }
    let listeners: Vec<_> = gateway
        .spec
        .listeners
        .iter()
        .filter(|listener| allows(kind, route, parent_ref, gateway, listener, parents))
        .collect();
    if listeners.is_empty() {
        return Err(UnresolvedReason::NoListener(parent()));
    }
    let addresses: Vec<_> = gateway
        .status
        .addresses
        .iter()
        .map(|address| address.value.trim_end_matches('.').to_owned())
        .filter(|address| !address.is_empty())
        .collect();
    if addresses.is_empty() {
        return Err(UnresolvedReason::NoAddress(parent()));
    }
    Ok((listeners, addresses))
}

/// What the status says of a parent: several controllers may each have an entry, one acceptance is
/// enough. `None` when no controller has decided.
fn accepted(route: &Route, parent_ref: &ParentRef) -> Option<bool> {
    let namespace = &route.meta.namespace;
    let mut decided = None;
    for status in route.status.parents.iter().filter(|status| {
        parent_key(&status.parent_ref, namespace) == parent_key(parent_ref, namespace)
            && is_gateway(&status.parent_ref)
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

fn allows(
    kind: SourceKind,
    route: &Route,
    parent_ref: &ParentRef,
    gateway: &Gateway,
    listener: &Listener,
    parents: &impl Parents,
) -> bool {
    let section_fits = parent_ref.section_name.as_ref().is_none_or(|name| *name == listener.name);
    let port_fits = parent_ref.port.is_none_or(|port| port == listener.port);
    section_fits
        && port_fits
        && kind_fits(kind, listener)
        && namespace_fits(route, gateway, listener, parents)
}

fn kind_fits(kind: SourceKind, listener: &Listener) -> bool {
    let kinds = &listener.allowed_routes.kinds;
    let protocol_fits = match kind {
        SourceKind::HttpRoute => matches!(listener.protocol.as_str(), "HTTP" | "HTTPS"),
        SourceKind::Ingress => false,
    };
    protocol_fits
        && (kinds.is_empty()
            || kinds.iter().any(|allowed| {
                allowed.kind == kind.as_str()
                    && allowed.group.as_deref().is_none_or(|group| group == GATEWAY_GROUP)
            }))
}

fn namespace_fits(route: &Route, gateway: &Gateway, listener: &Listener, parents: &impl Parents) -> bool {
    let namespaces = &listener.allowed_routes.namespaces;
    match namespaces.from.as_str() {
        "" | "Same" => route.meta.namespace == gateway.meta.namespace,
        "All" => true,
        "Selector" => parents
            .namespace_labels(&route.meta.namespace)
            .is_some_and(|labels| namespaces.selector.matches(labels)),
        _ => false,
    }
}

fn is_gateway(parent: &ParentRef) -> bool {
    parent.group.as_deref().is_none_or(|group| group == GATEWAY_GROUP)
        && parent.kind.as_deref().is_none_or(|kind| kind == "Gateway")
}

fn parent_key(parent: &ParentRef, route_namespace: &str) -> ObjectKey {
    (parent.namespace.clone().unwrap_or_else(|| route_namespace.to_owned()), parent.name.clone())
}

fn describe(parent: &ParentRef, route: &Route) -> String {
    let (namespace, name) = parent_key(parent, &route.meta.namespace);
    format!("Gateway {namespace}/{name}")
}
