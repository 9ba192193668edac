//! The flavour of kubeadm and kind: our block stands in the Corefile of ConfigMap `kube-system/coredns`.

use std::net::SocketAddr;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use openmcp_dns_core::corefile::{CorefileError, Edited, Warning, remove_forward, set_forward};
use openmcp_dns_core::name::HostName;
use serde_json::json;
use thiserror::Error;

use super::layout::{CONFIG_MAP, NAMESPACE};
use openmcp_dns_api::FIELD_MANAGER;

/// Key of the ConfigMap's data that holds the Corefile.
const KEY: &str = "Corefile";

/// Why the configuration was left as it is.
#[derive(Debug, Error)]
pub enum ForwardError {
    /// The ConfigMap has no Corefile.
    #[error(
        "ConfigMap {NAMESPACE}/{CONFIG_MAP} has no key {KEY}, so its layout is not known; it is left alone"
    )]
    NoCorefile,
    /// The Corefile is not understood, or does not allow our block.
    #[error("the {KEY} in ConfigMap {NAMESPACE}/{CONFIG_MAP} is left alone")]
    Refused(#[from] CorefileError),
    /// The API server refuses the change.
    #[error("unable to write ConfigMap {NAMESPACE}/{CONFIG_MAP}")]
    Write(#[source] kube::Error),
    /// The API server refuses to show it.
    #[error("unable to read ConfigMap {NAMESPACE}/{CONFIG_MAP}")]
    Read(#[source] kube::Error),
}

/// Makes the Corefile forward `zone` to `upstreams`. Gives what may surprise.
///
/// # Errors
/// When the configuration is left as it is.
pub async fn apply(
    client: &kube::Client,
    config_map: &ConfigMap,
    zone: &HostName,
    upstreams: &[SocketAddr],
) -> Result<Vec<Warning>, ForwardError> {
    let Edited { text, changed, warnings } = set_forward(corefile(config_map)?, zone.as_str(), upstreams)?;
    if changed {
        write(client, config_map, &text).await?;
    }
    Ok(warnings)
}

/// Takes our block out of the Corefile, if it stands there.
///
/// # Errors
/// When the configuration is left as it is although our block may stand in it.
pub async fn remove(client: &kube::Client, zone: &HostName) -> Result<(), ForwardError> {
    match without(client, zone).await? {
        Some((config_map, text)) => write(client, &config_map, &text).await,
        None => Ok(()),
    }
}

/// Whether our block for `zone` stands in the Corefile.
///
/// # Errors
/// When that cannot be known.
pub async fn is_forwarded(client: &kube::Client, zone: &HostName) -> Result<bool, ForwardError> {
    Ok(without(client, zone).await?.is_some())
}

/// The Corefile without our block, where it has one.
async fn without(
    client: &kube::Client,
    zone: &HostName,
) -> Result<Option<(ConfigMap, String)>, ForwardError> {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), NAMESPACE);
    let found = api.get_opt(CONFIG_MAP).await.map_err(ForwardError::Read)?;
    let Some(config_map) = found else { return Ok(None) };
    let Ok(text) = corefile(&config_map) else { return Ok(None) };
    let Edited { text, changed, warnings: _ } = remove_forward(text, zone.as_str())?;
    Ok(changed.then_some((config_map, text)))
}

fn corefile(config_map: &ConfigMap) -> Result<&str, ForwardError> {
    let text = config_map.data.as_ref().and_then(|data| data.get(KEY));
    text.map(String::as_str).ok_or(ForwardError::NoCorefile)
}

/// Changes this one key, and only if nobody else has changed the ConfigMap in the meantime.
async fn write(client: &kube::Client, config_map: &ConfigMap, text: &str) -> Result<(), ForwardError> {
    let api: Api<ConfigMap> = Api::namespaced(client.clone(), NAMESPACE);
    let patch = Patch::Merge(json!({
        "metadata": { "resourceVersion": config_map.resource_version() },
        "data": { KEY: text },
    }));
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    api.patch(CONFIG_MAP, &params, &patch).await.map(drop).map_err(ForwardError::Write)
}
