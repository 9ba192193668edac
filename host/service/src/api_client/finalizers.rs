//! Finalizers of objects that others have theirs on, too.

use std::fmt::Debug;

use kube::api::{Patch, PatchParams};
use kube::{Api, Resource, ResourceExt as _};
use openmcp_dns_api::FIELD_MANAGER;
use serde::de::DeserializeOwned;
use serde_json::json;

/// Sets the finalizers of an object as it was read. Fails with a conflict when somebody else has changed it since, so that no
/// finalizer of others is lost.
///
/// # Errors
/// When the API server refuses, or somebody else has changed the object.
pub async fn set_finalizers<K>(api: &Api<K>, object: &K, finalizers: &[String]) -> kube::Result<()>
where
    K: Resource + Clone + DeserializeOwned + Debug,
{
    let patch = Patch::Merge(json!({
        "metadata": { "resourceVersion": object.resource_version(), "finalizers": finalizers },
    }));
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    api.patch_metadata(&object.name_any(), &params, &patch).await.map(drop)
}
