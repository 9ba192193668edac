//! A policy with the module that decides under it.

use std::sync::Arc;

use openmcp_dns_api::dns_policy::{DeletionGuard, Limits, Mode, ModuleSource, Records, Report, Ttl};
use openmcp_dns_api::{Cluster, DNSPolicy, DNSPolicySpec};
use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::cluster_policy::ClusterPolicy;
use openmcp_dns_core::guards::Guarded;
use openmcp_dns_core::name::{HostName, NameError};
use openmcp_dns_core::policy::Policy;
use openmcp_dns_policy::{Engine, LoadError, Module};
use openmcp_dns_service::policies::{ActiveModule, ActivePolicy, LoadedGuard, configuration};
use thiserror::Error;

/// The zone where no DNSPolicy names another.
pub const DEFAULT_BASE_DOMAIN: &str = "openmcp.cluster";

/// What to do about a base domain that is none.
pub const BASE_DOMAIN_HINT: &str = "name a zone, for example openmcp.cluster";

/// Why a policy cannot be used.
#[derive(Debug, Error)]
pub enum PolicyError {
    /// The zone is no name.
    #[error("spec.baseDomain {text:?} is no host name")]
    BaseDomain {
        /// What the policy says.
        text: String,
        /// What is wrong with it.
        source: NameError,
    },
    /// The module is refused.
    #[error("the policy module is refused")]
    Module(#[from] LoadError),
}

/// The policy that holds, and the module that decides.
#[derive(Clone, Debug)]
pub struct LoadedPolicy {
    /// Name of the DNSPolicy; `None` for the defaults.
    pub name: Option<String>,
    /// The zone of the landscape.
    pub zone: HostName,
    /// The module, loaded with the policy's configuration.
    pub module: Arc<Module>,
    /// The policy's guards.
    guards: Vec<LoadedGuard>,
    spec: DNSPolicySpec,
    configuration: String,
    wildcards: bool,
}

impl LoadedPolicy {
    /// Compiles the module, which takes a moment, and has it check the policy's configuration. Without a
    /// policy, the defaults hold.
    ///
    /// # Errors
    /// When the policy cannot be used, or the module is refused.
    pub fn load(engine: &Engine, module: &[u8], policy: Option<&DNSPolicy>) -> Result<Self, PolicyError> {
        // What costs nothing to find out comes before the compiler.
        Self::zone_of(policy)?;
        let module = engine.load(module, &configuration(spec_of(policy).configuration.as_ref()))?;
        Self::with_module(Arc::new(module), policy)
    }

    /// As [`LoadedPolicy::load`], with a module that has accepted the policy's configuration. Wildcards are
    /// served, as the built-in DNS server does.
    ///
    /// # Errors
    /// When the policy cannot be used.
    pub fn with_module(module: Arc<Module>, policy: Option<&DNSPolicy>) -> Result<Self, PolicyError> {
        let name = policy.map(kube::ResourceExt::name_any);
        let zone = Self::zone_of(policy)?;
        let spec = spec_of(policy);
        let configuration = configuration(spec.configuration.as_ref());
        Ok(Self { name, zone, module, guards: Vec::new(), spec, configuration, wildcards: true })
    }

    /// The zone under a policy.
    ///
    /// # Errors
    /// When what it says is no host name.
    pub fn zone_of(policy: Option<&DNSPolicy>) -> Result<HostName, PolicyError> {
        let text = policy.map_or(DEFAULT_BASE_DOMAIN, |policy| &policy.spec.base_domain);
        text.parse().map_err(|source| PolicyError::BaseDomain { text: text.to_owned(), source })
    }

    /// The same behind guards.
    #[must_use]
    pub fn behind(self, guards: Vec<LoadedGuard>) -> Self {
        Self { guards, ..self }
    }

    /// The module behind its guards.
    #[must_use]
    pub fn policy(&self) -> Arc<dyn Policy> {
        self.asked_through(|module| Arc::clone(module) as Arc<dyn Policy>)
    }

    /// The module behind its guards, where each of them is asked through what `ask` makes of it.
    #[must_use]
    pub fn asked_through(&self, ask: impl Fn(&Arc<Module>) -> Arc<dyn Policy>) -> Arc<dyn Policy> {
        let guards = self.guards.iter().map(|guard| guard.asked_through(ask(&guard.module)));
        Guarded::around(ask(&self.module), guards.collect())
    }

    /// Whether `other` decides alike.
    #[must_use]
    pub fn decides_like(&self, other: &Self) -> bool {
        self.module.digest() == other.module.digest()
            && self.guards.iter().map(LoadedGuard::id).eq(other.guards.iter().map(LoadedGuard::id))
            && self.spec == other.spec
    }

    /// The same where the DNS server in use cannot serve wildcards.
    #[must_use]
    pub fn without_wildcards(self) -> Self {
        Self { wildcards: false, ..self }
    }

    /// What the policy says.
    #[must_use]
    pub const fn spec(&self) -> &DNSPolicySpec {
        &self.spec
    }

    /// Whether the policy holds for a cluster.
    #[must_use]
    pub fn selects(&self, cluster: &Cluster) -> bool {
        self.spec.cluster_selector.as_ref().is_none_or(|selector| selector.selects(cluster))
    }

    /// The policy for one cluster.
    #[must_use]
    pub fn cluster_policy(&self, id: &ClusterId, cluster: &Cluster) -> ClusterPolicy {
        let active = ActivePolicy {
            name: self.name.clone().unwrap_or_else(|| "default".to_owned()),
            spec: &self.spec,
            zone: self.zone.clone(),
            module: ActiveModule {
                policy: self.policy(),
                digest: self.module.digest().into(),
                guards: self.guards.iter().map(LoadedGuard::id).collect(),
                configuration: self.configuration.clone(),
            },
            candidate: None,
            wildcards: self.wildcards,
        };
        active.for_cluster(id, cluster)
    }
}

/// What a policy says, or the defaults.
fn spec_of(policy: Option<&DNSPolicy>) -> DNSPolicySpec {
    policy.map_or_else(
        || DNSPolicySpec {
            base_domain: DEFAULT_BASE_DOMAIN.to_owned(),
            cluster_selector: None,
            module: ModuleSource::default(),
            mode: Mode::default(),
            configuration: None,
            guards: Vec::new(),
            shared_names: Vec::new(),
            shared_suffixes: Vec::new(),
            sources: None,
            deletion_guard: DeletionGuard::default(),
            ttl: Ttl::default(),
            records: Records::default(),
            limits: Limits::default(),
            report: Report::default(),
        },
        |policy| policy.spec.clone(),
    )
}

#[cfg(test)]
mod tests {
    use openmcp_dns_policy::{Limits, STANDARD};

    use super::*;

    fn load(spec: serde_json::Value) -> Result<LoadedPolicy, PolicyError> {
        let engine = Engine::new(Limits::default()).unwrap();
        let policy = DNSPolicy::new("p", serde_json::from_value(spec).unwrap());
        LoadedPolicy::load(&engine, STANDARD, Some(&policy))
    }

    #[test]
    fn a_policy_that_cannot_be_used_is_refused() {
        let error = load(serde_json::json!({ "baseDomain": "a_b" })).unwrap_err();
        assert!(matches!(error, PolicyError::BaseDomain { .. }), "{error}");
        let error =
            load(serde_json::json!({ "baseDomain": "a.b", "configuration": { "unknown": 1 } })).unwrap_err();
        assert!(matches!(error, PolicyError::Module(LoadError::Configuration(_))), "{error}");
    }

    #[test]
    fn names_are_shared_with_the_listed_clusters_only() {
        let policy = load(serde_json::json!({
            "baseDomain": DEFAULT_BASE_DOMAIN,
            "sharedNames": [
                { "name": "shop.openmcp.cluster", "clusters": [{ "name": "w1", "namespace": "s" }] },
                { "name": "elsewhere.example", "clusters": [{ "name": "w1", "namespace": "s" }] },
            ]
        }))
        .unwrap();
        let shared = |name: &str| {
            let policy = policy.cluster_policy(&ClusterId::new("s", name), &Cluster::default());
            policy.module.context.shared_names.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(shared("w1"), ["shop.openmcp.cluster"]);
        assert_eq!(shared("w2"), [""; 0]);
    }
}
