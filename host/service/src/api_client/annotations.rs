//! Annotations that a person sets to ask for something once: who has done it takes them away.

use std::fmt::Debug;

use kube::api::{Patch, PatchParams};
use kube::core::PartialObjectMeta;
use kube::{Api, Resource, ResourceExt as _};
use openmcp_dns_api::{FIELD_MANAGER, Operation};
use openmcp_dns_core::chain;
use serde::de::DeserializeOwned;
use serde_json::json;

/// Takes the annotation away by which an object was to be looked at anew. Where the API server refuses, that is logged: the
/// next look at the object tries again.
pub async fn take_reconcile<K>(api: &Api<K>, name: &str, annotation: &str)
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug,
{
    if let Err(error) = use_up(api, name, annotation, Operation::Reconcile.as_str()).await {
        let kind = K::kind(&());
        tracing::warn!(%kind, name, error = chain(&error), annotation, "unable to remove an annotation");
    }
}

/// Removes an annotation, unless it has another value by now or the object is gone; gives whether it did.
///
/// # Errors
/// When the API server refuses.
pub async fn use_up<K>(api: &Api<K>, name: &str, annotation: &str, value: &str) -> kube::Result<bool>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug,
{
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    loop {
        let found = api.get_metadata_opt(name).await?;
        let is_this = |metadata: &PartialObjectMeta<K>| {
            metadata.annotations().get(annotation).is_some_and(|current| current == value)
        };
        let Some(found) = found.filter(is_this) else { return Ok(false) };
        let patch = Patch::Merge(json!({ "metadata": {
            "resourceVersion": found.resource_version(),
            "annotations": { annotation: null },
        } }));
        match api.patch_metadata(name, &params, &patch).await {
            // Our own status, or somebody, has come between.
            Err(kube::Error::Api(status)) if status.code == 409 => {}
            removed => return removed.map(|_| true),
        }
    }
}
