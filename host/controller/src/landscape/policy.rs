//! One DNSPolicy, and the module that decides for it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;
use openmcp_dns_core::name::HostName;
use openmcp_dns_policy::{Description, Module};

use super::govern::{Terms, configuration, govern, shared_names};
use super::module::{Facts, Loaded, ModuleError, Schedule};
use super::select;
use crate::api::conditions::{Finding, Reason, now};
use crate::api::dns_policy::{ConfigMapKey, ModuleSource, ModuleStatus, OciSource};
use crate::api::{Cluster, DNSPolicy, DNSPolicySpec};
use crate::measured::Measured;
use crate::metrics::{Metrics, PolicyMetrics};
use crate::record::Governance;

/// A module with the configuration that it has accepted. Both change together.
struct Active {
    module: Arc<Module>,
    digest: Arc<str>,
    configuration: String,
    source: ModuleSource,
    since: Time,
}

/// Why the module in the spec does not decide.
struct Failure {
    reason: Reason,
    message: String,
}

/// One DNSPolicy, and the module that decides for it.
pub(super) struct PolicyState {
    pub(super) policy: Arc<DNSPolicy>,
    active: Option<Active>,
    /// Counts requests to load, so that the answer to an old one is not taken for the newest.
    request: u64,
    schedule: Schedule,
    /// Of the last download.
    facts: Facts,
    failure: Option<Failure>,
    /// Why it is not known whether a tag has moved.
    check_trouble: Option<String>,
    last_error_time: Option<Time>,
}

impl PolicyState {
    pub(super) fn new(policy: Arc<DNSPolicy>) -> Self {
        Self {
            policy,
            active: None,
            request: 0,
            schedule: Schedule::default(),
            facts: Facts::default(),
            failure: None,
            check_trouble: None,
            last_error_time: None,
        }
    }

    /// Takes in a new state of the object; gives whether the module has to be loaded anew.
    pub(super) fn update(&mut self, policy: Arc<DNSPolicy>) -> bool {
        let old = std::mem::replace(&mut self.policy, policy);
        let DNSPolicySpec { module, configuration, .. } = &self.policy.spec;
        let changed = old.spec.module != *module || old.spec.configuration != *configuration;
        if changed {
            self.schedule.reset();
            self.failure = None;
        }
        changed
    }

    /// The ConfigMap that the module comes from, if it does.
    pub(super) fn config_map(&self) -> Option<&ConfigMapKey> {
        self.policy.spec.module.config_map.as_ref()
    }

    /// What to load now, and the number of the request.
    pub(super) fn request(&mut self) -> (u64, ModuleSource, String) {
        self.request += 1;
        self.schedule.begin();
        let spec = &self.policy.spec;
        (self.request, spec.module.clone(), configuration(spec))
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
        let Loaded { facts, module } = loaded;
        let download_time = facts.download_time.clone().or_else(|| self.facts.download_time.take());
        self.facts = Facts { download_time, ..facts };
        match module {
            Ok(module) => {
                self.failure = None;
                self.check_trouble = None;
                self.schedule.ended();
                let digest: Arc<str> = module.digest().into();
                tracing::info!(policy = %self.policy.name_any(), %digest, "policy module is active");
                let (module, since) = (Arc::new(module), Time(now()));
                self.active = Some(Active { module, digest, configuration, source, since });
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
        // The same trouble is told once, not at every attempt.
        if self.failure.as_ref().is_none_or(|failure| failure.message != message) {
            tracing::warn!(policy = %self.policy.name_any(), message, "policy module is not used");
        }
        if error.is_transient() {
            self.schedule.failed(Instant::now());
        } else {
            self.schedule.ended();
        }
        self.last_error_time = Some(Time(now()));
        self.failure = Some(Failure { reason: error.reason(), message });
    }

    /// Whether it is time to load the module again, after a failure that may have passed.
    pub(super) fn is_retry_due(&self, now: Instant) -> bool {
        self.schedule.is_retry_due(now)
    }

    // === tags that move ===

    /// The reference to look up now, if it is time, and the number of the request that it belongs to.
    pub(super) fn take_tag_check(&mut self, now: Instant, interval: Duration) -> Option<(u64, OciSource)> {
        let oci = self.policy.spec.module.oci.as_ref().filter(|oci| oci.is_followed())?;
        // Before the first download there is nothing to compare with.
        self.facts.manifest_digest.as_ref()?;
        self.schedule.take_check(now, interval).then(|| (self.request, oci.clone()))
    }

    /// From now on, the tag is looked up every so often.
    pub(super) fn follow_tag(&mut self, interval: Duration) {
        self.schedule.check_after(Instant::now(), interval);
    }

    /// Takes in what a tag means now; gives whether the module has to be loaded anew.
    pub(super) fn resolved(&mut self, request: u64, resolved: Result<String, ModuleError>) -> bool {
        if request != self.request {
            return false;
        }
        let policy = self.policy.name_any();
        match resolved {
            Ok(digest) => {
                self.check_trouble = None;
                let moved = self.facts.manifest_digest.as_ref() != Some(&digest);
                if moved {
                    tracing::info!(policy, digest, "the tag of the policy module has moved");
                }
                moved
            }
            // The module that decides is still the right one for all that is known.
            Err(error) => {
                let message =
                    format!("unable to see whether the tag has moved: {}", crate::report::chain(&error));
                if self.check_trouble.as_ref() != Some(&message) {
                    tracing::warn!(policy, message, "the policy module stays");
                }
                self.last_error_time = Some(Time(now()));
                self.check_trouble = Some(message);
                false
            }
        }
    }

    /// How a cluster is governed by this policy; `None` while no module is active or the spec is
    /// unusable.
    pub(super) fn governance(&self, cluster: &Cluster, metrics: &Metrics) -> Option<Governance> {
        let active = self.active.as_ref()?;
        let policy_name = self.policy.name_any();
        let witness = PolicyMetrics::new(policy_name.clone(), metrics.clone());
        let measured = Measured::new(Arc::clone(&active.module), witness);
        let terms = Terms {
            policy_name,
            spec: &self.policy.spec,
            zone: self.base_domain().ok()?,
            policy: Arc::new(measured),
            module_digest: Arc::clone(&active.digest),
            configuration: active.configuration.clone(),
            // CoreDNS's etcd plugin finds a stored wildcard only by asking for `*` itself.
            wildcards: false,
        };
        Some(govern(terms, &select::id(cluster), cluster))
    }

    /// The zone of the landscape.
    pub(super) fn base_domain(&self) -> Result<HostName, String> {
        let text = &self.policy.spec.base_domain;
        text.parse().map_err(|error| format!("spec.baseDomain {text:?}: {error}"))
    }

    // === status ===

    /// Whether the policy is in force.
    pub(super) fn ready(&self) -> Finding {
        let base_domain = match self.base_domain() {
            Ok(base_domain) => base_domain,
            Err(error) => return Finding::bad(Reason::InvalidSpec, error),
        };
        let bad_names: Vec<String> =
            shared_names(&self.policy.spec, &base_domain).filter_map(|(_, name)| name.err()).collect();
        match (&self.active, &self.failure) {
            (None, None) => Finding::unknown(Reason::InProgress, "the policy module is being loaded"),
            (None, Some(Failure { reason, message })) => Finding::bad(
                *reason,
                format!("no module decides, so no name is published under this policy: {message}"),
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
        match (&self.active, &self.failure) {
            (_, None) if !self.is_current() => {
                Finding::unknown(Reason::InProgress, "the policy module is being loaded")
            }
            (Some(active), None) => Finding::good(format!("module with SHA-256 {} decides", active.digest)),
            (Some(active), Some(Failure { reason, message })) => Finding::bad(
                *reason,
                format!("the module with SHA-256 {} goes on deciding: {message}", active.digest),
            ),
            (None, failure) => {
                let failure = failure.as_ref();
                let reason = failure.map_or(Reason::InProgress, |failure| failure.reason);
                Finding::bad(reason, failure.map_or("", |failure| &failure.message))
            }
        }
    }

    fn is_current(&self) -> bool {
        self.active.as_ref().is_some_and(|active| active.source == self.policy.spec.module)
    }

    /// Digests, times and errors, for the status.
    pub(super) fn module_status(&self) -> ModuleStatus {
        let Facts { fetched_digest, manifest_digest, download_time } = &self.facts;
        let active = self.active.as_ref();
        let reference = self.policy.spec.module.oci.as_ref().map(|oci| &oci.reference);
        let resolved = reference.zip(manifest_digest.as_ref()).map(|(reference, digest)| {
            format!("{}@{digest}", reference.split('@').next().unwrap_or_default())
        });
        let failure = self.failure.as_ref().map(|failure| &failure.message);
        ModuleStatus {
            active_digest: active.map_or_else(String::new, |active| active.digest.to_string()),
            last_fetched_digest: fetched_digest.clone().unwrap_or_default(),
            resolved_reference: resolved.unwrap_or_default(),
            description: active.map_or_else(String::new, |active| describe(active.module.description())),
            last_download_time: download_time.clone(),
            last_activation_time: active.map(|active| active.since.clone()),
            last_error: failure.or(self.check_trouble.as_ref()).cloned().unwrap_or_default(),
            last_error_time: self.last_error_time.clone(),
        }
    }
}

fn describe(description: &Description) -> String {
    let Description { name, version, summary: _ } = description;
    format!("{name} {version}")
}
