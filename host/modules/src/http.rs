//! Modules on web servers.

use std::sync::Arc;

use reqwest::Url;

use crate::remote::{RemoteError, expect_success, host_of, read_bounded};
use crate::{Facts, ModuleError, ModuleLoader, config_map};
use openmcp_dns_api::dns_policy::HttpSource;

/// The module at a URL. `expected` is the SHA-256 of its bytes.
pub(crate) async fn fetch(
    loader: &ModuleLoader,
    source: &HttpSource,
    expected: Option<&str>,
    facts: &mut Facts,
) -> Result<Arc<[u8]>, ModuleError> {
    let HttpSource { url, ca } = source;
    let expected = expected.ok_or(ModuleError::NoDigest)?;
    if let Some(bytes) = loader.cache.get(expected) {
        return Ok(bytes);
    }
    let parsed: Url = url.parse().map_err(|_| ModuleError::Url)?;
    if !parsed.username().is_empty() || parsed.password().is_some() || parsed.host().is_none() {
        return Err(ModuleError::Url);
    }
    let authorities = config_map::authorities(&loader.platform, ca.as_ref()).await?;
    let download = download(loader, parsed, authorities.as_deref()).await;
    let bytes = download.map_err(|source| ModuleError::Http { url: shown(url), source })?;
    facts.downloaded();
    Ok(bytes.into())
}

async fn download(
    loader: &ModuleLoader,
    url: Url,
    authorities: Option<&str>,
) -> Result<Vec<u8>, RemoteError> {
    loader.untrusted_http.check(&url)?;
    let host = host_of(&url);
    let sent = loader.untrusted_http.client(authorities)?.get(url).send().await;
    let response = sent.map_err(|error| {
        let host = error.url().map_or(host, host_of);
        RemoteError::Unreachable { host, source: error.without_url() }
    })?;
    read_bounded(expect_success(response, "the module")?, "the module", loader.module_bytes).await
}

/// A URL without its query, which may hold a key.
pub(crate) fn shown(url: &str) -> String {
    url.split('?').next().unwrap_or_default().to_owned()
}
