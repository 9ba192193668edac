//! Which policy holds for which cluster?

use super::zones::Zones;
use openmcp_dns_api::{Cluster, DNSPolicy};

/// The policy that a cluster belongs to: the oldest of those in force that select it, and of two of the same
/// age the first by name.
pub fn policy_for<'p>(
    cluster: &Cluster,
    policies: impl IntoIterator<Item = &'p DNSPolicy>,
) -> Option<&'p DNSPolicy> {
    Zones::of(policies)
        .in_force
        .into_iter()
        .find(|policy| policy.spec.cluster_selector.as_ref().is_none_or(|selector| selector.selects(cluster)))
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use k8s_openapi::jiff::Timestamp;
    use kube::ResourceExt as _;

    use super::*;

    fn cluster(name: &str, purposes: &[&str]) -> Cluster {
        let mut cluster = Cluster::default();
        cluster.metadata.name = Some(name.to_owned());
        cluster.metadata.namespace = Some("openmcp-system".to_owned());
        cluster.metadata.labels = Some([("tier".to_owned(), "gold".to_owned())].into());
        cluster.spec.purposes = purposes.iter().map(ToString::to_string).collect();
        cluster
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
