//! Rules: the policy that holds in the demo, and the module that decides.

use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt as _;
use openmcp_dns_core::brake::BrakeLimits;
use openmcp_dns_core::cluster::{ClusterFacts, ClusterId};
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::policy::Context;
use openmcp_dns_policy::{ConfigurationError, Engine, LoadError, Module, STANDARD};
use thiserror::Error;

use crate::api::dns_policy::{DeletionGuard, ModuleSource};
use crate::api::{Cluster, DNSPolicy, DNSPolicySpec};
use crate::landscape::selects;
use crate::record::Governance;

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
    /// The module is refused.
    #[error("the policy module is refused")]
    Module(#[from] LoadError),
    /// The module does not accept the configuration.
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
}

impl RulesError {
    /// The next step.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::BaseDomain { .. } => "name a zone, for example openmcp.cluster",
            Self::BaseDomainChanged(_) => "start the demo anew to use another zone",
            Self::ConfigMap => "give the module to the demo with --policy FILE",
            Self::Module(LoadError::Configuration(_)) | Self::Configuration(_) => {
                "correct spec.configuration of the DNSPolicy"
            }
            Self::Module(_) => "build the module for the contract in wit/policy.wit",
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
}

impl Rules {
    /// Compiles the module, which takes a moment, and has it check the configuration.
    ///
    /// # Errors
    /// When the policy cannot be used, or the module is refused.
    pub fn load(engine: &Engine, given: &Given, policy: Option<&DNSPolicy>) -> Result<Self, RulesError> {
        let (name, spec) = spec_of(policy);
        let zone = zone_of(&spec)?;
        let configuration = configuration_of(&spec);
        let bytes = match (&given.module, &spec.module) {
            (Some(bytes), _) => bytes.as_slice(),
            (None, ModuleSource { config_map: Some(_), .. }) => return Err(RulesError::ConfigMap),
            (None, _) => STANDARD,
        };
        let module = Arc::new(engine.load(bytes, &configuration)?);
        Ok(Self { name, zone, module, spec, configuration })
    }

    /// The rules under a policy that has changed. The module stays.
    ///
    /// # Errors
    /// When the policy cannot be used; the old rules then stay in force.
    pub fn changed(&self, given: &Given, policy: Option<&DNSPolicy>) -> Result<Self, RulesError> {
        let (name, spec) = spec_of(policy);
        if given.module.is_none() && spec.module.config_map.is_some() {
            return Err(RulesError::ConfigMap);
        }
        if zone_of(&spec)? != self.zone {
            return Err(RulesError::BaseDomainChanged(self.zone.clone()));
        }
        let configuration = configuration_of(&spec);
        self.module.check_configuration(&configuration)?;
        Ok(Self { name, zone: self.zone.clone(), module: Arc::clone(&self.module), spec, configuration })
    }

    /// Whether the policy holds for a cluster.
    pub fn selects(&self, cluster: &Cluster) -> bool {
        self.spec.cluster_selector.as_ref().is_none_or(|selector| selects(selector, cluster))
    }

    /// How a cluster is governed.
    pub fn governance(&self, id: &ClusterId, cluster: &Cluster) -> Governance {
        let shared = self.spec.shared_names.iter().filter(|shared| {
            let mut clusters = shared.clusters.iter();
            clusters.any(|cluster| cluster.name == id.name && cluster.namespace == id.namespace)
        });
        let mut shared_names: Vec<HostName> = shared
            .filter_map(|shared| shared.name.parse().ok())
            .filter(|name: &HostName| name.is_below(&self.zone))
            .collect();
        shared_names.sort_unstable();
        shared_names.dedup();
        let DeletionGuard { max_percent, free_names, hold_seconds } = self.spec.deletion_guard;
        Governance {
            policy_name: self.name.clone().unwrap_or_else(|| "default".to_owned()),
            policy: self.module.clone(),
            module_digest: self.module.digest().into(),
            context: Arc::new(Context {
                base_domain: self.zone.clone(),
                cluster: ClusterFacts {
                    id: id.clone(),
                    purposes: cluster.spec.purposes.clone(),
                    labels: cluster.labels().clone(),
                },
                configuration: self.configuration.clone(),
                shared_names,
            }),
            // The built-in DNS server finds them.
            wildcards: true,
            brake: BrakeLimits {
                share_percent: max_percent,
                free_names: usize::try_from(free_names).unwrap_or(usize::MAX),
            },
            hold: Duration::from_secs(hold_seconds.into()),
            created: cluster.creation_timestamp().map(|time| time.0).unwrap_or_default(),
        }
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
            configuration: None,
            shared_names: Vec::new(),
            deletion_guard: DeletionGuard::default(),
        },
        |policy| policy.spec.clone(),
    );
    (policy.map(kube::ResourceExt::name_any), spec)
}

fn zone_of(spec: &DNSPolicySpec) -> Result<HostName, RulesError> {
    let text = &spec.base_domain;
    text.parse().map_err(|source| RulesError::BaseDomain { text: text.clone(), source })
}

fn configuration_of(spec: &DNSPolicySpec) -> String {
    spec.configuration.as_ref().map_or_else(|| "{}".to_owned(), serde_json::Value::to_string)
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
            governance.context.shared_names.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(shared("w1"), ["shop.openmcp.cluster"]);
        assert_eq!(shared("w2"), [""; 0]);
    }
}
