//! Fetches a module, checks its digest, and has it admitted.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use openmcp_dns_policy::{Engine, Module, STANDARD};

use crate::admission::Admission;
use crate::cache::ModuleCache;
use crate::error::ModuleError;
use crate::kept::{self, Kept};
use crate::registry::hex_digest;
use crate::remote::UntrustedHttp;
use openmcp_dns_api::conditions::now;
use openmcp_dns_api::dns_policy::{BuiltIn, ConfigMapKey, ModuleSource, OciSource};

/// How long it may take until all bytes of a module are there: enough for 32 MiB over a slow line,
/// and all answers of a registry together.
const FETCH: Duration = Duration::from_secs(120);

/// How many modules of the largest size are kept in memory.
const CACHED_MODULES: usize = 4;

/// What the operator allows, and how often tags are looked at.
#[derive(Clone, Debug)]
pub struct SourceOptions {
    /// Which hosts may be reached over plain http.
    pub untrusted_http: UntrustedHttp,
    /// Whether modules may be read from files.
    pub allow_files: bool,
    /// How often a tag is looked up again.
    pub tag_check: Duration,
}

/// Fetches, checks and compiles modules, one at a time: compiling uses all processors.
#[derive(Clone)]
pub struct ModuleLoader {
    pub(crate) admission: Admission,
    pub(crate) module_bytes: usize,
    pub(crate) platform: kube::Client,
    pub(crate) untrusted_http: UntrustedHttp,
    pub(crate) allow_files: bool,
    pub(crate) tag_check: Duration,
    pub(crate) cache: Arc<ModuleCache>,
}

/// What is known of the bytes, also when they are not used.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// SHA-256 of the bytes that were fetched, or that the source says it has.
    pub fetched_digest: Option<String>,
    /// Digest of the OCI manifest that names them.
    pub manifest_digest: Option<String>,
    /// When they came from outside; `None` when they were there already.
    pub download_time: Option<Time>,
}

impl Facts {
    pub(crate) fn downloaded(&mut self) {
        self.download_time = Some(Time(now()));
    }
}

/// What came of a source.
pub struct Loaded<M = Arc<Module>> {
    /// What is known of the bytes.
    pub facts: Facts,
    /// The module, or why it is not used.
    pub module: Result<M, ModuleError>,
}

impl<M> Loaded<M> {
    /// The same with what `convert` makes of the module.
    pub fn map<N>(self, convert: impl FnOnce(M) -> N) -> Loaded<N> {
        Loaded { facts: self.facts, module: self.module.map(convert) }
    }
}

impl ModuleLoader {
    /// Loads modules into an engine; objects are read from the platform cluster.
    pub fn new(engine: Engine, platform: kube::Client, options: SourceOptions) -> Self {
        let SourceOptions { untrusted_http, allow_files, tag_check } = options;
        let module_bytes = engine.limits().module_bytes;
        let cache = Arc::new(ModuleCache::new(module_bytes.saturating_mul(CACHED_MODULES)));
        let admission = Admission::new(engine);
        Self { admission, module_bytes, platform, untrusted_http, allow_files, tag_check, cache }
    }

    /// How often a tag is looked up again.
    pub fn tag_check(&self) -> Duration {
        self.tag_check
    }

    /// As [`ModuleLoader::load`]; a module that decided before, with this digest, is taken as it is kept on the
    /// platform cluster, where it is.
    pub async fn load_kept_or(
        &self,
        kept: Option<&str>,
        source: &ModuleSource,
        configuration: &str,
    ) -> Loaded {
        if let Some(digest) = kept
            && let Some(loaded) = self.load_kept(digest, configuration.to_owned()).await
        {
            return loaded;
        }
        self.load(source, configuration.to_owned()).await
    }

    /// Fetches a module and has it admitted with its configuration.
    pub async fn load(&self, source: &ModuleSource, configuration: String) -> Loaded {
        let mut facts = Facts::default();
        let fetched = tokio::time::timeout(FETCH, self.fetch(source, &mut facts)).await;
        let fetched =
            fetched.unwrap_or_else(|_| Err(ModuleError::TooSlow { origin: origin(source), limit: FETCH }));
        let module = match fetched {
            Ok(bytes) => self.check_and_admit(source, bytes, configuration, &mut facts).await,
            Err(error) => Err(error),
        };
        Loaded { facts, module }
    }

    /// Has the module with this digest admitted, as it is kept on the platform cluster; `None` where it is not, or
    /// cannot be read.
    async fn load_kept(&self, digest: &str, configuration: String) -> Option<Loaded> {
        let kept = tokio::time::timeout(FETCH, Kept::new(&self.platform).read(digest)).await;
        let trouble = match kept {
            Ok(Ok(bytes)) if bytes.is_empty() => return None,
            Ok(Ok(bytes)) if hex_digest(&bytes) == digest => {
                let bytes: Arc<[u8]> = bytes.into();
                let module = self.admission.load(digest.to_owned(), Arc::clone(&bytes), configuration).await;
                self.cache.put(digest, &bytes);
                let facts = Facts { fetched_digest: Some(digest.to_owned()), ..Facts::default() };
                return Some(Loaded { facts, module });
            }
            Ok(Ok(_)) => "it is incomplete, or has been changed".to_owned(),
            Ok(Err(error)) => openmcp_dns_core::chain(&error),
            Err(_) => "it does not come in time".to_owned(),
        };
        let hint = "delete the ConfigMaps openmcp-dns-module-* of it: they are written again";
        tracing::warn!(
            digest,
            trouble,
            hint,
            "unable to use the policy module that is kept on the platform cluster"
        );
        None
    }

    /// Keeps the modules with these digests on the platform cluster, where their bytes are known, and removes
    /// all others that are kept there.
    ///
    /// # Errors
    /// When the platform's API server refuses.
    pub async fn keep<'d>(&self, digests: impl Iterator<Item = &'d String>) -> kube::Result<()> {
        let kept = Kept::new(&self.platform);
        let mut there = kept.list().await?;
        for digest in digests {
            if let Some(module) = self.cache.get(digest) {
                kept.write(digest, &module, &there).await?;
            }
            there.retain(|_, label| label != kept::label(digest));
        }
        for name in there.keys() {
            kept.remove(name).await?;
        }
        Ok(())
    }

    /// The digest of the manifest that a reference means now.
    ///
    /// # Errors
    /// When the registry does not say.
    pub async fn resolve(&self, source: &OciSource) -> Result<String, ModuleError> {
        let resolved = tokio::time::timeout(FETCH, crate::oci::resolve(self, source)).await;
        let too_slow = || ModuleError::TooSlow { origin: source.reference.clone(), limit: FETCH };
        resolved.unwrap_or_else(|_| Err(too_slow()))
    }

    async fn fetch(&self, source: &ModuleSource, facts: &mut Facts) -> Result<Arc<[u8]>, ModuleError> {
        let ModuleSource { built_in, config_map, oci, http, file, sha256 } = source;
        if let Some(BuiltIn::Standard) = built_in {
            return Ok(STANDARD.into());
        }
        let expected = sha256.as_deref();
        if let Some(oci) = oci {
            return crate::oci::fetch(self, oci, expected, facts).await;
        }
        if let Some(http) = http {
            return crate::http::fetch(self, http, expected, facts).await;
        }
        let bytes = match (config_map, file) {
            (Some(key), _) => crate::config_map::fetch(&self.platform, key).await?,
            (None, Some(_)) if !self.allow_files => return Err(ModuleError::FilesNotAllowed),
            (None, Some(file)) => crate::file::fetch(file, self.module_bytes).await?,
            (None, None) => return Err(ModuleError::NoSource),
        };
        facts.downloaded();
        Ok(bytes.into())
    }

    /// Looks at the very bytes that are compiled, whoever looked at them before.
    async fn check_and_admit(
        &self,
        source: &ModuleSource,
        bytes: Arc<[u8]>,
        configuration: String,
        facts: &mut Facts,
    ) -> Result<Arc<Module>, ModuleError> {
        let found = hex_digest(&bytes);
        facts.fetched_digest = Some(found.clone());
        if let Some(expected) = source.sha256.clone().filter(|expected| *expected != found) {
            return Err(ModuleError::Digest { origin: origin(source), found, expected });
        }
        let module = self.admission.load(found.clone(), Arc::clone(&bytes), configuration).await?;
        self.cache.put(&found, &bytes);
        Ok(module)
    }
}

/// Where a module comes from, for people.
fn origin(source: &ModuleSource) -> String {
    let ModuleSource { built_in, config_map, oci, http, file, sha256: _ } = source;
    if let Some(BuiltIn::Standard) = built_in {
        return "the built-in standard module".to_owned();
    }
    let config_map = config_map
        .as_ref()
        .map(|ConfigMapKey { namespace, name, key }| format!("key {key} of ConfigMap {namespace}/{name}"));
    config_map
        .or_else(|| Some(oci.as_ref()?.reference.clone()))
        .or_else(|| Some(crate::http::shown(&http.as_ref()?.url)))
        .or_else(|| Some(format!("file {}", file.as_ref()?.path)))
        .unwrap_or_else(|| "no source".to_owned())
}
