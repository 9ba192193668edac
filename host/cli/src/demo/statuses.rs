//! Statuses: what the service says of its policies and clusters, as it stands in the platform's API server.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{Resource, ResourceExt as _};
use openmcp_dns_api::dns_policy::ModuleStatus;
use openmcp_dns_api::{Cluster, ClusterDNS, ClusterDNSStatus, DNSPolicy, cluster_id};
use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_kube_memory::Server;
use openmcp_dns_service::landscape::policy_for;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::overview::{ConditionOverview, EventOverview, ModuleOverview};

/// Reason of a condition while the service is at work.
const IN_PROGRESS: &str = "InProgress";

/// What the service says.
#[derive(Clone, Debug, Default)]
pub(super) struct Statuses {
    /// The policies, by name.
    pub(super) policies: BTreeMap<String, DNSPolicy>,
    /// What was done for each cluster.
    pub(super) clusters: BTreeMap<ClusterId, ClusterDNSStatus>,
}

impl Statuses {
    /// Looks at the API server.
    pub(super) fn read(platform: &Server) -> Self {
        let policies = list::<DNSPolicy>(platform).map(|policy| (policy.name_any(), policy));
        let clusters =
            list::<ClusterDNS>(platform).filter_map(|cluster| Some((cluster_id(&cluster), cluster.status?)));
        Self { policies: policies.collect(), clusters: clusters.collect() }
    }

    /// Whether of every policy it is known whether its module decides, be it that it does not.
    pub(super) fn modules_are_loaded(&self) -> bool {
        !self.policies.is_empty() && self.policies.values().all(is_known)
    }

    /// Whether all that the policies ask for has been done for these clusters.
    pub(super) fn is_settled<'c>(
        &self,
        clusters: impl Iterator<Item = (&'c ClusterId, &'c Cluster)>,
    ) -> bool {
        let candidates =
            self.policies.values().filter_map(|policy| policy.status.as_ref()?.candidate.as_ref());
        let selected = clusters.filter(|(_, cluster)| {
            policy_for(cluster, self.policies.values()).is_some_and(|policy| is_true(policy, "Ready"))
        });
        self.modules_are_loaded()
            && candidates.into_iter().all(|candidate| candidate.complete)
            && selected.into_iter().all(|(id, _)| {
                self.clusters.get(id).is_some_and(|status| {
                    !status.conditions.is_empty()
                        && status.conditions.iter().all(|condition| condition.reason != IN_PROGRESS)
                })
            })
    }

    /// After how many seconds without a change a deletion of the cluster goes on.
    pub(super) fn hold_seconds(&self, cluster: &ClusterDNSStatus) -> u32 {
        let policy = self.policies.get(&cluster.policy);
        policy.map(|policy| policy.spec.deletion_guard.hold_seconds).unwrap_or_default()
    }
}

/// The conditions of a policy that speak of what its spec says now.
pub(super) fn conditions_of(policy: &DNSPolicy) -> &[Condition] {
    let status = policy.status.as_ref();
    let status = status.filter(|status| Some(status.observed_generation) == policy.metadata.generation);
    status.map(|status| status.conditions.as_slice()).unwrap_or_default()
}

/// Whether the service has come to an end with what the policy says now.
pub(super) fn is_known(policy: &DNSPolicy) -> bool {
    let conditions = conditions_of(policy);
    !conditions.is_empty() && conditions.iter().all(|condition| condition.reason != IN_PROGRESS)
}

/// Whether a condition of a policy is true.
pub(super) fn is_true(policy: &DNSPolicy, condition_type: &str) -> bool {
    let condition = conditions_of(policy).iter().find(|condition| condition.type_ == condition_type);
    condition.is_some_and(|condition| condition.status == "True")
}

/// The conditions that are not true.
pub(super) fn not_true<'c>(conditions: impl IntoIterator<Item = &'c Condition>) -> Vec<ConditionOverview> {
    conditions.into_iter().filter(|condition| condition.status != "True").map(condition).collect()
}

/// A condition, without its times.
pub(super) fn condition(condition: &Condition) -> ConditionOverview {
    ConditionOverview {
        condition_type: condition.type_.clone(),
        status: condition.status.clone(),
        reason: condition.reason.clone(),
        message: condition.message.clone(),
    }
}

/// The module that decides under a policy.
pub(super) fn module(policy: &DNSPolicy) -> Option<ModuleOverview> {
    let ModuleStatus { active_digest, description, .. } = &policy.status.as_ref()?.module;
    let (sha256, description) = (active_digest.clone(), description.clone());
    (!sha256.is_empty()).then_some(ModuleOverview { description, sha256 })
}

/// The Events in a cluster, each once.
pub(super) fn events(server: &Server) -> Vec<EventOverview> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let event = |event: &Value| {
        let [kind, namespace, name] =
            ["kind", "namespace", "name"].map(|field| text(&event["regarding"][field]));
        let object = format!("{kind}/{namespace}/{name}");
        EventOverview { object, reason: text(&event["reason"]), note: text(&event["note"]) }
    };
    let mut events: Vec<EventOverview> = server.list("events.k8s.io/v1", "Event").iter().map(event).collect();
    events.sort();
    events.dedup();
    events
}

/// All objects of a kind of ours; the service has written them, so they can be read.
fn list<K: Resource<DynamicType = ()> + DeserializeOwned>(server: &Server) -> impl Iterator<Item = K> {
    let all = server.list(&K::api_version(&()), &K::kind(&()));
    all.into_iter().filter_map(|object| serde_json::from_value(object).ok())
}
