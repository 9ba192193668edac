//! Reads the objects of one cluster once, for who does not follow them.

use kube::Api;
use kube::api::ListParams;
use kube::core::ApiResource;
use openmcp_dns_core::object::Object;
use openmcp_dns_core::objects::{Watched, WatchedKind};
use serde::de::DeserializeOwned;
use thiserror::Error;

use super::discovery;
use super::slim::Slim;

/// Why the objects of a cluster are not known.
#[derive(Debug, Error)]
#[error("unable to list objects of kind {}", kind.as_str())]
pub struct ListError {
    kind: WatchedKind,
    source: kube::Error,
}

/// All objects of a cluster that claim host names, or that claims depend on, in the order of
/// [`WatchedKind::ALL`]. There are none of a kind that the cluster does not serve.
///
/// # Errors
/// When one kind cannot be listed: what is known of the others says too little.
pub async fn list(client: &kube::Client) -> Result<Vec<Watched>, ListError> {
    let mut all = Vec::new();
    for kind in WatchedKind::ALL {
        let failed = |source| ListError { kind, source };
        let Some(resource) = discovery::served(client, kind).await.map_err(failed)? else { continue };
        let found = match kind {
            WatchedKind::Gateway => list_kind(client, &resource, Watched::Gateway).await,
            WatchedKind::HttpRoute => list_kind(client, &resource, Watched::HttpRoute).await,
            WatchedKind::Ingress => list_kind(client, &resource, Watched::Ingress).await,
            WatchedKind::Namespace => list_kind(client, &resource, Watched::Namespace).await,
        };
        all.extend(found.map_err(failed)?);
    }
    Ok(all)
}

async fn list_kind<Spec, Status>(
    client: &kube::Client,
    resource: &ApiResource,
    wrap: fn(Object<Spec, Status>) -> Watched,
) -> Result<Vec<Watched>, kube::Error>
where
    Spec: Default + DeserializeOwned + Clone + std::fmt::Debug,
    Status: Default + DeserializeOwned + Clone + std::fmt::Debug,
{
    let api: Api<Slim<Spec, Status>> = Api::all_with(client.clone(), resource);
    let listed = api.list(&ListParams::default()).await?;
    Ok(listed.items.into_iter().map(|object| wrap(object.object)).collect())
}
