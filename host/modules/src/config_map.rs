//! Modules, and the certificates to fetch them with, in ConfigMaps.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;

use crate::ModuleError;
use openmcp_dns_api::dns_policy::{CertificateAuthority, ConfigMapKey};

/// The bytes under a key of `binaryData`.
pub(crate) async fn fetch(platform: &kube::Client, key: &ConfigMapKey) -> Result<Vec<u8>, ModuleError> {
    let ConfigMapKey { namespace, name, key } = key;
    let (what, config_map) = read(platform, namespace, name).await?;
    let in_text = config_map.data.is_some_and(|data| data.contains_key(key));
    match config_map.binary_data.and_then(|mut data| data.remove(key)) {
        Some(bytes) => Ok(bytes.0),
        None if in_text => Err(ModuleError::Missing(format!(
            "{what} has the key {key} in data; a module is bytes and belongs in binaryData"
        ))),
        None => Err(ModuleError::Missing(format!("{what} has no key {key} in binaryData"))),
    }
}

/// The certificates, as PEM text; `None` for those of the system.
pub(crate) async fn authorities(
    platform: &kube::Client,
    authority: Option<&CertificateAuthority>,
) -> Result<Option<String>, ModuleError> {
    let Some(CertificateAuthority { pem, config_map }) = authority else { return Ok(None) };
    let Some(key) = config_map else { return Ok(pem.clone()) };
    let (what, config_map) = read(platform, &key.namespace, &key.name).await?;
    let text = config_map.data.and_then(|mut data| data.remove(&key.key));
    let missing = || ModuleError::Missing(format!("{what}, named by ca, has no key {} in data", key.key));
    text.map(Some).ok_or_else(missing)
}

async fn read(
    platform: &kube::Client,
    namespace: &str,
    name: &str,
) -> Result<(String, ConfigMap), ModuleError> {
    let what = format!("ConfigMap {namespace}/{name}");
    let api: Api<ConfigMap> = Api::namespaced(platform.clone(), namespace);
    match api.get_opt(name).await {
        Ok(Some(config_map)) => Ok((what, config_map)),
        Ok(None) => {
            Err(ModuleError::Missing(format!("{what} does not exist; create it on the platform cluster")))
        }
        Err(error) => Err(ModuleError::Object(what, error)),
    }
}
