//! The watched objects of one cluster, and which of them depend on which.

use std::collections::{BTreeMap, BTreeSet};

use crate::cluster::{SourceKind, SourceRef};
use crate::object::{Gateway, Ingress, Namespace, Object, ObjectKey, Route};
use crate::resolve::{Parents, Resolution, gateway_parents, resolve_ingress, resolve_route};

/// The kinds that are watched in each cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WatchedKind {
    /// Gateways: where routes point to.
    Gateway,
    /// HTTPRoutes: they claim host names.
    HttpRoute,
    /// Ingresses: they claim host names.
    Ingress,
    /// Namespaces: a listener can select them by label.
    Namespace,
}

impl WatchedKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Gateway, Self::HttpRoute, Self::Ingress, Self::Namespace];

    /// The kind in its Kubernetes spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "Gateway",
            Self::HttpRoute => "HTTPRoute",
            Self::Ingress => "Ingress",
            Self::Namespace => "Namespace",
        }
    }
}

/// A watched object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Watched {
    /// A Gateway.
    Gateway(Gateway),
    /// An HTTPRoute.
    HttpRoute(Route),
    /// An Ingress.
    Ingress(Ingress),
    /// A Namespace.
    Namespace(Namespace),
}

impl Watched {
    /// Kind of the object.
    #[must_use]
    pub const fn kind(&self) -> WatchedKind {
        match self {
            Self::Gateway(_) => WatchedKind::Gateway,
            Self::HttpRoute(_) => WatchedKind::HttpRoute,
            Self::Ingress(_) => WatchedKind::Ingress,
            Self::Namespace(_) => WatchedKind::Namespace,
        }
    }

    /// Namespace and name of the object.
    #[must_use]
    pub fn key(&self) -> ObjectKey {
        match self {
            Self::Gateway(object) => object.key(),
            Self::HttpRoute(object) => object.key(),
            Self::Ingress(object) => object.key(),
            Self::Namespace(object) => object.key(),
        }
    }
}

/// What a watch reports.
#[derive(Clone, Debug)]
pub enum Change {
    /// The object is there, new or changed.
    Set(Watched),
    /// The object is gone.
    Removed(WatchedKind, ObjectKey),
    /// These are all objects of a kind: the first list of a watch, or a new one after an interruption.
    Replaced(WatchedKind, Vec<Watched>),
}

/// The watched objects of one cluster.
#[derive(Debug, Default)]
pub struct Objects {
    gateways: BTreeMap<ObjectKey, Gateway>,
    http_routes: BTreeMap<ObjectKey, Route>,
    ingresses: BTreeMap<ObjectKey, Ingress>,
    namespaces: BTreeMap<ObjectKey, Namespace>,
    /// Which routes name a Gateway as their parent, whether it exists or not.
    routes_by_gateway: BTreeMap<ObjectKey, BTreeSet<SourceRef>>,
}

impl Objects {
    /// Takes in a change and says which objects' claims it may affect.
    pub fn apply(&mut self, change: Change) -> BTreeSet<SourceRef> {
        let mut affected = BTreeSet::new();
        match change {
            Change::Set(object) => self.set(object, &mut affected),
            Change::Removed(kind, key) => self.remove(kind, &key, &mut affected),
            Change::Replaced(kind, objects) => {
                let present: BTreeSet<ObjectKey> = objects.iter().map(Watched::key).collect();
                for key in self.keys(kind).into_iter().filter(|key| !present.contains(key)) {
                    self.remove(kind, &key, &mut affected);
                }
                for object in objects {
                    self.set(object, &mut affected);
                }
            }
        }
        affected
    }

    /// What a source asks for; `None` when it does not exist (any more).
    #[must_use]
    pub fn resolve(&self, source: &SourceRef) -> Option<Resolution> {
        let key = (source.namespace.clone(), source.name.clone());
        match source.kind {
            SourceKind::HttpRoute => {
                self.http_routes.get(&key).map(|route| resolve_route(source.kind, route, self))
            }
            SourceKind::Ingress => self.ingresses.get(&key).map(resolve_ingress),
        }
    }

    /// Labels of a source.
    #[must_use]
    pub fn labels(&self, source: &SourceRef) -> Option<&BTreeMap<String, String>> {
        let key = (source.namespace.clone(), source.name.clone());
        match source.kind {
            SourceKind::HttpRoute => self.http_routes.get(&key).map(|route| &route.meta.labels),
            SourceKind::Ingress => self.ingresses.get(&key).map(|ingress| &ingress.meta.labels),
        }
    }

    /// Unique identifier of a source, for Events on it.
    #[must_use]
    pub fn uid(&self, source: &SourceRef) -> Option<&str> {
        let key = (source.namespace.clone(), source.name.clone());
        match source.kind {
            SourceKind::HttpRoute => self.http_routes.get(&key).map(|route| route.meta.uid.as_str()),
            SourceKind::Ingress => self.ingresses.get(&key).map(|ingress| ingress.meta.uid.as_str()),
        }
    }

    /// All objects that can claim host names.
    #[must_use]
    pub fn sources(&self) -> Vec<SourceRef> {
        let routes = self.http_routes.keys().map(|key| source(SourceKind::HttpRoute, key));
        routes.chain(self.ingresses.keys().map(|key| source(SourceKind::Ingress, key))).collect()
    }

    fn set(&mut self, object: Watched, affected: &mut BTreeSet<SourceRef>) {
        let key = object.key();
        match object {
            Watched::Gateway(gateway) => {
                let changed = changed(self.gateways.insert(key.clone(), gateway), &self.gateways[&key]);
                if changed {
                    self.affect_routes_of(&key, affected);
                }
            }
            Watched::HttpRoute(route) => {
                let source = source(SourceKind::HttpRoute, &key);
                let parents = gateway_parents(&route);
                let old = self.http_routes.insert(key.clone(), route);
                if let Some(old) = &old {
                    self.unlink(&source, gateway_parents(old).difference(&parents));
                }
                for parent in parents {
                    self.routes_by_gateway.entry(parent).or_default().insert(source.clone());
                }
                if changed(old, &self.http_routes[&key]) {
                    affected.insert(source);
                }
            }
            Watched::Ingress(ingress) => {
                if changed(self.ingresses.insert(key.clone(), ingress), &self.ingresses[&key]) {
                    affected.insert(source(SourceKind::Ingress, &key));
                }
            }
            Watched::Namespace(namespace) => {
                let labels_changed =
                    self.namespaces.get(&key).map(|old| &old.meta.labels) != Some(&namespace.meta.labels);
                let name = namespace.meta.name.clone();
                self.namespaces.insert(key, namespace);
                if labels_changed {
                    self.affect_routes_in(&name, affected);
                }
            }
        }
    }

    fn remove(&mut self, kind: WatchedKind, key: &ObjectKey, affected: &mut BTreeSet<SourceRef>) {
        match kind {
            WatchedKind::Gateway => {
                if self.gateways.remove(key).is_some() {
                    self.affect_routes_of(key, affected);
                }
            }
            WatchedKind::HttpRoute => {
                if let Some(old) = self.http_routes.remove(key) {
                    let source = source(SourceKind::HttpRoute, key);
                    self.unlink(&source, gateway_parents(&old).iter());
                    affected.insert(source);
                }
            }
            WatchedKind::Ingress => {
                if self.ingresses.remove(key).is_some() {
                    affected.insert(source(SourceKind::Ingress, key));
                }
            }
            WatchedKind::Namespace => {
                if self.namespaces.remove(key).is_some() {
                    self.affect_routes_in(&key.1, affected);
                }
            }
        }
    }

    fn affect_routes_of(&self, gateway: &ObjectKey, affected: &mut BTreeSet<SourceRef>) {
        affected.extend(self.routes_by_gateway.get(gateway).into_iter().flatten().cloned());
    }

    fn affect_routes_in(&self, namespace: &str, affected: &mut BTreeSet<SourceRef>) {
        let from = (namespace.to_owned(), String::new());
        let routes = self.http_routes.range(from..).take_while(|((other, _), _)| other == namespace);
        affected.extend(routes.map(|(key, _)| source(SourceKind::HttpRoute, key)));
    }

    fn unlink<'a>(&mut self, source: &SourceRef, gateways: impl Iterator<Item = &'a ObjectKey>) {
        for gateway in gateways {
            if let Some(routes) = self.routes_by_gateway.get_mut(gateway) {
                routes.remove(source);
                if routes.is_empty() {
                    self.routes_by_gateway.remove(gateway);
                }
            }
        }
    }

    fn keys(&self, kind: WatchedKind) -> Vec<ObjectKey> {
        match kind {
            WatchedKind::Gateway => self.gateways.keys().cloned().collect(),
            WatchedKind::HttpRoute => self.http_routes.keys().cloned().collect(),
            WatchedKind::Ingress => self.ingresses.keys().cloned().collect(),
            WatchedKind::Namespace => self.namespaces.keys().cloned().collect(),
        }
    }
}

impl Parents for Objects {
    fn gateway(&self, key: &ObjectKey) -> Option<&Gateway> {
        self.gateways.get(key)
    }

    fn namespace_labels(&self, name: &str) -> Option<&BTreeMap<String, String>> {
        self.namespaces.get(&(String::new(), name.to_owned())).map(|namespace| &namespace.meta.labels)
    }
}

fn source(kind: SourceKind, key: &ObjectKey) -> SourceRef {
    SourceRef { kind, namespace: key.0.clone(), name: key.1.clone() }
}

/// Whether anything that is read has changed. The resource version has, on every write: most writes
/// to a Gateway or route are heartbeats of its controller.
fn changed<Spec, Status>(old: Option<Object<Spec, Status>>, new: &Object<Spec, Status>) -> bool
where
    Spec: Default + PartialEq,
    Status: Default + PartialEq,
{
    old.is_none_or(|old| {
        old.spec != new.spec
            || old.status != new.status
            || old.meta.labels != new.meta.labels
            || old.meta.uid != new.meta.uid
    })
}
