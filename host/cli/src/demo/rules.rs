//! Rules: the policy that holds in the demo, and the module that decides.

use std::borrow::Cow;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;

use openmcp_dns_api::DNSPolicy;
use openmcp_dns_api::dns_policy::{Mode, ModuleSource};
use openmcp_dns_core::name::HostName;
use openmcp_dns_kit::{BASE_DOMAIN_HINT, LoadedPolicy, PolicyError};
use openmcp_dns_modules::refused::operators_step;
use openmcp_dns_policy::{ConfigurationError, Engine, LoadError, STANDARD};
use openmcp_dns_service::policies::configuration;
use thiserror::Error;

/// Why a policy is not used.
#[derive(Debug, Error)]
pub enum RulesError {
    /// The policy cannot be used anywhere.
    #[error(transparent)]
    Policy(#[from] PolicyError),
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
    /// The module does not accept the configuration.
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
}

impl RulesError {
    /// The next step.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Policy(PolicyError::BaseDomain { .. }) => BASE_DOMAIN_HINT,
            Self::BaseDomainChanged(_) => "start the demo anew to use another zone",
            Self::ConfigMap | Self::Remote => "give the module to the demo with --policy FILE",
            Self::File { .. } => "correct spec.module.file.path; it is relative to the landscape's folder",
            Self::NotEnforced(_) => {
                "set spec.mode to Enforce, or compare two modules with `openmcp-dns policy diff`"
            }
            Self::ModuleChanged => "start the demo anew to use another module",
            Self::Policy(PolicyError::Module(LoadError::Configuration(_))) | Self::Configuration(_) => {
                "correct spec.configuration of the DNSPolicy"
            }
            Self::Policy(PolicyError::Module(error)) => {
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

/// Compiles the module that a policy names, which takes a moment, and has it check the configuration.
///
/// # Errors
/// When the policy cannot be used, or the module is refused.
pub fn load(engine: &Engine, given: &Given, policy: Option<&DNSPolicy>) -> Result<LoadedPolicy, RulesError> {
    let source = policy.map(|policy| policy.spec.module.clone()).unwrap_or_default();
    // What costs nothing to find out comes before the compiler.
    LoadedPolicy::zone_of(policy)?;
    check_mode(given, policy)?;
    let bytes = match &given.module {
        Some(bytes) => Cow::Borrowed(bytes.as_slice()),
        None => bytes_of(given, &source, engine.limits().module_bytes)?,
    };
    Ok(LoadedPolicy::load(engine, &bytes, policy)?)
}

/// The policy in force under a DNSPolicy that has changed. The module stays.
///
/// # Errors
/// When the policy cannot be used; the old one then stays in force.
pub fn changed(
    active: &LoadedPolicy,
    given: &Given,
    policy: Option<&DNSPolicy>,
) -> Result<LoadedPolicy, RulesError> {
    let changed = LoadedPolicy::with_module(Arc::clone(&active.module), policy);
    let source = policy.map(|policy| policy.spec.module.clone()).unwrap_or_default();
    if given.module.is_none() && source != active.spec().module {
        return Err(not_here(&source).unwrap_or(RulesError::ModuleChanged));
    }
    check_mode(given, policy)?;
    let changed = changed?;
    if changed.zone != active.zone {
        return Err(RulesError::BaseDomainChanged(active.zone.clone()));
    }
    changed.module.check_configuration(&configuration(changed.spec()))?;
    Ok(changed)
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
fn check_mode(given: &Given, policy: Option<&DNSPolicy>) -> Result<(), RulesError> {
    let mode = policy.map(|policy| policy.spec.mode).unwrap_or_default();
    match (&given.module, mode) {
        (Some(_), _) | (None, Mode::Enforce) => Ok(()),
        (None, Mode::Monitor | Mode::Rollback) => Err(RulesError::NotEnforced(mode)),
    }
}

#[cfg(test)]
mod tests {
    use openmcp_dns_kit::DEFAULT_BASE_DOMAIN;
    use openmcp_dns_policy::Limits;

    use super::*;

    fn policy(spec: serde_json::Value) -> DNSPolicy {
        DNSPolicy::new("p", serde_json::from_value(spec).unwrap())
    }

    #[test]
    fn a_policy_that_cannot_be_used_is_refused_and_the_old_one_can_stay() {
        let given = Given::default();
        let engine = Engine::new(Limits::default()).unwrap();
        let rules = load(&engine, &given, None).unwrap();
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
            let error = changed(&rules, &given, Some(&policy(spec.clone()))).unwrap_err();
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
        let load_named = |module: serde_json::Value| {
            let spec = serde_json::json!({ "baseDomain": DEFAULT_BASE_DOMAIN, "module": module });
            load(&engine, &given, Some(&policy(spec)))
        };
        let rules = load_named(serde_json::json!({ "file": { "path": "policy.wasm" } })).unwrap();
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
            let error = load_named(module).unwrap_err();
            assert!(error.to_string().contains(expected) && !error.hint().is_empty(), "{error}");
        }
        let spec = serde_json::json!({ "baseDomain": DEFAULT_BASE_DOMAIN });
        let error = changed(&rules, &given, Some(&policy(spec))).unwrap_err();
        assert!(matches!(error, RulesError::ModuleChanged), "{error}");
    }
}
