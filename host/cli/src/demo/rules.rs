//! Rules: the policy that holds in the demo, and the module that decides.

use openmcp_dns_core::cluster_policy::ClusterPolicy;
use std::borrow::Cow;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;

use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::name::HostName;
use openmcp_dns_policy::{ConfigurationError, Engine, LoadError, Module, STANDARD};
use thiserror::Error;

use openmcp_dns_api::dns_policy::{DeletionGuard, Mode, ModuleSource};
use openmcp_dns_api::{Cluster, DNSPolicy, DNSPolicySpec};
use openmcp_dns_modules::refused::operators_step;
use openmcp_dns_service::landscape::selects;
use openmcp_dns_service::policies::{ActiveModule, ActivePolicy, configuration};

/// The zone where no DNSPolicy names another.
pub const DEFAULT_BASE_DOMAIN: &str = "openmcp.cluster";

/// Why a policy is not used.
#[derive(Debug, Error)]
pub enum RulesError {
    /// The zone is no name.
    #[error("spec.baseDomain {text:?} is no host name")]
    BaseDomain {
        /// What the policy says.
        text: String,
        /// What is wrong with it.
        source: openmcp_dns_core::name::NameError,
    },
    /// Everything that is published lies below the zone.
    #[error("spec.baseDomain cannot be changed from {0} while the demo runs")]
    BaseDomainChanged(HostName),
    /// The module is in a ConfigMap.
    #[error("spec.module names a ConfigMap, and the demo has none")]
    ConfigMap,
    /// The module would have to be downloaded.
    #[error("spec.module names a registry or a web server, and the demo downloads nothing")]
    Remote,
    /// The module's file cannot be read.
    #[error("failed to read {path}, the file that spec.module names")]
    File {
        /// The path, with that of the landscape's folder in front.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// Another module than the one in the spec should decide.
    #[error("spec.mode is {0:?}, so the module in spec.module does not decide, and the demo has no other")]
    NotEnforced(Mode),
    /// The module of a running demo stays.
    #[error("spec.module cannot be changed while the demo runs")]
    ModuleChanged,
    /// The module is refused.
    #[error("the policy module is refused")]
    Module(#[from] LoadError),
    /// The module does not accept the configuration.
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
}

impl RulesError {
    /// The next step.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::BaseDomain { .. } => "name a zone, for example openmcp.cluster",
            Self::BaseDomainChanged(_) => "start the demo anew to use another zone",
            Self::ConfigMap | Self::Remote => "give the module to the demo with --policy FILE",
            Self::File { .. } => "correct spec.module.file.path; it is relative to the landscape's folder",
            Self::NotEnforced(_) => {
                "set spec.mode to Enforce, or compare two modules with `openmcp-dns policy diff`"
            }
            Self::ModuleChanged => "start the demo anew to use another module",
            Self::Module(LoadError::Configuration(_)) | Self::Configuration(_) => {
                "correct spec.configuration of the DNSPolicy"
            }
            Self::Module(error) => {
                operators_step(error).unwrap_or("build the module for the contract in wit/policy.wit")
            }
        }
    }
}

/// What is used instead of what the landscape says.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// Bytes of a policy module.
    pub module: Option<Vec<u8>>,
    /// A policy.
    pub policy: Option<DNSPolicy>,
    /// The landscape's folder, in which a policy may name a module.
    pub folder: PathBuf,
}

/// The policy that holds, and the module that decides.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Name of the DNSPolicy; `None` for the defaults.
    pub name: Option<String>,
    /// The zone of the landscape.
    pub zone: HostName,
    /// The module.
    pub module: Arc<Module>,
    spec: DNSPolicySpec,
    configuration: String,
    wildcards: bool,
}

impl Rules {
    /// Compiles the module, which takes a moment, and has it check the configuration.
    ///
    /// # Errors
    /// When the policy cannot be used, or the module is refused.
    pub fn load(engine: &Engine, given: &Given, policy: Option<&DNSPolicy>) -> Result<Self, RulesError> {
        let (_, spec) = spec_of(policy);
        // What costs nothing to find out comes before the compiler.
        zone_of(&spec)?;
        check_mode(given, spec.mode)?;
        let bytes = match &given.module {
            Some(bytes) => Cow::Borrowed(bytes.as_slice()),
            None => bytes_of(given, &spec.module, engine.limits().module_bytes)?,
        };
        let module = engine.load(&bytes, &configuration(&spec))?;
        Self::with_module(Arc::new(module), policy)
    }

    /// The rules with a module that was loaded with the policy's configuration.
    ///
    /// # Errors
    /// When the policy cannot be used.
    pub fn with_module(module: Arc<Module>, policy: Option<&DNSPolicy>) -> Result<Self, RulesError> {
        let (name, spec) = spec_of(policy);
        let zone = zone_of(&spec)?;
        let configuration = configuration(&spec);
        // The built-in DNS server finds wildcards.
        Ok(Self { name, zone, module, spec, configuration, wildcards: true })
    }

    /// The same rules where the DNS server in use cannot serve wildcards.
    #[must_use]
    pub fn without_wildcards(self) -> Self {
        Self { wildcards: false, ..self }
    }

    /// The rules under a policy that has changed. The module stays.
    ///
    /// # Errors
    /// When the policy cannot be used; the old rules then stay in force.
    pub fn changed(&self, given: &Given, policy: Option<&DNSPolicy>) -> Result<Self, RulesError> {
        let (name, spec) = spec_of(policy);
        if given.module.is_none() && spec.module != self.spec.module {
            return Err(not_here(&spec.module).unwrap_or(RulesError::ModuleChanged));
        }
        check_mode(given, spec.mode)?;
        if zone_of(&spec)? != self.zone {
            return Err(RulesError::BaseDomainChanged(self.zone.clone()));
        }
        let configuration = configuration(&spec);
        self.module.check_configuration(&configuration)?;
        let (zone, module) = (self.zone.clone(), Arc::clone(&self.module));
        Ok(Self { name, zone, module, spec, configuration, wildcards: self.wildcards })
    }

    /// Whether the policy holds for a cluster.
    pub fn selects(&self, cluster: &Cluster) -> bool {
        self.spec.cluster_selector.as_ref().is_none_or(|selector| selects(selector, cluster))
    }

    /// How a cluster is governed.
    pub fn governance(&self, id: &ClusterId, cluster: &Cluster) -> ClusterPolicy {
        let active = ActivePolicy {
            name: self.name.clone().unwrap_or_else(|| "default".to_owned()),
            spec: &self.spec,
            zone: self.zone.clone(),
            module: ActiveModule {
                policy: self.module.clone(),
                digest: self.module.digest().into(),
                configuration: self.configuration.clone(),
            },
            candidate: None,
            wildcards: self.wildcards,
        };
        active.for_cluster(id, cluster)
    }

    /// After how many seconds a held deletion goes on.
    pub const fn hold_seconds(&self) -> u32 {
        self.spec.deletion_guard.hold_seconds
    }
}

fn spec_of(policy: Option<&DNSPolicy>) -> (Option<String>, DNSPolicySpec) {
    let spec = policy.map_or_else(
        || DNSPolicySpec {
            base_domain: DEFAULT_BASE_DOMAIN.to_owned(),
            cluster_selector: None,
            module: ModuleSource::default(),
            mode: Mode::default(),
            configuration: None,
            shared_names: Vec::new(),
            deletion_guard: DeletionGuard::default(),
        },
        |policy| policy.spec.clone(),
    );
    (policy.map(kube::ResourceExt::name_any), spec)
}

/// Why the demo cannot use a source, if it cannot.
const fn not_here(source: &ModuleSource) -> Option<RulesError> {
    if source.config_map.is_some() {
        return Some(RulesError::ConfigMap);
    }
    if source.oci.is_some() || source.http.is_some() { Some(RulesError::Remote) } else { None }
}

/// The module that a policy names. One byte more than `limit` at most, so that what is too large is
/// seen to be.
fn bytes_of(given: &Given, source: &ModuleSource, limit: usize) -> Result<Cow<'static, [u8]>, RulesError> {
    if let Some(error) = not_here(source) {
        return Err(error);
    }
    let Some(file) = &source.file else { return Ok(Cow::Borrowed(STANDARD)) };
    let path = given.folder.join(&file.path);
    let at_most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    std::fs::File::open(&path)
        .and_then(|file| file.take(at_most).read_to_end(&mut bytes))
        .map_err(|source| RulesError::File { path: path.display().to_string(), source })?;
    Ok(Cow::Owned(bytes))
}

/// There is one module, so it has to be one that decides.
const fn check_mode(given: &Given, mode: Mode) -> Result<(), RulesError> {
    match (&given.module, mode) {
        (Some(_), _) | (None, Mode::Enforce) => Ok(()),
        (None, Mode::Monitor | Mode::Rollback) => Err(RulesError::NotEnforced(mode)),
    }
}

fn zone_of(spec: &DNSPolicySpec) -> Result<HostName, RulesError> {
    let text = &spec.base_domain;
    text.parse().map_err(|source| RulesError::BaseDomain { text: text.clone(), source })
}

#[cfg(test)]
mod tests {
    use openmcp_dns_policy::Limits;

    use super::*;

    fn policy(spec: serde_json::Value) -> DNSPolicy {
        DNSPolicy::new("p", serde_json::from_value(spec).unwrap())
    }

    #[test]
    fn a_policy_that_cannot_be_used_is_refused_and_the_old_one_can_stay() {
        let given = Given::default();
        let engine = Engine::new(Limits::default()).unwrap();
        let rules = Rules::load(&engine, &given, None).unwrap();
        assert_eq!(rules.zone.as_str(), DEFAULT_BASE_DOMAIN);
        for (spec, expected) in [
            (serde_json::json!({ "baseDomain": "a_b" }), "no host name"),
            (serde_json::json!({ "baseDomain": "other.cluster" }), "cannot be changed"),
            (
                serde_json::json!({
                    "baseDomain": DEFAULT_BASE_DOMAIN,
                    "module": { "configMap": { "namespace": "a", "name": "b" }, "sha256": "0" }
                }),
                "ConfigMap",
            ),
            (serde_json::json!({ "baseDomain": DEFAULT_BASE_DOMAIN, "mode": "Monitor" }), "does not decide"),
            (
                serde_json::json!({ "baseDomain": DEFAULT_BASE_DOMAIN, "configuration": { "unknown": 1 } }),
                "refuses its configuration",
            ),
        ] {
            let error = rules.changed(&given, Some(&policy(spec.clone()))).unwrap_err();
            assert!(error.to_string().contains(expected), "{spec}: {error}");
            assert!(!error.hint().is_empty());
        }
    }

    #[test]
    fn a_module_in_a_file_is_found_in_the_landscapes_folder() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("policy.wasm"), STANDARD).unwrap();
        let given = Given { folder: folder.path().to_owned(), ..Given::default() };
        let engine = Engine::new(Limits::default()).unwrap();
        let load = |module: serde_json::Value| {
            let spec = serde_json::json!({ "baseDomain": DEFAULT_BASE_DOMAIN, "module": module });
            Rules::load(&engine, &given, Some(&policy(spec)))
        };
        let rules = load(serde_json::json!({ "file": { "path": "policy.wasm" } })).unwrap();
        assert_eq!(rules.module.description().name, "standard");
        for (module, expected) in [
            (serde_json::json!({ "file": { "path": "other.wasm" } }), "other.wasm"),
            (
                serde_json::json!({ "http": { "url": "https://a.example/b" }, "sha256": "0" }),
                "downloads nothing",
            ),
            (
                serde_json::json!({ "oci": { "reference": "a.example/b:1" }, "sha256": "0" }),
                "downloads nothing",
            ),
        ] {
            let error = load(module).unwrap_err();
            assert!(error.to_string().contains(expected) && !error.hint().is_empty(), "{error}");
        }
        let spec = serde_json::json!({ "baseDomain": DEFAULT_BASE_DOMAIN });
        let error = rules.changed(&given, Some(&policy(spec))).unwrap_err();
        assert!(matches!(error, RulesError::ModuleChanged), "{error}");
    }

    #[test]
    fn names_are_shared_with_the_listed_clusters_only() {
        let engine = Engine::new(Limits::default()).unwrap();
        let policy = policy(serde_json::json!({
            "baseDomain": DEFAULT_BASE_DOMAIN,
            "sharedNames": [
                { "name": "shop.openmcp.cluster", "clusters": [{ "name": "w1", "namespace": "s" }] },
                { "name": "elsewhere.example", "clusters": [{ "name": "w1", "namespace": "s" }] },
            ]
        }));
        let rules = Rules::load(&engine, &Given::default(), Some(&policy)).unwrap();
        let shared = |name: &str| {
            let governance = rules.governance(&ClusterId::new("s", name), &Cluster::default());
            governance.module.context.shared_names.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(shared("w1"), ["shop.openmcp.cluster"]);
        assert_eq!(shared("w2"), [""; 0]);
    }
}
