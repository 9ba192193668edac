//! Which objects claim host names, and which of their host names count: what a landscape's operator sets.

use std::collections::BTreeSet;

use super::object::Watched;
use super::selector::LabelSelector;
use super::{Kind, Meta};

/// Which objects claim host names, and which of their host names count. Without anything set, all do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceRules {
    /// Objects of these kinds count for nothing, also as parents.
    pub ignored_kinds: BTreeSet<Kind>,
    /// Only objects in these namespaces claim; empty means in all.
    pub namespaces: BTreeSet<String>,
    /// Only objects with these labels claim.
    pub labels: LabelSelector,
    /// Only objects with these annotations claim; those with long values are not known, see [`Meta::annotations`].
    pub annotations: LabelSelector,
    /// Only these Gateways are pointed to.
    pub gateways: GatewayRules,
    /// Only Ingresses of these classes claim; empty means of all.
    pub ingress_classes: BTreeSet<String>,
    /// Host names from here do not count.
    pub ignored_host_names: BTreeSet<HostNamePlace>,
    /// The annotations of objects that modules may be told, by their keys.
    pub module_annotations: BTreeSet<String>,
    /// Host names of objects that name none.
    pub template: Option<Template>,
}

/// Which Gateways are pointed to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GatewayRules {
    /// In these namespaces; empty means in all.
    pub namespaces: BTreeSet<String>,
    /// With these names; empty means with any.
    pub names: BTreeSet<String>,
    /// With these labels.
    pub labels: LabelSelector,
}

/// Where objects have host names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HostNamePlace {
    /// In the annotation `hostname` of external-dns.
    Annotation,
    /// In `spec.rules` of an Ingress.
    IngressRules,
    /// In `spec.tls` of an Ingress.
    IngressTls,
}

/// Makes host names of an object's name and namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// With commas between several; `{name}` and `{namespace}` stand for those of the object.
    pub text: String,
    /// Whether objects with host names of their own have these as well.
    pub combine: bool,
}

impl SourceRules {
    /// Whether an object may claim host names at all.
    pub(super) fn select(&self, object: &Watched) -> bool {
        let Meta { namespace, labels, annotations, .. } = &object.meta;
        // A cluster-scoped object is in no namespace; only an agent's names are.
        let in_namespace = self.namespaces.is_empty()
            || !object.kind.is_namespaced()
            || self.namespaces.contains(&**namespace);
        !self.ignored_kinds.contains(&object.kind)
            && in_namespace
            && self.labels.matches(labels)
            && self.annotations.matches_by(|key| annotations.get(key))
            && !annotations.are_for_others()
    }

    /// Whether a Gateway or ListenerSet is pointed to.
    pub(super) fn select_parent(&self, parent: &Watched) -> bool {
        let GatewayRules { namespaces, names, labels } = &self.gateways;
        let meta = &parent.meta;
        let is_meant = parent.kind != Kind::Gateway
            || (namespaces.is_empty() || namespaces.contains(&*meta.namespace))
                && (names.is_empty() || names.contains(&*meta.name))
                && labels.matches(&meta.labels);
        is_meant && !self.ignored_kinds.contains(&parent.kind) && !meta.annotations.are_for_others()
    }

    pub(super) fn ignore(&self, place: HostNamePlace) -> bool {
        self.ignored_host_names.contains(&place)
    }

    /// The host names that the template makes for an object that names so many itself.
    pub(super) fn template_names(&self, meta: &Meta, own: usize) -> Vec<String> {
        let template = self.template.as_ref().filter(|template| own == 0 || template.combine);
        template.map(|template| template.of(meta)).unwrap_or_default()
    }
}

impl Template {
    fn of(&self, meta: &Meta) -> Vec<String> {
        let host_names = self.text.split(',').map(|part| {
            let host_name = part.trim().trim_end_matches('.');
            host_name.replace("{namespace}", &meta.namespace).replace("{name}", &meta.name)
        });
        host_names.filter(|host_name| !host_name.is_empty()).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::cluster::SourceRef;
    use crate::objects::{Change, Objects};
    use crate::resolve::UnresolvedReason;

    /// What is ignored is no parent either, also not above one that counts.
    #[test]
    fn an_ignored_gateway_is_not_pointed_to_by_a_listener_set_either() {
        let accepted = json!([{ "type": "Accepted", "status": "True" }]);
        let listener = json!({ "name": "http", "port": 80, "protocol": "HTTP" });
        let to_set = json!({ "kind": "ListenerSet", "name": "set" });
        let object = |kind, name: &str, spec: Value, status: Value| {
            let object =
                json!({ "metadata": { "name": name, "namespace": "n" }, "spec": spec, "status": status });
            Change::Set(Watched::from_json(kind, object).unwrap())
        };
        let mut objects = Objects::default();
        for change in [
            object(
                Kind::Gateway,
                "gateway",
                json!({ "allowedListeners": { "namespaces": { "from": "Same" } } }),
                json!({ "addresses": [{ "value": "10.0.0.1" }] }),
            ),
            object(
                Kind::ListenerSet,
                "set",
                json!({ "parentRef": { "name": "gateway" }, "listeners": [listener] }),
                json!({ "conditions": accepted, "listeners": [{ "name": "http", "conditions": accepted }] }),
            ),
            object(
                Kind::HttpRoute,
                "route",
                json!({ "hostnames": ["a.example"], "parentRefs": [to_set] }),
                json!({ "parents": [{ "parentRef": to_set, "conditions": accepted }] }),
            ),
        ] {
            objects.apply(change);
        }
        let resolve = |ignored: &[Kind]| {
            let rules =
                SourceRules { ignored_kinds: ignored.iter().copied().collect(), ..SourceRules::default() };
            objects.resolve(&SourceRef::new(Kind::HttpRoute, "n", "route"), &rules).unwrap()
        };
        assert_eq!(resolve(&[]).wanted[0].targets, ["10.0.0.1"]);
        for (ignored, what) in
            [(Kind::Gateway, "Gateway n/gateway"), (Kind::ListenerSet, "ListenerSet n/set")]
        {
            let resolution = resolve(&[ignored]);
            assert_eq!(resolution.wanted, []);
            assert_eq!(resolution.unresolved[0].reason, UnresolvedReason::NotSelected(what.to_owned()));
        }
    }

    #[test]
    fn a_template_makes_host_names_of_an_objects_name_and_namespace() {
        let meta = Meta { name: "shop".into(), namespace: "web".into(), ..Meta::default() };
        let text = "{name}.{namespace}.w1.example., ,{name}-x.w1.example".to_owned();
        let mut rules = SourceRules::default();
        assert!(rules.template_names(&meta, 0).is_empty());
        rules.template = Some(Template { text: text.clone(), combine: false });
        let made = ["shop.web.w1.example", "shop-x.w1.example"];
        assert_eq!(rules.template_names(&meta, 0), made);
        assert!(rules.template_names(&meta, 1).is_empty());
        rules.template = Some(Template { text, combine: true });
        assert_eq!(rules.template_names(&meta, 1), made);
    }
}
