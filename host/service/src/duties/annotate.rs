//! Annotate: writes a cluster's domain and zone onto its `Cluster`, for those who build host names.

use async_trait::async_trait;
use kube::api::{Patch, PatchParams};
use kube::core::Status;
use kube::{Api, Resource as _, ResourceExt as _};
use openmcp_dns_core::chain;
use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::name::HostName;
use serde_json::{Value, json};
use thiserror::Error;

use super::domains_agree::disagreement;
use super::{Context, Duty, UndoContext, Undone};
use openmcp_dns_api::conditions::{DutyName, Finding, Reason};
use openmcp_dns_api::{CLUSTER_DOMAIN_ANNOTATION, Cluster, FIELD_MANAGER, ZONE_ANNOTATION};

/// Field manager of the zone alone. The clean-up needs the zone, so it is written also where
/// somebody else has claimed the domain.
const ZONE_MANAGER: &str = "openmcp-dns-zone";

/// The reason of a cause, as API servers answer an apply that meets another manager's field
/// (`CauseTypeFieldManagerConflict` of apimachinery).
const FIELD_MANAGER_CONFLICT: &str = "FieldManagerConflict";

/// Annotates a `Cluster`.
pub struct Annotate {
    platform: kube::Client,
    written: Option<Written>,
}

/// What was written last, of which object. The watch shows it a moment later.
struct Written {
    uid: Option<String>,
    version: u64,
}

impl Written {
    /// Whether an object in hand is older.
    fn is_missing_in(&self, cluster: &Cluster) -> bool {
        cluster.uid() == self.uid
            && version(cluster.resource_version()).is_some_and(|seen| seen < self.version)
    }
}

/// Resource versions of a kind are numbers that grow (KEP-5504).
fn version(text: Option<String>) -> Option<u64> {
    text?.parse().ok()
}

impl Annotate {
    /// Writes to the platform cluster.
    pub const fn new(platform: kube::Client) -> Self {
        Self { platform, written: None }
    }

    fn api(&self, id: &ClusterId) -> Api<Cluster> {
        Api::namespaced(self.platform.clone(), &id.namespace)
    }
}

/// Removes the annotations, and none that somebody else has set.
///
/// # Errors
/// When the platform's API server refuses.
pub async fn remove(api: &Api<Cluster>, cluster: &Cluster) -> kube::Result<()> {
    let current = api.get_opt(&cluster.name_any()).await?.filter(|current| current.uid() == cluster.uid());
    let Some(current) = current else { return Ok(()) };
    for (manager, key) in [(ZONE_MANAGER, ZONE_ANNOTATION), (FIELD_MANAGER, CLUSTER_DOMAIN_ANNOTATION)] {
        // What is gone already is no write: whoever goes on after a restart comes further with each one.
        if current.annotations().contains_key(key) {
            apply(api, &current, manager, json!({})).await?;
        }
    }
    Ok(())
}

#[async_trait]
impl Duty for Annotate {
    fn name(&self) -> DutyName {
        DutyName::Annotated
    }

    async fn fulfil(&mut self, context: &Context<'_>) -> Finding {
        let Context { id, cluster, zone, gateway, reverse_zones: _, summary, has_agent: _, way: _ } = context;
        let Some(Ok(domain)) = &summary.domain else { return finding(None, &Ok(())) };
        let mut annotated = Ok(());
        if !self.written.as_ref().is_some_and(|written| written.is_missing_in(cluster)) {
            annotated = annotate(&self.api(id), cluster, domain, zone).await.map(|newest| {
                let written = newest.map(|version| Written { uid: cluster.uid(), version });
                self.written = written.or(self.written.take());
            });
        }
        let found = finding(Some(domain), &annotated);
        let policy = summary.policy.as_deref().unwrap_or_default();
        match disagreement(policy, domain, *gateway, summary.gateway_domain.as_deref()) {
            Some(why) if found.status == Some(true) => Finding::bad(Reason::DomainDisagrees, why),
            Some(_) | None => found,
        }
    }

    async fn undo(&mut self, context: &UndoContext<'_>) -> Undone {
        if !context.present {
            return Undone::Done;
        }
        match remove(&self.api(context.id), context.cluster).await {
            Ok(()) => Undone::Done,
            Err(error) => Undone::Again(format!("unable to remove the annotations: {}", chain(&error))),
        }
    }

    /// A service that is restarted meanwhile finds the zone nowhere else.
    fn outlasts_later_duties(&self) -> bool {
        true
    }
}

fn finding(domain: Option<&HostName>, annotated: &Result<(), AnnotateError>) -> Finding {
    let Some(domain) = domain else {
        return Finding::unknown(Reason::NoDomain, "the cluster has no domain");
    };
    match annotated {
        Ok(()) => Finding::good(format!("the Cluster carries the domain {domain}")),
        Err(error @ AnnotateError::Foreign(_)) => Finding::bad(Reason::ForeignValue, chain(error)),
        Err(error @ AnnotateError::Api(_)) => Finding::bad(Reason::WriteFailed, chain(error)),
    }
}

/// Why a `Cluster` does not carry its domain.
#[derive(Debug, Error)]
enum AnnotateError {
    /// Somebody else has set the annotation to another value.
    #[error("the annotation is set by somebody else and left alone; remove it to have it managed ({0})")]
    Foreign(String),
    /// The API server refuses.
    #[error("unable to annotate the Cluster")]
    Api(#[from] kube::Error),
}

/// Writes domain and zone, if they do not stand there already. Gives the version of the object after that, if it is known.
async fn annotate(
    api: &Api<Cluster>,
    cluster: &Cluster,
    domain: &HostName,
    zone: &HostName,
) -> Result<Option<u64>, AnnotateError> {
    let first = set(api, cluster, ZONE_MANAGER, ZONE_ANNOTATION, zone).await?;
    Ok(set(api, cluster, FIELD_MANAGER, CLUSTER_DOMAIN_ANNOTATION, domain).await?.or(first))
}

async fn set(
    api: &Api<Cluster>,
    cluster: &Cluster,
    manager: &str,
    key: &str,
    value: &HostName,
) -> Result<Option<u64>, AnnotateError> {
    if cluster.annotations().get(key).is_some_and(|old| old == value.as_str()) {
        return Ok(None);
    }
    match apply(api, cluster, manager, json!({ key: value })).await {
        Err(kube::Error::Api(status)) if is_foreign(&status) => Err(AnnotateError::Foreign(status.message)),
        other => Ok(other?),
    }
}

/// Whether a field manager has the field. The code alone does not say it: a `Cluster` that was deleted,
/// and perhaps made anew, is a conflict as well.
fn is_foreign(status: &Status) -> bool {
    let causes = status.details.iter().flat_map(|details| &details.causes);
    status.code == 409 && causes.into_iter().any(|cause| cause.reason == FIELD_MANAGER_CONFLICT)
}

/// The unique identifier keeps the API server from making a new `Cluster` of a deleted one.
async fn apply(
    api: &Api<Cluster>,
    cluster: &Cluster,
    manager: &str,
    annotations: Value,
) -> Result<Option<u64>, kube::Error> {
    let patch = json!({
        "apiVersion": Cluster::api_version(&()),
        "kind": Cluster::kind(&()),
        "metadata": { "name": cluster.name_any(), "uid": cluster.uid(), "annotations": annotations },
    });
    let params = PatchParams::apply(manager);
    let applied = api.patch_metadata(&cluster.name_any(), &params, &Patch::Apply(patch)).await?;
    Ok(version(applied.metadata.resource_version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_somebody_else_is_no_cluster_that_was_deleted() {
        let status = |message: &str, details: Value| -> Status {
            let status = json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": message, "reason": "Conflict", "details": details, "code": 409,
            });
            serde_json::from_value(status).unwrap()
        };
        let field = ".metadata.annotations.dns.openmcp.cloud/base-domain";
        let foreign = status(
            &format!("Apply failed with 1 conflict: conflict with \"kubectl\": {field}"),
            json!({ "causes": [{
                "reason": "FieldManagerConflict", "message": "conflict with \"kubectl\"", "field": field,
            }] }),
        );
        assert!(is_foreign(&foreign));
        let of_cluster = json!({ "name": "w1", "group": "clusters.openmcp.cloud", "kind": "clusters" });
        for message in [
            "Operation cannot be fulfilled on clusters.clusters.openmcp.cloud \"w1\": Precondition failed: \
             UID in precondition: 1, UID in object meta: 2",
            "Operation cannot be fulfilled on clusters.clusters.openmcp.cloud \"w1\": uid mismatch: the \
             provided object specified uid 1, and no existing object was found",
        ] {
            assert!(!is_foreign(&status(message, of_cluster.clone())), "{message}");
        }
    }

    #[test]
    fn an_annotation_of_somebody_else_is_told_apart_from_a_refusal_to_write() {
        let domain = "w1.openmcp.cluster".parse().unwrap();
        let foreign = Err(AnnotateError::Foreign("conflict with \"kubectl\"".to_owned()));
        let refused = Err(AnnotateError::Api(kube::Error::LinesCodecMaxLineLengthExceeded));
        for (domain, annotated, status, reason, text) in [
            (None, Ok(()), None, Reason::NoDomain, "no domain"),
            (Some(&domain), Ok(()), Some(true), Reason::Succeeded, "carries the domain w1.openmcp.cluster"),
            (Some(&domain), foreign, Some(false), Reason::ForeignValue, "remove it to have it managed"),
            (Some(&domain), refused, Some(false), Reason::WriteFailed, "unable to annotate the Cluster"),
        ] {
            let finding = finding(domain, &annotated);
            assert_eq!((finding.status, finding.reason), (status, reason), "{finding:?}");
            assert!(finding.message.contains(text), "{finding:?}");
        }
    }
}
