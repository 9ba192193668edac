//! Requests that the service has made, for who comes when it does not run.

use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, ListParams, Preconditions};
use kube::{Api, ResourceExt as _};
use openmcp_dns_api::{ACCESS_REQUEST_FINALIZER, AccessRequest, OPENMCP_MANAGED_BY_LABEL};
use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::openmcp_names::access_request;

use super::request::CONTROLLER;
use crate::api_client::set_finalizers;
use crate::inventory::Access;
use crate::inventory::secrets::kubeconfig;

/// Secrets that are read at the same time.
const AT_ONCE: usize = 16;

/// Those that this service has made under whatever name of a provider, or openMCP's own one, whose place it takes. None where
/// openMCP's kinds are not served, or whoever asks may not see them.
///
/// # Errors
/// When the platform cluster does not answer.
pub async fn requests(platform: &kube::Client) -> kube::Result<Vec<AccessRequest>> {
    match Api::<AccessRequest>::all(platform.clone()).list(&ListParams::default()).await {
        Ok(list) => Ok(list.items.into_iter().filter(is_ours).collect()),
        Err(kube::Error::Api(status)) if matches!(status.code, 403 | 404) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn is_ours(request: &AccessRequest) -> bool {
    let is_by_us = request
        .labels()
        .get(OPENMCP_MANAGED_BY_LABEL)
        .and_then(|by| by.rsplit_once('.'))
        .is_some_and(|(_, controller)| controller == CONTROLLER);
    let is_so_called = request.cluster().is_some_and(|cluster| {
        request.namespace().as_ref() == Some(&cluster.namespace)
            && request.name_any() == access_request(CONTROLLER, &cluster.name)
    });
    is_by_us && is_so_called
}

/// What they grant.
///
/// # Errors
/// When the platform cluster does not show a Secret.
pub async fn granted(platform: &kube::Client) -> kube::Result<Vec<(ClusterId, Access)>> {
    let all = requests(platform).await?;
    let read = all.iter().filter_map(|request| Some((request.cluster()?, request))).map(
        async |(cluster, request)| -> kube::Result<(ClusterId, Access)> {
            let (namespace, name) = (request.namespace().unwrap_or_default(), request.name_any());
            let origin = format!("AccessRequest {namespace}/{name}");
            let secret = match request.granted() {
                Ok(secret) => secret,
                Err(why) => return Ok((cluster, Access::not_granted(origin, why))),
            };
            let found = Api::<Secret>::namespaced(platform.clone(), &namespace).get_opt(secret).await?;
            let missing = || Err(format!("Secret {namespace}/{secret} is not there"));
            let text = found.as_ref().map_or_else(missing, kubeconfig);
            Ok((cluster, Access::by_kubeconfig(origin, text)))
        },
    );
    futures::stream::iter(read).buffer_unordered(AT_ONCE).try_collect().await
}

/// Withdraws a request that is [ours](requests). Gives whether it is gone.
///
/// # Errors
/// When the platform cluster refuses.
pub async fn withdraw(platform: &kube::Client, cluster: &ClusterId) -> kube::Result<bool> {
    take_back(platform, cluster, is_ours).await
}

/// Deletes the request for a cluster, unless it is somebody else's. Gives whether it is gone: the provider takes back what it
/// has made first, for which it needs the `Cluster`.
pub(super) async fn take_back(
    platform: &kube::Client,
    cluster: &ClusterId,
    is_ours: impl Fn(&AccessRequest) -> bool,
) -> kube::Result<bool> {
    let api = Api::<AccessRequest>::namespaced(platform.clone(), &cluster.namespace);
    let name = access_request(CONTROLLER, &cluster.name);
    // There is none either where openMCP's kinds are not served.
    let Some(request) = api.get_opt(&name).await?.filter(is_ours) else { return Ok(true) };
    let mut finalizers = request.finalizers().to_vec();
    finalizers.retain(|finalizer| finalizer != ACCESS_REQUEST_FINALIZER);
    if finalizers != request.finalizers() {
        set_finalizers(&api, &request, &finalizers).await?;
    }
    if request.metadata.deletion_timestamp.is_none() {
        let this = Preconditions { uid: request.uid(), resource_version: None };
        let params = DeleteParams { preconditions: Some(this), ..DeleteParams::default() };
        match api.delete(&name, &params).await {
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            deleted => drop(deleted?),
        }
    }
    Ok(api.get_metadata_opt(&name).await?.is_none())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use serde_json::json;

    use super::*;

    fn request(by: &str, name: &str, namespace: &str) -> AccessRequest {
        serde_json::from_value(json!({
            "apiVersion": "clusters.openmcp.cloud/v1alpha1",
            "kind": "AccessRequest",
            "metadata": {"name": name, "namespace": "n", "labels": {OPENMCP_MANAGED_BY_LABEL: by}},
            "spec": {"clusterRef": {"name": "w1", "namespace": namespace}},
        }))
        .unwrap()
    }

    #[test]
    fn what_others_ask_for_is_theirs() {
        let name = "dnscluster--w1--cluster";
        assert!(is_ours(&request("dns.DNSCluster", name, "n")));
        assert!(is_ours(&request("my.provider.DNSCluster", name, "n")));
        assert!(!is_ours(&request("dns.Gateway", name, "n")));
        assert!(!is_ours(&request("DNSCluster", name, "n")));
        assert!(!is_ours(&request("dns.DNSCluster", "gateway--w1--cluster", "n")));
        assert!(!is_ours(&request("dns.DNSCluster", name, "elsewhere")));
    }
}
