//! Which clusters something holds for.

use std::collections::{BTreeMap, BTreeSet};

use kube::ResourceExt as _;
use openmcp_dns_core::cluster::ClusterId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cluster::{Cluster, cluster_id};
use super::purposes::{self, PurposeSelector};

/// Selects clusters in the shape that openMCP's other services use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClusterSelector {
    /// Exactly these clusters. When it is set, the other requirements are not looked at; an empty
    /// list selects nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub match_identities: Option<Vec<ClusterIdentity>>,

    /// Labels that the `Cluster` must have with these values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,

    /// Further requirements on the labels of the `Cluster`; all must hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub match_expressions: Vec<LabelExpression>,

    /// Requirements on `spec.purposes` of the `Cluster`; all must hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub match_purposes: Vec<PurposeRequirement>,

    /// A requirement on `spec.purposes` of the `Cluster` in the shape of openMCP's own DNS service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "purposes::schema")]
    pub purpose_selector: Option<PurposeSelector>,
}

/// Names one `Cluster`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClusterIdentity {
    /// Name of the `Cluster`.
    pub name: String,
    /// Namespace of the `Cluster`.
    pub namespace: String,
}

impl ClusterIdentity {
    /// Whether this cluster is meant.
    #[must_use]
    pub fn names(&self, cluster: &ClusterId) -> bool {
        self.name == cluster.name && self.namespace == cluster.namespace
    }
}

/// One requirement on labels.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LabelExpression {
    /// The label's key.
    pub key: String,
    /// How the label relates to the values.
    pub operator: LabelOperator,
    /// With `In` and `NotIn`: the values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

/// How a label relates to values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum LabelOperator {
    /// It has one of the values.
    In,
    /// It has none of the values, or does not exist.
    NotIn,
    /// It exists.
    Exists,
    /// It does not exist.
    DoesNotExist,
}

/// One requirement on purposes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PurposeRequirement {
    /// How the purposes relate to the values.
    pub operator: PurposeOperator,
    /// The values.
    #[serde(default)]
    pub values: Vec<String>,
}

/// How a cluster's purposes relate to values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum PurposeOperator {
    /// Every value is among the purposes.
    ContainsAll,
    /// At least one value is among the purposes.
    ContainsAny,
    /// No value is among the purposes.
    ContainsNone,
    /// The purposes are exactly the values, in any order.
    Equals,
}

impl ClusterSelector {
    /// Whether it selects a cluster. The identities override the rest, as in openMCP's operator
    /// (`api/clusters/v1alpha1/selectors.go`).
    #[must_use]
    pub fn selects(&self, cluster: &Cluster) -> bool {
        let Self { match_identities, match_labels, match_expressions, match_purposes, purpose_selector } =
            self;
        if let Some(identities) = match_identities {
            let id = cluster_id(cluster);
            return identities.iter().any(|identity| identity.names(&id));
        }
        let labels = cluster.labels();
        match_labels.iter().all(|(key, value)| labels.get(key) == Some(value))
            && match_expressions.iter().all(|expression| label_fits(expression, labels))
            && match_purposes.iter().all(|requirement| purposes_fit(requirement, &cluster.spec.purposes))
            && purpose_selector.as_ref().is_none_or(|selector| selector.selects(&cluster.spec.purposes))
    }
}

fn label_fits(expression: &LabelExpression, labels: &BTreeMap<String, String>) -> bool {
    let LabelExpression { key, operator, values } = expression;
    let value = labels.get(key);
    match operator {
        LabelOperator::In => value.is_some_and(|value| values.contains(value)),
        LabelOperator::NotIn => value.is_none_or(|value| !values.contains(value)),
        LabelOperator::Exists => value.is_some(),
        LabelOperator::DoesNotExist => value.is_none(),
    }
}

fn purposes_fit(requirement: &PurposeRequirement, purposes: &[String]) -> bool {
    let PurposeRequirement { operator, values } = requirement;
    let has = |value: &String| purposes.contains(value);
    match operator {
        PurposeOperator::ContainsAll => values.iter().all(has),
        PurposeOperator::ContainsAny => values.iter().any(has),
        PurposeOperator::ContainsNone => !values.iter().any(has),
        PurposeOperator::Equals => {
            values.iter().collect::<BTreeSet<_>>() == purposes.iter().collect::<BTreeSet<_>>()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workload() -> Cluster {
        let mut cluster = Cluster::default();
        cluster.metadata.name = Some("workload01".to_owned());
        cluster.metadata.namespace = Some("openmcp-system".to_owned());
        cluster.metadata.labels = Some([("tier".to_owned(), "gold".to_owned())].into());
        cluster.spec.purposes = vec!["workload".to_owned()];
        cluster
    }

    fn selector(json: serde_json::Value) -> ClusterSelector {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_selector_selects_as_the_operator_does() {
        let workload = workload();
        for (json, expected) in [
            (serde_json::json!({}), true),
            (serde_json::json!({ "matchIdentities": [] }), false),
            (
                serde_json::json!({ "matchIdentities": [{ "name": "workload01", "namespace": "openmcp-system" }] }),
                true,
            ),
            (
                serde_json::json!({
                    "matchIdentities": [{ "name": "workload01", "namespace": "openmcp-system" }],
                    "matchLabels": { "tier": "silver" }
                }),
                true,
            ),
            (
                serde_json::json!({ "matchIdentities": [{ "name": "workload01", "namespace": "other" }] }),
                false,
            ),
            (serde_json::json!({ "matchLabels": { "tier": "gold" } }), true),
            (serde_json::json!({ "matchLabels": { "tier": "silver" } }), false),
            (
                serde_json::json!({ "matchExpressions": [{ "key": "tier", "operator": "NotIn", "values": ["gold"] }] }),
                false,
            ),
            (serde_json::json!({ "matchExpressions": [{ "key": "x", "operator": "DoesNotExist" }] }), true),
            (
                serde_json::json!({ "matchPurposes": [{ "operator": "ContainsAny", "values": ["mcp", "workload"] }] }),
                true,
            ),
            (
                serde_json::json!({ "matchPurposes": [{ "operator": "ContainsAll", "values": ["mcp", "workload"] }] }),
                false,
            ),
            (
                serde_json::json!({ "matchPurposes": [{ "operator": "ContainsNone", "values": ["workload"] }] }),
                false,
            ),
            (
                serde_json::json!({ "matchPurposes": [{ "operator": "Equals", "values": ["workload"] }] }),
                true,
            ),
        ] {
            assert_eq!(selector(json.clone()).selects(&workload), expected, "{json}");
        }
    }
}
