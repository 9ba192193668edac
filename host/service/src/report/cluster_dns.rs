//! Writes `ClusterDNS` objects: what the service did for each cluster.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::core::PartialObjectMeta;
use kube::{Api, Resource as _, ResourceExt as _};
use openmcp_dns_core::cluster::ClusterId;
use serde_json::json;

use openmcp_dns_api::{CONFIRM_ANNOTATION, Cluster, ClusterDNS, ClusterDNSStatus, FIELD_MANAGER};

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
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    loop {
        let found = api.get_metadata_opt(&id.name).await?;
        let is_this = |metadata: &PartialObjectMeta<ClusterDNS>| {
            metadata.annotations().get(CONFIRM_ANNOTATION).is_some_and(|confirmed| confirmed == token)
        };
        let Some(found) = found.filter(is_this) else { return Ok(()) };
        let patch = Patch::Merge(json!({ "metadata": {
            "resourceVersion": found.resource_version(),
            "annotations": { CONFIRM_ANNOTATION: null },
        } }));
        match api.patch_metadata(&id.name, &params, &patch).await {
            // Our own status, or somebody, has come between.
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            removed => return removed.map(drop),
        }
    }
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
