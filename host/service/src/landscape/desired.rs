//! What should be for one cluster, from what is known of the landscape.

use std::collections::BTreeMap;
use std::sync::Arc;

use kube::ResourceExt as _;
use openmcp_dns_core::cluster::ClusterId;

use super::select;
use crate::clusters::{Desired, Governed, is_held};
use crate::inventory::Access;
use crate::policies::{PolicyLifeCycle, PolicyModule};
use openmcp_dns_api::{Cluster, cluster_id};

/// What should be for a cluster: under which policy it stands, and how to get into it. `present` says
/// whether the `Cluster` still exists.
pub(super) fn desired<M: PolicyModule>(
    cluster: Arc<Cluster>,
    present: bool,
    policies: &BTreeMap<String, PolicyLifeCycle<M>>,
    access: &BTreeMap<ClusterId, Access>,
) -> Desired {
    let id = cluster_id(&*cluster);
    let policy = select::policy_for(&cluster, policies.values().map(|policy| &**policy.policy()));
    let policy = policy.and_then(|policy| policies.get(&policy.name_any()));
    let governed = match policy.map(|policy| (policy.active(), policy)) {
        None => Governed::No,
        Some((_, policy)) if policy.ignored_by().is_some() => Governed::NotYet(format!(
            "the DNSPolicy {} is left alone, as its annotation {} asks: all stays as it is",
            policy.policy().name_any(),
            policy.ignored_by().unwrap_or_default()
        )),
        Some((Some(active), _)) => Governed::By(Box::new(active.for_cluster(&id, &cluster))),
        Some((None, policy)) => Governed::NotYet(policy.ready().message),
    };
    Desired { governed, access: access.get(&id).cloned(), gateway: None, cluster, present }
}

/// Whether a cluster that has no controller needs one: to work for it, or to undo what was done for it.
pub(super) fn needs_controller(desired: &Desired) -> bool {
    let Desired { cluster, governed, present: _, access: _, gateway: _ } = desired;
    let leaves = cluster.metadata.deletion_timestamp.is_some();
    is_held(cluster) || !leaves && !matches!(governed, Governed::No)
}

#[cfg(test)]
mod tests {
    use openmcp_dns_api::FINALIZER;
    use serde_json::{Value, json};

    use super::*;
    use crate::policies::test_support::{Mock, life_cycle};

    fn cluster(metadata: Value) -> Arc<Cluster> {
        let mut cluster = json!({
            "apiVersion": "clusters.openmcp.cloud/v1alpha1", "kind": "Cluster",
            "metadata": { "name": "w1", "namespace": "s" },
            "spec": { "purposes": ["workload"] },
        });
        for (key, value) in metadata.as_object().unwrap() {
            cluster["metadata"][key] = value.clone();
        }
        Arc::new(serde_json::from_value(cluster).unwrap())
    }

    /// Policies of all clusters, each with the second of its creation and whether its module is admitted.
    fn policies(all: &[(&str, i64, bool)]) -> BTreeMap<String, PolicyLifeCycle<Mock>> {
        let one = |&(name, second, is_active): &(&str, i64, bool)| {
            (name.to_owned(), life_cycle(name, second, json!({ "baseDomain": "openmcp.cluster" }), is_active))
        };
        all.iter().map(one).collect()
    }

    fn name_of(governed: &Governed) -> &str {
        match governed {
            Governed::No => "none",
            Governed::NotYet(_) => "not yet",
            Governed::By(policy) => &policy.policy_name,
        }
    }

    #[test]
    fn a_cluster_stands_under_the_oldest_policy_even_while_its_module_is_not_there() {
        for (all, expected) in [
            (&[][..], "none"),
            (&[("new", 9, true), ("old", 5, true)], "old"),
            (&[("b", 5, true), ("a", 5, true)], "a"),
            (&[("new", 9, true), ("old", 5, false)], "not yet"),
        ] {
            let desired = desired(cluster(json!({})), true, &policies(all), &BTreeMap::new());
            assert_eq!(name_of(&desired.governed), expected, "{all:?}");
        }
    }

    #[test]
    fn a_cluster_is_told_why_its_policy_does_not_decide_yet() {
        let desired = desired(cluster(json!({})), true, &policies(&[("p", 1, false)]), &BTreeMap::new());
        let Governed::NotYet(why) = desired.governed else { panic!("{}", name_of(&desired.governed)) };
        assert_eq!(why, "the policy module is being loaded");
    }

    #[test]
    fn a_cluster_gets_its_own_access_only() {
        let access = Access::by_kubeconfig("Secret s/w1", Ok(String::new()));
        for (holder, expected) in [("w1", Some(&access)), ("w2", None)] {
            let known = [(ClusterId::new("s", holder), access.clone())].into();
            let desired = desired(cluster(json!({})), true, &policies(&[]), &known);
            assert_eq!(desired.access.as_ref(), expected, "{holder}");
        }
    }

    #[test]
    fn a_controller_is_needed_by_a_cluster_with_a_policy_and_by_one_that_we_hold() {
        let held = json!({ "finalizers": [FINALIZER] });
        let leaves = json!({ "deletionTimestamp": "2026-01-01T00:00:00Z" });
        let both = json!({ "finalizers": [FINALIZER], "deletionTimestamp": "2026-01-01T00:00:00Z" });
        let (none, one) = (policies(&[]), policies(&[("p", 1, false)]));
        for (metadata, policies, expected) in [
            (json!({}), &none, false),
            (json!({}), &one, true),
            (leaves.clone(), &one, false),
            (held, &none, true),
            (both, &none, true),
        ] {
            let desired = desired(cluster(metadata.clone()), true, policies, &BTreeMap::new());
            assert_eq!(needs_controller(&desired), expected, "{metadata}");
        }
    }
}
