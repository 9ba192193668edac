//! Which policy holds for which cluster?

use std::collections::{BTreeMap, BTreeSet};

use kube::ResourceExt as _;
use openmcp_dns_core::cluster::ClusterId;

use super::zones::Zones;
use openmcp_dns_api::dns_policy::{
    ClusterSelector, LabelExpression, LabelOperator, PurposeOperator, PurposeRequirement,
};
use openmcp_dns_api::{Cluster, DNSPolicy};

/// The policy that a cluster belongs to: the oldest of those in force that select it, and of two of the same
/// age the first by name.
pub fn policy_for<'p>(
    cluster: &Cluster,
    policies: impl IntoIterator<Item = &'p DNSPolicy>,
) -> Option<&'p DNSPolicy> {
    Zones::of(policies).in_force.into_iter().find(|policy| {
        policy.spec.cluster_selector.as_ref().is_none_or(|selector| selects(selector, cluster))
    })
}

/// Whether a selector selects a cluster. The identities override the rest, as in openMCP's operator
/// (`api/clusters/v1alpha1/selectors.go`).
pub fn selects(selector: &ClusterSelector, cluster: &Cluster) -> bool {
    let ClusterSelector { match_identities, match_labels, match_expressions, match_purposes } = selector;
    if let Some(identities) = match_identities {
        let id = id(cluster);
        return identities.iter().any(|identity| identity.names(&id));
    }
    let labels = cluster.labels();
    match_labels.iter().all(|(key, value)| labels.get(key) == Some(value))
        && match_expressions.iter().all(|expression| label_fits(expression, labels))
        && match_purposes.iter().all(|requirement| purposes_fit(requirement, &cluster.spec.purposes))
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

/// Namespace and name of a `Cluster`.
pub fn id(cluster: &Cluster) -> ClusterId {
    ClusterId::new(cluster.namespace().unwrap_or_default(), cluster.name_any())
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use k8s_openapi::jiff::Timestamp;

    use super::*;

    fn cluster(name: &str, purposes: &[&str]) -> Cluster {
        let mut cluster = Cluster::default();
        cluster.metadata.name = Some(name.to_owned());
        cluster.metadata.namespace = Some("openmcp-system".to_owned());
        cluster.metadata.labels = Some([("tier".to_owned(), "gold".to_owned())].into());
        cluster.spec.purposes = purposes.iter().map(ToString::to_string).collect();
        cluster
    }

    fn selector(json: serde_json::Value) -> ClusterSelector {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_selector_selects_as_the_operator_does() {
        let workload = cluster("workload01", &["workload"]);
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
            assert_eq!(selects(&selector(json.clone()), &workload), expected, "{json}");
        }
    }

    #[test]
    fn a_cluster_belongs_to_the_oldest_policy_that_selects_it() {
        let policy = |name: &str, second: i64, purpose: &str| {
            let mut policy = DNSPolicy::new(
                name,
                serde_json::from_value(serde_json::json!({
                    "baseDomain": "openmcp.cluster",
                    "clusterSelector": { "matchPurposes": [{ "operator": "ContainsAny", "values": [purpose] }] }
                }))
                .unwrap(),
            );
            policy.metadata.creation_timestamp = Some(Time(Timestamp::from_second(second).unwrap()));
            policy
        };
        let policies =
            [policy("new", 9, "workload"), policy("old", 5, "workload"), policy("older", 1, "mcp")];
        let workload = cluster("workload01", &["workload"]);
        assert_eq!(policy_for(&workload, &policies).unwrap().name_any(), "old");
        assert!(policy_for(&cluster("other", &["onboarding"]), &policies).is_none());
    }
}
