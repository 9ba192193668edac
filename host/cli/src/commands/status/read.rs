//! What stands on the platform cluster.

use anyhow::Context as _;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::ListParams;
use kube::{Api, Client, Resource};
use openmcp_dns_api::{Cluster, ClusterDNS, DNSPolicy, DNSServiceConfig};
use openmcp_dns_service::leadership::LEASE;
use serde::de::DeserializeOwned;

use crate::terminal::hint::Hint as _;

/// How many objects are asked for at once.
const PAGE: u32 = 500;

/// What the service reads and writes on the platform cluster.
#[derive(Default)]
pub(super) struct Objects {
    pub(super) clusters: Vec<Cluster>,
    pub(super) cluster_dns: Vec<ClusterDNS>,
    pub(super) policies: Vec<DNSPolicy>,
    pub(super) configs: Vec<DNSServiceConfig>,
    /// By which the instances agree on who leads; `None` where there is none.
    pub(super) lease: Option<Lease>,
}

/// Reads all of it.
///
/// # Errors
/// When the API server does not answer, refuses, or does not know the kinds.
pub(super) async fn objects(platform: &Client, namespace: &str) -> anyhow::Result<Objects> {
    let leases: Api<Lease> = Api::namespaced(platform.clone(), namespace);
    let lease = async { leases.get_opt(LEASE).await.context("failed to read the Lease of the service") };
    let (clusters, cluster_dns, policies, configs, lease) =
        futures::try_join!(list(platform), list(platform), list(platform), list(platform), lease)?;
    Ok(Objects { clusters, cluster_dns, policies, configs, lease })
}

async fn list<K>(platform: &Client) -> anyhow::Result<Vec<K>>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
{
    let api: Api<K> = Api::all(platform.clone());
    let (mut all, mut parameters) = (Vec::new(), ListParams::default().limit(PAGE));
    loop {
        let page = api.list(&parameters).await;
        let page = page.with_context(|| format!("failed to read the objects of kind {}", K::kind(&())));
        let page = page.with_hint(|error| match error.downcast_ref::<kube::Error>() {
            Some(kube::Error::Api(status)) if status.code == 404 => {
                "name a kubeconfig of the platform cluster with --kubeconfig; if it is the one, install the \
                 service: its CRDs are missing"
            }
            Some(kube::Error::Api(status)) if status.code == 403 => {
                "the account may not read them: use one with `get` and `list` on the kinds of the service"
            }
            _ => "name a kubeconfig of the platform cluster with --kubeconfig, and see that its API server answers",
        })?;
        all.extend(page.items);
        match page.metadata.continue_.filter(|next| !next.is_empty()) {
            Some(next) => parameters = parameters.continue_token(&next),
            None => return Ok(all),
        }
    }
}
