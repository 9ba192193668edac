//! Writes `ClusterDNS` objects: what the service did for each cluster.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::{Api, Resource as _, ResourceExt as _};
use openmcp_dns_core::cluster::ClusterId;
use serde_json::json;

use super::statuses::{Object, Said};
use crate::api_client;
use openmcp_dns_api::conditions::{DutyName, Finding, Reason};
use openmcp_dns_api::{
    CONFIRM_ANNOTATION, Cluster, ClusterDNS, ClusterDNSStatus, FIELD_MANAGER, Phase, conditions_with_ready,
};

/// What is known of one cluster.
pub struct ClusterReport {
    /// Its object.
    pub cluster: Arc<Cluster>,
    /// Its conditions, as they were found.
    pub findings: BTreeMap<DutyName, Finding>,
    /// Everything else.
    pub status: ClusterDNSStatus,
}

#[async_trait]
impl Said for ClusterReport {
    type Status = ClusterDNSStatus;

    fn object(&self) -> Object {
        (self.cluster.namespace().unwrap_or_default(), self.cluster.name_any())
    }

    fn uid(&self) -> Option<String> {
        self.cluster.uid()
    }

    fn is_settled(&self) -> bool {
        self.findings.values().all(|finding| finding.reason != Reason::InProgress)
    }

    async fn read(&self, platform: &kube::Client) -> kube::Result<ClusterDNSStatus> {
        Ok(read(platform, &self.cluster).await?.unwrap_or_default())
    }

    fn status(&self, previous: &ClusterDNSStatus) -> ClusterDNSStatus {
        let Self { cluster, findings, status } = self;
        let named: Vec<_> = findings.iter().map(|(duty, finding)| (duty.as_str(), finding)).collect();
        let conditions = conditions_with_ready(&named, status.observed_generation, &previous.conditions);
        let phase = Phase::of(&conditions, cluster.metadata.deletion_timestamp.is_some());
        ClusterDNSStatus { conditions, phase, ..status.clone() }
    }

    async fn write(&self, platform: &kube::Client, status: &ClusterDNSStatus) -> kube::Result<()> {
        write(platform, &self.cluster, status).await
    }
}

/// Writes the status of a cluster's `ClusterDNS`, and makes the object first where there is none.
///
/// # Errors
/// When the platform's API server refuses.
pub async fn write(
    platform: &kube::Client,
    cluster: &Cluster,
    status: &ClusterDNSStatus,
) -> kube::Result<()> {
    let api = api(platform, cluster);
    let name = cluster.name_any();
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let kind = json!({ "apiVersion": ClusterDNS::api_version(&()), "kind": ClusterDNS::kind(&()) });
    let mut with_status = kind.clone();
    with_status["metadata"] = json!({ "name": name });
    with_status["status"] = json!(status);
    let written = api.patch_status(&name, &params, &Patch::Apply(&with_status)).await;
    if !is_not_found(&written) {
        return written.map(drop);
    }
    let mut object = kind;
    object["metadata"] = json!({ "name": name, "ownerReferences": owner(cluster) });
    object["spec"] = json!({});
    api.patch(&name, &params, &Patch::Apply(&object)).await?;
    api.patch_status(&name, &params, &Patch::Apply(&with_status)).await.map(drop)
}

/// The status as it was written last; `None` where there is none.
///
/// # Errors
/// When the platform's API server refuses.
pub async fn read(platform: &kube::Client, cluster: &Cluster) -> kube::Result<Option<ClusterDNSStatus>> {
    let found = api(platform, cluster).get_opt(&cluster.name_any()).await?;
    Ok(found.and_then(|object| object.status))
}

/// Removes the object, if it is there.
///
/// # Errors
/// When the platform's API server refuses.
pub async fn remove(platform: &kube::Client, cluster: &Cluster) -> kube::Result<()> {
    let removed = api(platform, cluster).delete(&cluster.name_any(), &DeleteParams::default()).await;
    if is_not_found(&removed) { Ok(()) } else { removed.map(drop) }
}

/// Removes a confirmation that was used, unless another one has taken its place.
///
/// # Errors
/// When the platform's API server refuses.
pub async fn use_up(platform: &kube::Client, id: &ClusterId, token: &str) -> kube::Result<()> {
    let api: Api<ClusterDNS> = Api::namespaced(platform.clone(), &id.namespace);
    api_client::use_up(&api, &id.name, CONFIRM_ANNOTATION, token).await.map(drop)
}

fn api(platform: &kube::Client, cluster: &Cluster) -> Api<ClusterDNS> {
    Api::namespaced(platform.clone(), &cluster.namespace().unwrap_or_default())
}

/// The object goes with its `Cluster`, even when this service is gone by then.
fn owner(cluster: &Cluster) -> Option<Vec<OwnerReference>> {
    Some(vec![cluster.owner_ref(&())?])
}

fn is_not_found<T>(result: &kube::Result<T>) -> bool {
    matches!(result, Err(kube::Error::Api(status)) if status.code == 404)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use k8s_openapi::jiff::Timestamp;

    use super::*;
    use openmcp_dns_api::READY;
    use openmcp_dns_api::conditions::Reason;

    fn report(findings: impl IntoIterator<Item = (DutyName, Finding)>) -> ClusterReport {
        ClusterReport {
            cluster: Arc::new(Cluster::new("w1", Default::default())),
            findings: findings.into_iter().collect(),
            status: ClusterDNSStatus { observed_generation: 7, ..ClusterDNSStatus::default() },
        }
    }

    #[test]
    fn a_condition_keeps_its_time_until_its_status_changes() {
        let say = |finding: Finding, previous: &ClusterDNSStatus| {
            report([(DutyName::Probed, finding)]).status(previous)
        };
        let mut first = say(Finding::good("2 names are answered as decided"), &ClusterDNSStatus::default());
        assert_eq!(first.conditions[1].observed_generation, Some(7));
        first.conditions[1].last_transition_time = Time(Timestamp::UNIX_EPOCH);

        let same = say(Finding::good("3 names are answered as decided"), &first);
        assert_eq!(same.conditions[1].last_transition_time, Time(Timestamp::UNIX_EPOCH));
        let other = say(Finding::bad(Reason::NoAnswer, "1 names get no answer"), &same);
        assert_ne!(other.conditions[1].last_transition_time, Time(Timestamp::UNIX_EPOCH));
    }

    #[test]
    fn conditions_stand_in_the_order_in_which_they_are_shown() {
        let findings = DutyName::ALL.into_iter().rev().map(|name| (name, Finding::good("well")));
        let status = report(findings).status(&ClusterDNSStatus::default());
        let types: Vec<&str> = status.conditions.iter().map(|condition| condition.type_.as_str()).collect();
        assert_eq!(types[0], READY);
        assert_eq!(types[1..], DutyName::ALL.map(DutyName::as_str));
    }
}
