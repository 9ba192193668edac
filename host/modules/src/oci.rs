//! Modules in OCI registries.

use k8s_openapi::api::core::v1::Secret;
use kube::Api;

use crate::registry::{Access, Credentials, DockerConfig, Reference, Registry, RegistryError};
use crate::{Facts, ModuleError, ModuleLoader, config_map};
use openmcp_dns_api::dns_policy::{OciSource, PullPolicy, SecretReference};

const SECRET_TYPE: &str = "kubernetes.io/dockerconfigjson";
const SECRET_KEY: &str = ".dockerconfigjson";

/// The module of a reference. Where `expected`, the SHA-256 of the module, is not what the registry
/// has, nothing is downloaded.
pub(crate) async fn fetch(
    loader: &ModuleLoader,
    source: &OciSource,
    expected: Option<&str>,
    facts: &mut Facts,
) -> Result<std::sync::Arc<[u8]>, ModuleError> {
    let reference: Reference = source.reference.parse()?;
    if expected.is_none() && reference.digest().is_none() {
        return Err(ModuleError::NoDigest);
    }
    if source.effective_pull_policy() == PullPolicy::IfNotPresent {
        let by_module = expected.and_then(|digest| loader.cache.get(digest));
        let by_manifest = reference.digest().and_then(|digest| loader.cache.get(digest));
        // A digest of the manifest counts for more: it was asked for together with the module's.
        if let Some(bytes) = if reference.digest().is_some() { by_manifest } else { by_module } {
            facts.manifest_digest = reference.digest().map(str::to_owned);
            return Ok(bytes);
        }
    }
    let mut registry = registry(loader, source, reference.clone()).await?;
    let failed = |source| ModuleError::Registry { reference: reference.to_string(), source };
    let manifest = registry.manifest().await.map_err(failed)?;
    facts.manifest_digest = Some(manifest.digest.clone());
    let found = manifest.module_digest.trim_start_matches("sha256:");
    if let Some(expected) = expected.filter(|expected| *expected != found) {
        facts.fetched_digest = Some(found.to_owned());
        let origin = format!("{reference} (now {})", manifest.digest);
        return Err(ModuleError::Digest { origin, found: found.to_owned(), expected: expected.to_owned() });
    }
    if let Some(bytes) = loader.cache.get(found) {
        loader.cache.put(&manifest.digest, &bytes);
        return Ok(bytes);
    }
    let bytes = registry.module(&manifest, loader.module_bytes).await.map_err(failed)?;
    facts.downloaded();
    let bytes: std::sync::Arc<[u8]> = bytes.into();
    loader.cache.put(&manifest.digest, &bytes);
    Ok(bytes)
}

/// The digest of the manifest that the reference means now.
pub(crate) async fn resolve(loader: &ModuleLoader, source: &OciSource) -> Result<String, ModuleError> {
    let reference: Reference = source.reference.parse()?;
    let mut registry = registry(loader, source, reference).await?;
    let failed = |error| ModuleError::Registry { reference: source.reference.clone(), source: error };
    registry.resolve().await.map_err(failed)
}

async fn registry(
    loader: &ModuleLoader,
    source: &OciSource,
    reference: Reference,
) -> Result<Registry, ModuleError> {
    let OciSource { pull_secret, ca, insecure, reference: text, pull_policy: _ } = source;
    let authorities = config_map::authorities(&loader.platform, ca.as_ref()).await?;
    let credentials = match pull_secret {
        Some(secret) => Some(credentials(&loader.platform, secret, &reference).await?),
        None => None,
    };
    let registry = Registry::new(
        &loader.untrusted_http,
        reference,
        Access::Pull,
        credentials,
        authorities.as_deref(),
        *insecure,
    );
    registry.map_err(|error: RegistryError| ModuleError::Registry { reference: text.clone(), source: error })
}

/// The credentials for a repository in a pull secret. Nothing of it ever gets into an error.
async fn credentials(
    platform: &kube::Client,
    secret: &SecretReference,
    reference: &Reference,
) -> Result<Credentials, ModuleError> {
    let SecretReference { namespace, name } = secret;
    let (secret, what) = (format!("{namespace}/{name}"), format!("Secret {namespace}/{name}"));
    let api: Api<Secret> = Api::namespaced(platform.clone(), namespace);
    let found = api.get_opt(name).await.map_err(|error| ModuleError::Object(what.clone(), error))?;
    let missing = |problem: &str| ModuleError::Missing(format!("{what}, named by pullSecret, {problem}"));
    let Some(found) = found else {
        return Err(missing("does not exist; create it on the platform cluster"));
    };
    if found.type_.as_deref() != Some(SECRET_TYPE) {
        return Err(missing(&format!("is not of type {SECRET_TYPE}")));
    }
    let content = found.data.and_then(|mut data| data.remove(SECRET_KEY));
    let content = content.ok_or_else(|| missing(&format!("has no key {SECRET_KEY}")))?;
    let unusable = |source| ModuleError::PullSecret { secret: secret.clone(), source };
    let config = DockerConfig::parse(&content.0).map_err(unusable)?;
    let credentials = config.for_repository(reference).map_err(unusable)?;
    credentials.ok_or_else(|| missing(&format!("has no entry for {}", reference.registry())))
}
