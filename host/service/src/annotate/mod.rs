//! Annotate: writes a cluster's domain and zone onto its `Cluster`, for those who build host names.

use kube::api::{Patch, PatchParams};
use kube::{Api, Resource as _, ResourceExt as _};
use openmcp_dns_core::name::HostName;
use serde_json::{Value, json};
use thiserror::Error;

use openmcp_dns_api::{CLUSTER_DOMAIN_ANNOTATION, Cluster, FIELD_MANAGER, ZONE_ANNOTATION};

/// Field manager of the zone alone. The clean-up needs the zone, so it is written also where
/// somebody else has claimed the domain.
const ZONE_MANAGER: &str = "openmcp-dns-zone";

/// Why a `Cluster` does not carry its domain.
#[derive(Debug, Error)]
pub enum AnnotateError {
    /// Somebody else has set the annotation to another value.
    #[error("the annotation is set by somebody else and left alone; remove it to have it managed ({0})")]
    Foreign(String),
    /// The API server refuses.
    #[error("unable to annotate the Cluster")]
    Api(#[from] kube::Error),
}

/// Writes domain and zone, if they do not stand there already.
///
/// # Errors
/// When the API server refuses, or somebody else has set an annotation.
pub async fn annotate(
    api: &Api<Cluster>,
    cluster: &Cluster,
    domain: &HostName,
    zone: &HostName,
) -> Result<(), AnnotateError> {
    set(api, cluster, ZONE_MANAGER, ZONE_ANNOTATION, zone).await?;
    set(api, cluster, FIELD_MANAGER, CLUSTER_DOMAIN_ANNOTATION, domain).await
}

/// Removes what [`annotate`] wrote, and nothing that somebody else has set.
///
/// # Errors
/// When the API server refuses.
pub async fn remove(api: &Api<Cluster>, cluster: &Cluster) -> Result<(), kube::Error> {
    for manager in [ZONE_MANAGER, FIELD_MANAGER] {
        apply(api, cluster, manager, json!({})).await?;
    }
    Ok(())
}

async fn set(
    api: &Api<Cluster>,
    cluster: &Cluster,
    manager: &str,
    key: &str,
    value: &HostName,
) -> Result<(), AnnotateError> {
    if cluster.annotations().get(key).is_some_and(|old| old == value.as_str()) {
        return Ok(());
    }
    match apply(api, cluster, manager, json!({ key: value })).await {
        Err(kube::Error::Api(status)) if status.code == 409 => Err(AnnotateError::Foreign(status.message)),
        other => Ok(other?),
    }
}

/// The unique identifier keeps the API server from making a new `Cluster` of a deleted one.
async fn apply(
    api: &Api<Cluster>,
    cluster: &Cluster,
    manager: &str,
    annotations: Value,
) -> Result<(), kube::Error> {
    let patch = json!({
        "apiVersion": Cluster::api_version(&()),
        "kind": Cluster::kind(&()),
        "metadata": { "name": cluster.name_any(), "uid": cluster.uid(), "annotations": annotations },
    });
    api.patch_metadata(&cluster.name_any(), &PatchParams::apply(manager), &Patch::Apply(patch)).await?;
    Ok(())
}
