//! What modules can be told of an object besides what every module is told.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::annotations::LONGEST_VALUE;
use super::hostname::intersect;
use super::listener::{Listener, Serving};
use super::object::{Fields, Lookup, Watched};
use super::parent::{self, Parent};
use super::rules::SourceRules;
use super::{Kind, ObjectKey, ingress};
use crate::details::{Backend, Detail, Details, ServingGateway, ServingListener};
use crate::labels::Labels;

/// What a module has asked for of one object, for each of its host names.
pub struct ObjectDetails<'o> {
    object: &'o Watched,
    namespace_labels: Labels,
    annotations: Labels,
    /// Each with the host name that restricts it.
    listeners: Vec<(&'o str, ServingListener)>,
    has_backends: bool,
}

impl<'o> ObjectDetails<'o> {
    pub(super) fn new(
        object: &'o Watched,
        lookup: &'o impl Lookup,
        rules: &'o SourceRules,
        wanted: &[Detail],
    ) -> Self {
        let mut details = Self {
            object,
            namespace_labels: Labels::default(),
            annotations: Labels::default(),
            listeners: Vec::new(),
            has_backends: false,
        };
        for detail in wanted {
            match detail {
                Detail::NamespaceLabels => {
                    let key: ObjectKey = (String::new(), object.meta.namespace.to_string());
                    let namespace = lookup.object(Kind::Namespace, &key);
                    details.namespace_labels =
                        namespace.map(|namespace| namespace.meta.labels.clone()).unwrap_or_default();
                }
                Detail::Annotations => {
                    details.annotations = annotations(object, &rules.module_annotations);
                }
                Detail::Listeners => details.listeners = listeners(object, lookup, rules),
                Detail::Backends => details.has_backends = true,
                // Whoever knows the other objects' names counts them.
                Detail::PublishedNames => {}
            }
        }
        details
    }

    /// What the module is told of the claim of a host name.
    #[must_use]
    pub fn of(&self, host_name: &str) -> Arc<Details> {
        let serves = |own: &str| intersect(own, host_name).is_some_and(|name| name == host_name);
        let listeners = self.listeners.iter().filter(|(own, _)| serves(own));
        Arc::new(Details {
            namespace_labels: self.namespace_labels.clone(),
            annotations: self.annotations.clone(),
            listeners: listeners.map(|(_, listener)| listener.clone()).collect(),
            backends: if self.has_backends { backends(self.object, host_name) } else { Vec::new() },
        })
    }
}

fn annotations(object: &Watched, keys: &BTreeSet<String>) -> Labels {
    let given = keys.iter().filter_map(|key| Some((key.as_str(), object.meta.annotations.get(key)?)));
    given.filter(|(_, value)| value.len() <= LONGEST_VALUE).collect()
}

fn listeners<'o>(
    object: &'o Watched,
    lookup: &'o impl Lookup,
    rules: &'o SourceRules,
) -> Vec<(&'o str, ServingListener)> {
    let mut listeners = Vec::new();
    match &object.fields {
        Fields::Route(spec, status) => object.route(spec, status, lookup, rules).serving(&mut listeners),
        Fields::Gateway(..) | Fields::ListenerSet(..) => {
            if let Ok(parent) = parent::of(object, lookup, rules) {
                let serving = |listener: &&Listener| parent.serving(listener) == Serving::Yes;
                listeners.extend(parent.listeners().iter().filter(serving).map(|own| of(&parent, own)));
            }
        }
        Fields::Ingress(..)
        | Fields::Service(..)
        | Fields::EndpointSlice(_)
        | Fields::Endpoints(_)
        | Fields::Nothing => {}
    }
    listeners
}

/// A listener as a module is told of it, with the host name that restricts it.
pub(super) fn of<'o>(parent: &Parent<'o>, listener: &'o Listener) -> (&'o str, ServingListener) {
    let (meta, spec) = parent.gateway;
    let serving = ServingListener {
        gateway: ServingGateway {
            namespace: meta.namespace.to_string(),
            name: meta.name.to_string(),
            class: spec.gateway_class_name.to_string(),
            labels: meta.labels.clone(),
        },
        name: listener.name.clone(),
        port: u16::try_from(listener.port).unwrap_or_default(),
        protocol: listener.protocol.clone(),
    };
    (&listener.hostname, serving)
}

fn backends(object: &Watched, host_name: &str) -> Vec<Backend> {
    match &object.fields {
        Fields::Route(spec, _) => spec.backends.of_object_in(&object.meta.namespace),
        Fields::Ingress(spec, _) => ingress::backends(&object.meta, spec, host_name),
        Fields::Gateway(..)
        | Fields::ListenerSet(..)
        | Fields::Service(..)
        | Fields::EndpointSlice(_)
        | Fields::Endpoints(_)
        | Fields::Nothing => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::cluster::SourceRef;
    use crate::objects::{Change, Objects};

    const ALL: [Detail; 4] =
        [Detail::NamespaceLabels, Detail::Annotations, Detail::Listeners, Detail::Backends];

    fn objects(all: impl IntoIterator<Item = (Kind, Value)>) -> Objects {
        let mut objects = Objects::default();
        for (kind, object) in all {
            objects.apply(Change::Set(Watched::from_json(kind, object).unwrap()));
        }
        objects
    }

    fn listener(name: &str, hostname: &str, port: u16) -> Value {
        json!({ "name": name, "hostname": hostname, "port": port, "protocol": "HTTP",
            "allowedRoutes": { "namespaces": { "from": "All" } } })
    }

    fn landscape() -> Objects {
        let accepted = json!([{ "type": "Accepted", "status": "True" }]);
        let parents =
            json!([{ "name": "gate", "namespace": "edge" }, { "kind": "ListenerSet", "name": "set" }]);
        let status = |parent: &Value| json!({ "parentRef": parent, "conditions": accepted });
        objects([
            (Kind::Namespace, json!({ "metadata": { "name": "web", "labels": { "team": "blue" } } })),
            (
                Kind::Gateway,
                json!({
                    "metadata": { "name": "gate", "namespace": "edge", "labels": { "tier": "public" } },
                    "spec": {
                        "gatewayClassName": "openmcp",
                        "listeners": [listener("all", "*.w1", 80), listener("other", "*.w2", 81)],
                        "allowedListeners": { "namespaces": { "from": "All" } },
                    },
                    "status": { "addresses": [{ "value": "10.0.0.1" }] },
                }),
            ),
            (
                Kind::ListenerSet,
                json!({
                    "metadata": { "name": "set", "namespace": "web" },
                    "spec": {
                        "parentRef": { "name": "gate", "namespace": "edge" },
                        "listeners": [listener("shop", "shop.w1", 8080)],
                    },
                    "status": {
                        "conditions": accepted,
                        "listeners": [{ "name": "shop", "conditions": accepted }],
                    },
                }),
            ),
            (
                Kind::HttpRoute,
                json!({
                    "metadata": { "name": "r", "namespace": "web", "annotations": {
                        "told": "30", "kept": "x", "long": "x".repeat(300),
                    } },
                    "spec": {
                        "hostnames": ["shop.w1", "x.w1"],
                        "parentRefs": parents,
                        "rules": [{ "backendRefs": [{ "name": "shop", "port": 80 }] }],
                    },
                    "status": { "parents": parents.as_array().unwrap().iter().map(status).collect::<Vec<_>>() },
                }),
            ),
            (
                Kind::Ingress,
                json!({
                    "metadata": { "name": "i", "namespace": "web" },
                    "spec": {
                        "defaultBackend": { "service": { "name": "rest" } },
                        "rules": [{ "host": "A.w1", "http": { "paths": [
                            { "backend": { "service": { "name": "a", "port": { "number": 1 } } } },
                        ] } }],
                    },
                }),
            ),
        ])
    }

    fn told(source: (Kind, &str), host_name: &str, wanted: &[Detail]) -> Details {
        let rules = SourceRules {
            module_annotations: ["told", "long", "absent"].map(str::to_owned).into(),
            ..SourceRules::default()
        };
        let objects = landscape();
        let source = SourceRef::new(source.0, "web", source.1);
        (*objects.details(&source, &rules, wanted).unwrap().of(host_name)).clone()
    }

    #[test]
    fn a_route_is_told_with_its_namespace_listeners_and_backends() {
        let details = told((Kind::HttpRoute, "r"), "shop.w1", &ALL);
        assert_eq!(details.namespace_labels.get("team"), Some("blue"));
        assert!(details.annotations.iter().eq([("told", "30")]));
        let listeners: Vec<_> =
            details.listeners.iter().map(|listener| (&*listener.name, listener.port)).collect();
        assert_eq!(listeners, [("all", 80), ("shop", 8080)]);
        for ServingListener { gateway, .. } in &details.listeners {
            assert_eq!((&*gateway.namespace, &*gateway.name, &*gateway.class), ("edge", "gate", "openmcp"));
            assert_eq!(gateway.labels.get("tier"), Some("public"));
        }
        assert_eq!(details.backends.len(), 1);
        assert_eq!((&*details.backends[0].name, details.backends[0].port), ("shop", Some(80)));
        let details = told((Kind::HttpRoute, "r"), "x.w1", &ALL);
        assert_eq!(details.listeners.len(), 1, "the other listener serves another name");
    }

    #[test]
    fn an_ingress_leads_to_what_serves_the_host_else_to_its_default() {
        for (host_name, backend) in [("a.w1", "a"), ("b.w1", "rest")] {
            let details = told((Kind::Ingress, "i"), host_name, &ALL);
            assert_eq!(details.backends.len(), 1);
            assert_eq!(details.backends[0].name, backend);
            assert_eq!(details.listeners, []);
        }
    }

    #[test]
    fn the_listeners_of_a_gateway_that_claims_their_names_are_told() {
        let objects = landscape();
        let source = SourceRef::new(Kind::Gateway, "edge", "gate");
        let rules = SourceRules::default();
        let details = objects.details(&source, &rules, &ALL).unwrap().of("a.w2");
        assert_eq!(details.listeners.len(), 1);
        assert_eq!(details.listeners[0].name, "other");
    }

    #[test]
    fn what_is_not_asked_for_is_empty() {
        assert_eq!(told((Kind::HttpRoute, "r"), "shop.w1", &[Detail::PublishedNames]), Details::default());
        for detail in ALL {
            let alone = told((Kind::HttpRoute, "r"), "shop.w1", &[detail]);
            assert_eq!(alone, told((Kind::HttpRoute, "r"), "shop.w1", &ALL).only(&[detail]));
            assert_ne!(alone, Details::default(), "{detail:?}");
        }
        assert!(
            landscape()
                .details(&SourceRef::new(Kind::HttpRoute, "web", "r"), &SourceRules::default(), &[])
                .is_none()
        );
    }
}
