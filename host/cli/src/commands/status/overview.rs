//! What is said of a landscape, of the objects on its platform cluster.

use std::collections::BTreeMap;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use k8s_openapi::jiff::Timestamp;
use kube::{Resource as _, ResourceExt as _};
use openmcp_dns_api::{
    Cluster, ClusterDNS, ClusterDNSStatus, DNSPolicy, cluster_id, ignored_by, without_ready,
};
use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_service::landscape::policy_for;
use schemars::JsonSchema;
use serde::Serialize;

use super::super::confirm::confirm_command;
use super::read::Objects;

/// After how many seconds without a sign of a leader there is none; clocks may differ a little.
const LEADER_IS_GONE: i64 = 30;

/// A landscape at one moment.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct Overview {
    /// Whether there is no finding.
    pub(super) is_well: bool,
    /// The instance that leads; missing where the instances do not elect one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) leader: Option<String>,
    /// Addresses of the central DNS.
    pub(super) central_dns_addresses: Vec<String>,
    /// The DNSPolicies.
    pub(super) policies: Vec<PolicyOverview>,
    /// The Clusters that stand under one.
    pub(super) clusters: Vec<ClusterOverview>,
    /// How many Clusters stand under no DNSPolicy: nothing is done for them.
    pub(super) clusters_without_policy: usize,
    /// What is not well, or not yet.
    pub(super) findings: Vec<Finding>,
}

/// A DNSPolicy.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PolicyOverview {
    /// Its name.
    pub(super) name: String,
    /// Its zone.
    pub(super) base_domain: String,
    /// `Enforce`, `Monitor` or `Rollback`.
    pub(super) mode: String,
    /// Name and version of the module that decides; empty while there is none.
    pub(super) module: String,
    /// How many Clusters stand under it.
    pub(super) clusters: i64,
    /// How many host names of their objects are published.
    pub(super) published: i64,
    /// How many are refused.
    pub(super) denied: i64,
}

/// A Cluster under a policy.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ClusterOverview {
    /// NAMESPACE/NAME.
    pub(super) cluster: String,
    /// Empty while it has none.
    pub(super) domain: String,
    /// How many host names of its objects are published.
    pub(super) published: i64,
    /// How many are refused.
    pub(super) denied: i64,
    /// The statuses of the conditions by their types: `True`, `False` or `Unknown`.
    pub(super) conditions: BTreeMap<String, String>,
}

/// Something that is not well, or not yet.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Finding {
    /// For example `ClusterDNS/openmcp-system/workload01`.
    pub(super) object: String,
    /// The condition's type, or what takes its place.
    #[serde(rename = "type")]
    pub(super) finding_type: String,
    /// `False` or `Unknown`.
    pub(super) status: String,
    /// For machines.
    pub(super) reason: String,
    /// For people: what is the matter and what to do next.
    pub(super) message: String,
    /// For how many seconds; missing where that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) for_seconds: Option<i64>,
}

impl Overview {
    pub(super) fn of(objects: &Objects) -> Self {
        Self::at(objects, Timestamp::now())
    }

    fn at(objects: &Objects, now: Timestamp) -> Self {
        let Objects { clusters, cluster_dns, policies, configs, lease } = objects;
        let known: BTreeMap<ClusterId, &ClusterDNS> =
            cluster_dns.iter().map(|cluster| (cluster_id(cluster), cluster)).collect();
        let (governed, others): (Vec<&Cluster>, Vec<&Cluster>) =
            clusters.iter().partition(|cluster| policy_for(cluster, policies).is_some());
        let mut findings = Vec::new();
        let leader = leader(lease.as_ref(), now, &mut findings);
        if policies.is_empty() {
            findings.push(Finding::new(
                "DNSPolicy",
                "Exists",
                "NoPolicy",
                "there is none, so no cluster has a domain: apply one (README.md has an example)",
            ));
        }
        for config in configs {
            if is_ignored(&object(config), config, &mut findings) {
                continue;
            }
            let conditions = config.status.as_ref().map(|status| status.conditions.as_slice());
            of_conditions(&object(config), without_ready(conditions.unwrap_or_default()), now, &mut findings);
        }
        for policy in policies {
            of_policy(policy, now, &mut findings);
        }
        let mut rows = Vec::new();
        for cluster in governed {
            let id = cluster_id(cluster);
            let status = known.get(&id).and_then(|known| known.status.as_ref());
            of_cluster(&id, cluster, status, now, &mut findings);
            let nothing = ClusterDNSStatus::default();
            let ClusterDNSStatus { domain, published, denied, conditions, .. } = status.unwrap_or(&nothing);
            let conditions =
                conditions.iter().map(|condition| (condition.type_.clone(), condition.status.clone()));
            rows.push(ClusterOverview {
                cluster: id.to_string(),
                domain: domain.clone(),
                published: *published,
                denied: *denied,
                conditions: conditions.collect(),
            });
        }
        rows.sort_by(|a, b| a.cluster.cmp(&b.cluster));
        let addresses = configs.iter().filter_map(|config| config.status.as_ref());
        Self {
            is_well: findings.is_empty(),
            leader,
            central_dns_addresses: addresses.flat_map(|status| status.addresses.iter().cloned()).collect(),
            policies: policies.iter().map(PolicyOverview::of).collect(),
            clusters: rows,
            clusters_without_policy: others.len(),
            findings,
        }
    }
}

impl PolicyOverview {
    fn of(policy: &DNSPolicy) -> Self {
        let status = policy.status.clone().unwrap_or_default();
        Self {
            name: policy.name_any(),
            base_domain: policy.spec.base_domain.clone(),
            mode: format!("{:?}", policy.spec.mode),
            module: status.module.description,
            clusters: status.clusters,
            published: status.published,
            denied: status.denied,
        }
    }
}

impl Finding {
    fn new(object: &str, finding_type: &str, reason: &str, message: impl Into<String>) -> Self {
        Self {
            object: object.to_owned(),
            finding_type: finding_type.to_owned(),
            status: "False".to_owned(),
            reason: reason.to_owned(),
            message: message.into(),
            for_seconds: None,
        }
    }
}

/// Who leads, by the Lease.
fn leader(lease: Option<&Lease>, now: Timestamp, findings: &mut Vec<Finding>) -> Option<String> {
    let spec = lease?.spec.as_ref()?;
    let holder = spec.holder_identity.clone().filter(|holder| !holder.is_empty());
    let renewed = spec.renew_time.as_ref().map(|time| time.0);
    let silent = renewed.map(|renewed| now.as_second() - renewed.as_second());
    let duration = i64::from(spec.lease_duration_seconds.unwrap_or_default());
    let is_gone = holder.is_none() || silent.is_none_or(|silent| silent > duration + LEADER_IS_GONE);
    if is_gone {
        let message = match &holder {
            Some(holder) => format!("{holder} has led, and says nothing any more"),
            None => "no instance leads".to_owned(),
        };
        let message = format!(
            "{message}: what stands below may be outdated. See that the pods of the service run, and what they log"
        );
        let finding = Finding::new("Lease", "Leader", "NobodyLeads", message);
        findings.push(Finding { for_seconds: silent, ..finding });
        return None;
    }
    holder
}

fn of_policy(policy: &DNSPolicy, now: Timestamp, findings: &mut Vec<Finding>) {
    let name = object(policy);
    if is_ignored(&name, policy, findings) {
        return;
    }
    match policy.status.as_ref() {
        Some(status) if Some(status.observed_generation) == policy.metadata.generation => {
            of_conditions(&name, &status.conditions, now, findings);
        }
        Some(_) | None => findings.push(not_looked_at(&name)),
    }
}

fn of_cluster(
    id: &ClusterId,
    cluster: &Cluster,
    status: Option<&ClusterDNSStatus>,
    now: Timestamp,
    findings: &mut Vec<Finding>,
) {
    if is_ignored(&format!("Cluster/{id}"), cluster, findings) {
        return;
    }
    let name = format!("ClusterDNS/{id}");
    let Some(status) = status.filter(|status| !status.conditions.is_empty()) else {
        return findings.push(not_looked_at(&name));
    };
    of_conditions(&name, without_ready(&status.conditions), now, findings);
    if let Some(held) = &status.held_deletion {
        let message = format!(
            "the deletion of {} names is held. If it is meant, let it go on now: {}",
            held.names,
            confirm_command(id, &held.token)
        );
        findings.push(Finding::new(&name, "Deletion", "DeletionHeld", message));
    }
    let is_outdated =
        cluster.metadata.generation.is_some_and(|generation| status.observed_generation < generation);
    if is_outdated && cluster.meta().deletion_timestamp.is_none() {
        findings.push(not_looked_at(&format!("Cluster/{id}")));
    }
}

/// Whether somebody wants an object left alone, which is told.
fn is_ignored(name: &str, object: &impl kube::ResourceExt, findings: &mut Vec<Finding>) -> bool {
    let Some(annotation) = ignored_by(object) else { return false };
    let message =
        format!("it is left alone, as its annotation {annotation} asks: remove that when you are done");
    findings.push(Finding::new(name, "Operation", "Ignored", message));
    true
}

fn not_looked_at(object: &str) -> Finding {
    let message =
        "the service has not looked at it as it is now: if that stays so, see that the service runs";
    Finding { status: "Unknown".to_owned(), ..Finding::new(object, "Observed", "InProgress", message) }
}

fn of_conditions<'c>(
    object: &str,
    conditions: impl IntoIterator<Item = &'c Condition>,
    now: Timestamp,
    findings: &mut Vec<Finding>,
) {
    let not_well = conditions.into_iter().filter(|condition| condition.status != "True");
    findings.extend(not_well.map(|condition| Finding {
        object: object.to_owned(),
        finding_type: condition.type_.clone(),
        status: condition.status.clone(),
        reason: condition.reason.clone(),
        message: condition.message.clone(),
        for_seconds: Some((now.as_second() - condition.last_transition_time.0.as_second()).max(0)),
    }));
}

/// Kind and name of an object that is in no namespace.
fn object<K: kube::Resource<DynamicType = ()>>(object: &K) -> String {
    format!("{}/{}", K::kind(&()), object.name_any())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::super::schema;
    use super::*;

    fn parse<K: serde::de::DeserializeOwned>(object: Value) -> K {
        serde_json::from_value(object).unwrap()
    }

    fn condition(condition_type: &str, status: &str, message: &str) -> Value {
        json!({
            "type": condition_type, "status": status, "reason": "Because", "message": message,
            "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1,
        })
    }

    fn now() -> Timestamp {
        "2026-01-01T01:00:00Z".parse().unwrap()
    }

    fn cluster(name: &str) -> Cluster {
        parse(json!({
            "metadata": { "name": name, "namespace": "mcp", "generation": 1 },
            "spec": { "profile": "p", "tenancy": "Shared", "purposes": [] },
        }))
    }

    fn cluster_dns(name: &str, conditions: Value) -> ClusterDNS {
        parse(json!({
            "metadata": { "name": name, "namespace": "mcp" },
            "spec": {},
            "status": { "observedGeneration": 1, "domain": format!("{name}.x"), "published": 3, "conditions": conditions },
        }))
    }

    fn landscape() -> Objects {
        Objects {
            clusters: vec![cluster("w1")],
            cluster_dns: vec![cluster_dns("w1", json!([condition("Reachable", "True", "")]))],
            policies: vec![parse(json!({
                "metadata": { "name": "p", "generation": 1 },
                "spec": { "baseDomain": "x", "module": { "builtIn": "standard" } },
                "status": { "observedGeneration": 1, "conditions": [condition("Ready", "True", "")] },
            }))],
            configs: Vec::new(),
            lease: Some(parse(json!({
                "metadata": {},
                "spec": {
                    "holderIdentity": "pod-1", "leaseDurationSeconds": 2, "renewTime": "2026-01-01T00:59:59.000000Z",
                },
            }))),
        }
    }

    fn found(objects: &Objects) -> Vec<String> {
        let findings = Overview::at(objects, now()).findings;
        findings
            .into_iter()
            .map(|finding| format!("{} {} {}", finding.object, finding.finding_type, finding.reason))
            .collect()
    }

    #[test]
    fn a_landscape_in_which_all_is_well_has_no_finding() {
        let overview = Overview::at(&landscape(), now());
        assert!(overview.is_well, "{:?}", overview.findings);
        let schema = jsonschema::validator_for(schema::Output::Status.schema().as_value()).unwrap();
        schema.validate(&serde_json::to_value(&overview).unwrap()).unwrap();
        assert_eq!(overview.leader.as_deref(), Some("pod-1"));
        assert_eq!(overview.clusters[0].conditions["Reachable"], "True");
    }

    #[test]
    fn what_somebody_wants_left_alone_is_told_instead_of_its_conditions() {
        let mut objects = landscape();
        let annotation = ("dns.openmcp.cloud/operation".to_owned(), "ignore".to_owned());
        objects.clusters[0].metadata.annotations = Some([annotation].into());
        objects.cluster_dns = vec![cluster_dns("w1", json!([condition("Reachable", "False", "no answer")]))];
        let overview = Overview::at(&objects, now());
        let said: Vec<_> =
            overview.findings.iter().map(|finding| (&*finding.object, &*finding.reason)).collect();
        assert_eq!(said, [("Cluster/mcp/w1", "Ignored")]);
    }

    #[test]
    fn whatever_is_not_true_is_a_finding_with_its_object_and_how_long_it_lasts() {
        let mut objects = landscape();
        let conditions =
            json!([condition("Reachable", "False", "it is silent"), condition("Recorded", "Unknown", "")]);
        objects.cluster_dns = vec![cluster_dns("w1", conditions)];
        let findings = Overview::at(&objects, now()).findings;
        assert_eq!(findings.len(), 2);
        assert_eq!((findings[0].for_seconds, findings[0].message.as_str()), (Some(3600), "it is silent"));
        assert_eq!(findings[0].object, "ClusterDNS/mcp/w1");
    }

    #[test]
    fn what_the_service_has_not_looked_at_is_not_taken_for_well() {
        let mut objects = landscape();
        objects.clusters.push(cluster("w2"));
        assert_eq!(found(&objects), ["ClusterDNS/mcp/w2 Observed InProgress"]);
        let mut objects = landscape();
        objects.policies[0].metadata.generation = Some(2);
        assert_eq!(found(&objects), ["DNSPolicy/p Observed InProgress"]);
        let mut objects = landscape();
        objects.clusters[0].metadata.generation = Some(2);
        assert_eq!(found(&objects), ["Cluster/mcp/w1 Observed InProgress"]);
    }

    #[test]
    fn a_leader_that_is_gone_and_a_policy_that_is_missing_are_said() {
        let mut objects = landscape();
        objects.policies.clear();
        let renewed = &mut objects.lease.as_mut().unwrap().spec.as_mut().unwrap().renew_time;
        renewed.as_mut().unwrap().0 = "2026-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(found(&objects), ["Lease Leader NobodyLeads", "DNSPolicy Exists NoPolicy"]);
        assert_eq!(Overview::at(&objects, now()).clusters_without_policy, 1);
        objects.lease = None;
        assert_eq!(found(&objects), ["DNSPolicy Exists NoPolicy"], "it may run as a single instance");
    }

    #[test]
    fn a_held_deletion_comes_with_the_command_that_lets_it_go_on() {
        let mut objects = landscape();
        let status = objects.cluster_dns[0].status.as_mut().unwrap();
        status.held_deletion = Some(parse(json!({ "names": 7, "token": "abc" })));
        let findings = Overview::at(&objects, now()).findings;
        assert!(
            findings[0].message.ends_with(
                "kubectl annotate clusterdns -n mcp w1 --overwrite dns.openmcp.cloud/confirm-deletion=abc"
            ),
            "{}",
            findings[0].message
        );
    }
}
