//! One DNSPolicy, and the module that decides for it.

use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt as _;
use openmcp_dns_core::brake::BrakeLimits;
use openmcp_dns_core::cluster::ClusterFacts;
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::policy::Context;
use openmcp_dns_policy::{Description, Module};

use super::module::{Loaded, ModuleError};
use super::select;
use crate::api::conditions::{Finding, Reason};
use crate::api::dns_policy::{ConfigMapKey, DeletionGuard, ModuleSource, ModuleStatus, SharedName};
use crate::api::{Cluster, DNSPolicy, DNSPolicySpec};
use crate::metrics::{Measured, Metrics};
use crate::record::Governance;

/// A module with the configuration that it has accepted. Both change together.
struct Active {
    module: Arc<Module>,
    digest: Arc<str>,
    configuration: String,
    source: ModuleSource,
}

/// One DNSPolicy, and the module that decides for it.
pub(super) struct PolicyState {
    pub(super) policy: Arc<DNSPolicy>,
    active: Option<Active>,
    /// Counts requests to load, so that the answer to an old one is not taken for the newest.
    request: u64,
    last_fetched_digest: String,
    last_error: Option<(String, bool)>,
}

impl PolicyState {
    pub(super) fn new(policy: Arc<DNSPolicy>) -> Self {
        Self { policy, active: None, request: 0, last_fetched_digest: String::new(), last_error: None }
    }

    /// Takes in a new state of the object; gives whether the module has to be loaded anew.
    pub(super) fn update(&mut self, policy: Arc<DNSPolicy>) -> bool {
        let old = std::mem::replace(&mut self.policy, policy);
        let DNSPolicySpec { module, configuration, .. } = &self.policy.spec;
        old.spec.module != *module || old.spec.configuration != *configuration
    }

    /// The ConfigMap that the module comes from, if it does.
    pub(super) fn config_map(&self) -> Option<&ConfigMapKey> {
        self.policy.spec.module.config_map.as_ref()
    }

    /// What to load now, and the number of the request.
    pub(super) fn request(&mut self) -> (u64, ModuleSource, String) {
        self.request += 1;
        let DNSPolicySpec { module, configuration, .. } = &self.policy.spec;
        let configuration =
            configuration.as_ref().map_or_else(|| "{}".to_owned(), serde_json::Value::to_string);
        (self.request, module.clone(), configuration)
    }

    /// Takes in the answer to a request; gives whether another module or configuration decides now.
    pub(super) fn loaded(
        &mut self,
        request: u64,
        source: ModuleSource,
        configuration: String,
        loaded: Loaded,
    ) -> bool {
        if request != self.request {
            return false;
        }
        let Loaded { fetched_digest, module } = loaded;
        self.last_fetched_digest = fetched_digest.unwrap_or_default();
        match module {
            Ok(module) => {
                self.last_error = None;
                let digest: Arc<str> = module.digest().into();
                tracing::info!(policy = %self.policy.name_any(), %digest, "policy module is active");
                self.active = Some(Active { module: Arc::new(module), digest, configuration, source });
                true
            }
            Err(error) => {
                self.note(&error);
                false
            }
        }
    }

    fn note(&mut self, error: &ModuleError) {
        let message = crate::report::chain(error);
        tracing::warn!(policy = %self.policy.name_any(), %message, "policy module is not used");
        self.last_error = Some((message, error.is_transient()));
    }

    /// Whether the last attempt to load failed for a reason that may pass by itself.
    pub(super) fn wants_retry(&self) -> bool {
        matches!(self.last_error, Some((_, true)))
    }

    /// How a cluster is governed by this policy; `None` while no module is active or the spec is
    /// unusable.
    pub(super) fn governance(&self, cluster: &Cluster, metrics: &Metrics) -> Option<Governance> {
        let active = self.active.as_ref()?;
        let base_domain = self.base_domain().ok()?;
        let id = select::id(cluster);
        let shared_names = self
            .shared_names(&base_domain)
            .filter(|(shared, _)| shared.clusters.iter().any(|identity| select::is(identity, &id)))
            .filter_map(|(_, name)| name.ok());
        let mut shared_names: Vec<HostName> = shared_names.collect();
        shared_names.sort_unstable();
        shared_names.dedup();
        let facts =
            ClusterFacts { id, purposes: cluster.spec.purposes.clone(), labels: cluster.labels().clone() };
        let DeletionGuard { max_percent, free_names, hold_seconds } = self.policy.spec.deletion_guard;
        Some(Governance {
            policy_name: self.policy.name_any(),
            policy: Arc::new(Measured::new(
                Arc::clone(&active.module),
                self.policy.name_any(),
                metrics.clone(),
            )),
            module_digest: Arc::clone(&active.digest),
            context: Arc::new(Context {
                base_domain,
                cluster: facts,
                configuration: active.configuration.clone(),
                shared_names,
            }),
            // CoreDNS's etcd plugin finds a stored wildcard only by asking for `*` itself.
            wildcards: false,
            brake: BrakeLimits {
                share_percent: max_percent,
                free_names: usize::try_from(free_names).unwrap_or(usize::MAX),
            },
            hold: Duration::from_secs(hold_seconds.into()),
            created: cluster.creation_timestamp().map(|time| time.0).unwrap_or_default(),
        })
    }

    /// The zone of the landscape.
    pub(super) fn base_domain(&self) -> Result<HostName, String> {
        let text = &self.policy.spec.base_domain;
        text.parse().map_err(|error| format!("spec.baseDomain {text:?}: {error}"))
    }

    /// Each shared name of the spec, or what is wrong with it.
    fn shared_names<'s>(
        &'s self,
        base_domain: &'s HostName,
    ) -> impl Iterator<Item = (&'s SharedName, Result<HostName, String>)> {
        self.policy.spec.shared_names.iter().map(move |shared| {
            let text = &shared.name;
            let name = match text.parse::<HostName>() {
                Err(error) => Err(format!("spec.sharedNames: {text:?}: {error}")),
                Ok(name) if !name.is_below(base_domain) => {
                    Err(format!("spec.sharedNames: {name} does not lie below {base_domain}"))
                }
                Ok(name) => Ok(name),
            };
            (shared, name)
        })
    }

    // === status ===

    /// Whether the policy is in force.
    pub(super) fn ready(&self) -> Finding {
        let base_domain = match self.base_domain() {
            Ok(base_domain) => base_domain,
            Err(error) => return Finding::bad(Reason::InvalidSpec, error),
        };
        let bad_names: Vec<String> =
            self.shared_names(&base_domain).filter_map(|(_, name)| name.err()).collect();
        match (&self.active, &self.last_error) {
            (None, None) => Finding::unknown(Reason::InProgress, "the policy module is being loaded"),
            (None, Some((error, _))) => Finding::bad(
                Reason::ModuleRejected,
                format!("no module decides, so no name is published under this policy: {error}"),
            ),
            (Some(_), _) if !bad_names.is_empty() => Finding::bad(
                Reason::InvalidSpec,
                format!("the policy is in force, without these names: {}", bad_names.join("; ")),
            ),
            (Some(active), _) => {
                Finding::good(format!("module {} decides", describe(active.module.description())))
            }
        }
    }

    /// Whether the module in the spec is the one that decides.
    pub(super) fn module_active(&self) -> Finding {
        match (&self.active, &self.last_error) {
            (_, None) if !self.is_current() => {
                Finding::unknown(Reason::InProgress, "the policy module is being loaded")
            }
            (Some(active), None) => Finding::good(format!("module with SHA-256 {} decides", active.digest)),
            (Some(active), Some((error, _))) => Finding::bad(
                Reason::ModuleRejected,
                format!("the module with SHA-256 {} goes on deciding: {error}", active.digest),
            ),
            (None, error) => {
                let error = error.as_ref().map_or("", |(error, _)| error);
                Finding::bad(Reason::ModuleRejected, error)
            }
        }
    }

    fn is_current(&self) -> bool {
        self.active.as_ref().is_some_and(|active| active.source == self.policy.spec.module)
    }

    /// Digests and errors, for the status.
    pub(super) fn module_status(&self) -> ModuleStatus {
        ModuleStatus {
            active_digest: self.active.as_ref().map_or_else(String::new, |active| active.digest.to_string()),
            last_fetched_digest: self.last_fetched_digest.clone(),
            description: self
                .active
                .as_ref()
                .map_or_else(String::new, |active| describe(active.module.description())),
            last_error: self.last_error.as_ref().map_or_else(String::new, |(error, _)| error.clone()),
        }
    }
}

fn describe(description: &Description) -> String {
    let Description { name, version, summary: _ } = description;
    format!("{name} {version}")
}
