//! Fetches policy modules and has them admitted.

use std::borrow::Cow;
use std::sync::Arc;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use openmcp_dns_policy::{Engine, LoadError, Module, STANDARD};
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use tokio::sync::Semaphore;

use crate::api::dns_policy::{BuiltIn, ConfigMapKey, ModuleSource};

/// Fetches, checks and compiles modules, one at a time: compiling uses all processors.
#[derive(Clone)]
pub struct ModuleLoader {
    engine: Engine,
    platform: kube::Client,
    one_at_a_time: Arc<Semaphore>,
}

/// What came of a source.
pub struct Loaded {
    /// SHA-256 of the bytes that were fetched; `None` when none were.
    pub fetched_digest: Option<String>,
    /// The module, or why it is not used.
    pub module: Result<Module, ModuleError>,
}

/// Why a module is not used.
#[derive(Debug, Error)]
pub enum ModuleError {
    /// The source names nothing.
    #[error("spec.module names no source; set builtIn or configMap")]
    NoSource,
    /// The API server did not give the ConfigMap.
    #[error("unable to read {0}")]
    ConfigMap(String, #[source] kube::Error),
    /// There is no such ConfigMap, or no such key.
    #[error("{0}")]
    Missing(String),
    /// The bytes are not the expected ones.
    #[error(
        "{origin} has the SHA-256 {found}, spec.module.sha256 expects {expected}; \
         set it to the digest of the module that you mean to run"
    )]
    Digest {
        /// Where the bytes come from.
        origin: String,
        /// Their digest.
        found: String,
        /// The digest in the spec.
        expected: String,
    },
    /// The module is refused.
    #[error(transparent)]
    Refused(#[from] LoadError),
    /// A bug of ours.
    #[error("the task that loads modules ended early")]
    Internal(#[from] tokio::task::JoinError),
}

impl ModuleError {
    /// Whether another attempt may go better although nothing has changed here.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::ConfigMap(..) | Self::Internal(_))
    }
}

impl ModuleLoader {
    /// Loads modules into an engine; ConfigMaps are read from the platform cluster.
    pub fn new(engine: Engine, platform: kube::Client) -> Self {
        Self { engine, platform, one_at_a_time: Arc::new(Semaphore::new(1)) }
    }

    /// Fetches a module and has it admitted with its configuration.
    pub async fn load(&self, source: &ModuleSource, configuration: String) -> Loaded {
        let bytes = match self.fetch(source).await {
            Ok(bytes) => bytes,
            Err(error) => return Loaded { fetched_digest: None, module: Err(error) },
        };
        let digest = hex_digest(&bytes);
        let module = match &source.sha256 {
            Some(expected) if *expected != digest => {
                let (origin, expected) = (origin(source), expected.clone());
                Err(ModuleError::Digest { origin, found: digest.clone(), expected })
            }
            _ => self.admit(bytes, configuration).await,
        };
        Loaded { fetched_digest: Some(digest), module }
    }

    async fn fetch(&self, source: &ModuleSource) -> Result<Cow<'static, [u8]>, ModuleError> {
        let ModuleSource { built_in, config_map, sha256: _ } = source;
        match (built_in, config_map) {
            (Some(BuiltIn::Standard), _) => Ok(Cow::Borrowed(STANDARD)),
            (None, Some(key)) => self.fetch_config_map(key).await.map(Cow::Owned),
            (None, None) => Err(ModuleError::NoSource),
        }
    }

    async fn fetch_config_map(&self, key: &ConfigMapKey) -> Result<Vec<u8>, ModuleError> {
        let ConfigMapKey { namespace, name, key } = key;
        let what = format!("ConfigMap {namespace}/{name}");
        let api: Api<ConfigMap> = Api::namespaced(self.platform.clone(), namespace);
        let found = api.get_opt(name).await.map_err(|error| ModuleError::ConfigMap(what.clone(), error))?;
        let Some(config_map) = found else {
            return Err(ModuleError::Missing(format!(
                "{what} does not exist; create it on the platform cluster"
            )));
        };
        let in_text = config_map.data.is_some_and(|data| data.contains_key(key));
        match config_map.binary_data.and_then(|mut data| data.remove(key)) {
            Some(bytes) => Ok(bytes.0),
            None if in_text => Err(ModuleError::Missing(format!(
                "{what} has the key {key} in data; a module is bytes and belongs in binaryData"
            ))),
            None => Err(ModuleError::Missing(format!("{what} has no key {key} in binaryData"))),
        }
    }

    async fn admit(&self, bytes: Cow<'static, [u8]>, configuration: String) -> Result<Module, ModuleError> {
        // The semaphore is never closed.
        let _permit = self.one_at_a_time.acquire().await;
        let engine = self.engine.clone();
        let admitted = tokio::task::spawn_blocking(move || engine.load(&bytes, &configuration)).await?;
        Ok(admitted?)
    }
}

/// Where a module comes from, for people.
fn origin(source: &ModuleSource) -> String {
    match (&source.built_in, &source.config_map) {
        (Some(BuiltIn::Standard), _) => "the built-in standard module".to_owned(),
        (None, Some(ConfigMapKey { namespace, name, key })) => {
            format!("key {key} of ConfigMap {namespace}/{name}")
        }
        (None, None) => "no source".to_owned(),
    }
}

/// SHA-256 as 64 hexadecimal digits.
fn hex_digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
