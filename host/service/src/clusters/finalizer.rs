//! Our finalizer: keeps a `Cluster` until everything that was done for it is undone.

use kube::{Api, ResourceExt as _};

use crate::api_client::set_finalizers;
use openmcp_dns_api::{Cluster, FINALIZER};

/// Whether our finalizer stands on the `Cluster`.
#[must_use]
pub fn is_held(cluster: &Cluster) -> bool {
    cluster.finalizers().iter().any(|finalizer| finalizer == FINALIZER)
}

/// Sets our finalizer.
///
/// # Errors
/// When the platform's API server refuses, or somebody else has changed the `Cluster`.
pub(super) async fn hold(api: &Api<Cluster>, cluster: &Cluster) -> kube::Result<()> {
    let mut finalizers = cluster.finalizers().to_vec();
    finalizers.push(FINALIZER.to_owned());
    set_finalizers(api, cluster, &finalizers).await
}

/// Removes our finalizer, unless the `Cluster` is gone and another one has its name.
///
/// # Errors
/// When the platform's API server refuses, or somebody else has changed the `Cluster`.
pub(crate) async fn release(api: &Api<Cluster>, cluster: &Cluster) -> kube::Result<()> {
    let current = api.get_opt(&cluster.name_any()).await?.filter(|current| current.uid() == cluster.uid());
    let Some(current) = current else { return Ok(()) };
    let mut finalizers = current.finalizers().to_vec();
    finalizers.retain(|finalizer| finalizer != FINALIZER);
    set_finalizers(api, &current, &finalizers).await
}
