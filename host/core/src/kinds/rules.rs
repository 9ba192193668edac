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

    /// Whether a Gateway is pointed to.
    pub(super) fn select_gateway(&self, meta: &Meta) -> bool {
        let GatewayRules { namespaces, names, labels } = &self.gateways;
        (namespaces.is_empty() || namespaces.contains(&*meta.namespace))
            && (names.is_empty() || names.contains(&*meta.name))
            && labels.matches(&meta.labels)
            && !meta.annotations.are_for_others()
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
    use super::*;

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
