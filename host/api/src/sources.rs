//! Which objects of the clusters claim host names.

use std::collections::BTreeMap;

use openmcp_dns_core::kinds::{
    GatewayRules, HostNamePlace, Kind, LabelRequirement, LabelSelector, SourceRules, Template,
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::selector::{LabelExpression, LabelOperator};

/// Which objects of the clusters claim host names, and which of their host names count. Without anything set, all do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Sources {
    /// Objects of these kinds count for nothing, also as parents of others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "kinds")]
    pub ignored_kinds: Vec<String>,
    /// Only objects in these namespaces claim host names; in all when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub namespaces: Vec<String>,
    /// Only objects with these labels claim host names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<ObjectSelector>,
    /// Only objects with these annotations claim host names. Annotations with values of more than 256 bytes
    /// are not looked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotation_selector: Option<ObjectSelector>,
    /// Only these Gateways are pointed to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateways: Option<GatewaySelector>,
    /// Only Ingresses of these classes claim host names; of all when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub ingress_classes: Vec<String>,
    /// Host names that stand here do not count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 3))]
    pub ignored_host_names: Vec<HostNamesIn>,
    /// Annotations of objects that the policy module is told, by their keys, if it asks for annotations (contract
    /// 0.2.0). Those with values of more than 256 bytes it is not told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 317)))]
    pub module_annotations: Vec<String>,
    /// Host names for routes and Ingresses that have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_name_template: Option<HostNameTemplate>,
}

/// Selects objects by labels or annotations; all requirements must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ObjectSelector {
    /// They must have these values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,
    /// Further requirements.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub match_expressions: Vec<LabelExpression>,
}

/// Selects Gateways; all requirements must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GatewaySelector {
    /// Those in these namespaces; in all when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub namespaces: Vec<String>,
    /// Those with these names; with any when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub names: Vec<String>,
    /// Those with these labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<ObjectSelector>,
}

/// Where objects have host names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum HostNamesIn {
    /// In the annotation `external-dns.kubernetes.io/hostname`, and in its older form.
    Annotation,
    /// In `spec.rules` of an Ingress.
    IngressRules,
    /// In `spec.tls` of an Ingress.
    IngressTLS,
}

/// Makes host names of what an object is called.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HostNameTemplate {
    /// Host names with commas between them. `{name}` and `{namespace}` stand for those of the object.
    #[schemars(length(min = 1, max = 1000))]
    pub text: String,
    /// Whether objects that have host names have these as well.
    #[serde(default)]
    pub combine: bool,
}

impl Sources {
    /// The same for the core.
    #[must_use]
    pub fn rules(&self) -> SourceRules {
        let Self {
            ignored_kinds,
            namespaces,
            selector,
            annotation_selector,
            gateways,
            ingress_classes,
            ignored_host_names,
            module_annotations,
            host_name_template,
        } = self.clone();
        let gateways = gateways.map(|GatewaySelector { namespaces, names, selector }| GatewayRules {
            namespaces: namespaces.into_iter().collect(),
            names: names.into_iter().collect(),
            labels: label_selector(selector),
        });
        SourceRules {
            // The schema lets in no kind that is not known; one of a later version of the service has no objects here.
            ignored_kinds: ignored_kinds.iter().filter_map(|kind| Kind::parse(kind)).collect(),
            namespaces: namespaces.into_iter().collect(),
            labels: label_selector(selector),
            annotations: label_selector(annotation_selector),
            gateways: gateways.unwrap_or_default(),
            ingress_classes: ingress_classes.into_iter().collect(),
            ignored_host_names: ignored_host_names.into_iter().map(HostNamePlace::from).collect(),
            module_annotations: module_annotations.into_iter().collect(),
            template: host_name_template.map(|HostNameTemplate { text, combine }| Template { text, combine }),
        }
    }
}

fn label_selector(selector: Option<ObjectSelector>) -> LabelSelector {
    let ObjectSelector { match_labels, match_expressions } = selector.unwrap_or_default();
    let requirement = |LabelExpression { key, operator, values }| LabelRequirement {
        key,
        operator: match operator {
            LabelOperator::In => "In",
            LabelOperator::NotIn => "NotIn",
            LabelOperator::Exists => "Exists",
            LabelOperator::DoesNotExist => "DoesNotExist",
        }
        .to_owned(),
        values,
    };
    LabelSelector {
        match_labels,
        match_expressions: match_expressions.into_iter().map(requirement).collect(),
    }
}

impl From<HostNamesIn> for HostNamePlace {
    fn from(place: HostNamesIn) -> Self {
        match place {
            HostNamesIn::Annotation => Self::Annotation,
            HostNamesIn::IngressRules => Self::IngressRules,
            HostNamesIn::IngressTLS => Self::IngressTls,
        }
    }
}

fn kinds(_: &mut SchemaGenerator) -> Schema {
    let kinds: Vec<&str> = Kind::sources().filter(|kind| kind.is_watched()).map(Kind::as_str).collect();
    json_schema!({ "type": "array", "maxItems": 32, "items": { "type": "string", "enum": kinds } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_operator_writes_is_what_the_core_goes_by() {
        let sources: Sources = serde_json::from_value(serde_json::json!({
            "ignoredKinds": ["Ingress"],
            "selector": { "matchExpressions": [{ "key": "a", "operator": "NotIn", "values": ["b"] }] },
            "gateways": { "names": ["public"], "selector": { "matchLabels": { "tier": "edge" } } },
            "ignoredHostNames": ["IngressTLS"],
            "hostNameTemplate": { "text": "{name}.example" },
        }))
        .unwrap();
        let rules = sources.rules();
        assert_eq!(rules.ignored_kinds, [Kind::Ingress].into());
        assert_eq!(rules.labels.match_expressions[0].operator, "NotIn");
        assert_eq!(rules.gateways.labels.match_labels["tier"], "edge");
        assert_eq!(rules.ignored_host_names, [HostNamePlace::IngressTls].into());
        assert!(!rules.template.unwrap().combine);
        assert_eq!(Sources::default().rules(), SourceRules::default());
    }
}
