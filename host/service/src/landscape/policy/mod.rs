//! One DNSPolicy, and the module that decides for it.

mod findings;
mod modules;

use openmcp_dns_core::cluster_policy::ClusterPolicy;
use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;
use openmcp_dns_core::name::HostName;

use self::modules::{Admitted, Choice, Modules};
use super::govern::{Terms, configuration, govern};
use super::select;
use crate::metrics::{Metrics, PolicyMetrics};
use openmcp_dns_api::conditions::{Reason, now};
use openmcp_dns_api::dns_policy::{ConfigMapKey, Mode, ModuleChoice, ModuleSource, OciSource};
use openmcp_dns_api::{Cluster, DNSPolicy};
use openmcp_dns_modules::{Facts, Loaded, ModuleError, Schedule};
use openmcp_dns_policy::metered::Metered;

/// Why a module is not used.
struct Failure {
    reason: Reason,
    message: String,
}

/// Which of a policy's modules is loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wanted {
    /// That of the spec.
    Spec,
    /// One that the status remembers: it decided before.
    Remembered,
}

/// Loads one of a policy's modules.
#[derive(Default)]
struct Loading {
    /// Counts requests, so that the answer to an old one is not taken for the newest.
    request: u64,
    schedule: Schedule,
    failure: Option<Failure>,
}

/// What to load.
pub(super) struct Request {
    pub(super) wanted: Wanted,
    pub(super) number: u64,
    pub(super) source: ModuleSource,
    pub(super) configuration: String,
}

/// One DNSPolicy, and the modules that it has.
pub(super) struct PolicyState {
    pub(super) policy: Arc<DNSPolicy>,
    modules: Modules<Admitted>,
    spec: Loading,
    remembered: Loading,
    /// What the status said of the module before the active one; a service that was restarted has not
    /// loaded it.
    previous: Option<ModuleChoice>,
    /// What to load in addition to the module in the spec.
    to_restore: Option<Choice>,
    /// Of the last download for the spec.
    facts: Facts,
    /// Why it is not known whether a tag has moved.
    check_trouble: Option<String>,
    last_error_time: Option<Time>,
}

impl PolicyState {
    /// A policy none of whose modules has been loaded.
    pub(super) fn new(policy: Arc<DNSPolicy>) -> Self {
        let status = policy.status.as_ref().map(|status| status.module.clone());
        let mut state = Self {
            modules: Modules::default(),
            spec: Loading::default(),
            remembered: Loading::default(),
            previous: status.as_ref().and_then(|module| module.previous.clone()),
            to_restore: None,
            facts: Facts::default(),
            check_trouble: None,
            last_error_time: None,
            policy,
        };
        let active = status.as_ref().and_then(|module| Choice::remembered(module.active.as_ref()?));
        let was_active = active.as_ref() == Some(&state.choice());
        state.to_restore = match state.policy.spec.mode {
            // It is loaded as that of the spec.
            Mode::Enforce if was_active => None,
            Mode::Rollback if was_active && state.previous.is_some() => state.take_previous(),
            Mode::Enforce | Mode::Monitor | Mode::Rollback => active,
        };
        state
    }

    fn take_previous(&mut self) -> Option<Choice> {
        self.previous.take().as_ref().and_then(Choice::remembered)
    }

    fn choice(&self) -> Choice {
        let spec = &self.policy.spec;
        Choice { source: spec.module.clone(), configuration: configuration(spec) }
    }

    /// Takes in a new state of the object; gives what has to be loaded.
    pub(super) fn update(&mut self, policy: Arc<DNSPolicy>) -> Vec<Wanted> {
        let old = std::mem::replace(&mut self.policy, policy);
        let (mode, choice) = (self.policy.spec.mode, self.choice());
        let is_same = old.spec.module == choice.source && configuration(&old.spec) == choice.configuration;
        if is_same && old.spec.mode == mode {
            return Vec::new();
        }
        self.spec.schedule.reset();
        self.spec.failure = None;
        if self.modules.chosen(mode, &choice) {
            tracing::info!(policy = %self.policy.name_any(), "the policy module before decides again");
            self.previous = None;
        } else if mode == Mode::Rollback && self.modules.decides(&choice) {
            // The module before has decided in an earlier life of the service.
            self.to_restore = self.take_previous();
        }
        let restore = self.to_restore.is_some().then_some(Wanted::Remembered);
        [Wanted::Spec].into_iter().chain(restore).collect()
    }

    /// What has to be loaded when the policy is new.
    pub(super) fn first(&self) -> Vec<Wanted> {
        let restore = self.to_restore.is_some().then_some(Wanted::Remembered);
        restore.into_iter().chain([Wanted::Spec]).collect()
    }

    /// The ConfigMap that the module in the spec comes from, if it does.
    pub(super) fn config_map(&self) -> Option<&ConfigMapKey> {
        self.policy.spec.module.config_map.as_ref()
    }

    /// What to load now; `None` when there is nothing.
    pub(super) fn request(&mut self, wanted: Wanted) -> Option<Request> {
        let Choice { source, configuration } = match wanted {
            Wanted::Spec => self.choice(),
            Wanted::Remembered => self.to_restore.clone()?,
        };
        let loading = self.loading(wanted);
        loading.request += 1;
        loading.schedule.begin();
        Some(Request { wanted, number: loading.request, source, configuration })
    }

    const fn loading(&mut self, wanted: Wanted) -> &mut Loading {
        match wanted {
            Wanted::Spec => &mut self.spec,
            Wanted::Remembered => &mut self.remembered,
        }
    }

    /// Takes in the answer to a request; gives whether other modules than before are in use now.
    pub(super) fn loaded(&mut self, request: Request, loaded: Loaded) -> bool {
        let Request { wanted, number, source, configuration } = request;
        if number != self.loading(wanted).request {
            return false;
        }
        let Loaded { facts, module } = loaded;
        if wanted == Wanted::Spec {
            let download_time = facts.download_time.clone().or_else(|| self.facts.download_time.take());
            self.facts = Facts { download_time, ..facts };
        }
        let module = match module {
            Ok(module) => module,
            Err(error) => {
                self.note(wanted, &error);
                return false;
            }
        };
        let loading = self.loading(wanted);
        loading.failure = None;
        loading.schedule.ended();
        let digest: Arc<str> = module.digest().into();
        let choice = Choice { source, configuration };
        let module = Admitted { module: Arc::new(module), digest, choice, since: Time(now()) };
        let (mode, policy, digest) = (self.policy.spec.mode, self.policy.name_any(), &module.digest);
        match wanted {
            Wanted::Spec => {
                tracing::info!(policy, %digest, ?mode, "policy module is loaded");
                self.check_trouble = None;
                self.modules.admitted(mode, module);
                if mode.enforces() {
                    self.need_no_other();
                }
            }
            Wanted::Remembered => {
                tracing::info!(policy, %digest, "policy module that decided before is loaded");
                self.to_restore = None;
                self.modules.restored(mode, &self.choice(), module);
            }
        }
        true
    }

    /// The module in the spec decides. The one that decided before may be gone from its source by now; it
    /// is loaded only when somebody wants it back.
    fn need_no_other(&mut self) {
        if self.to_restore.take().is_some() {
            let status = self.policy.status.as_ref();
            self.previous = status.and_then(|status| status.module.active.clone());
            self.remembered.schedule.ended();
            self.remembered.failure = None;
        }
    }

    fn note(&mut self, wanted: Wanted, error: &ModuleError) {
        let message = openmcp_dns_core::chain(error);
        let policy = self.policy.name_any();
        let loading = self.loading(wanted);
        // The same trouble is told once, not at every attempt.
        if loading.failure.as_ref().is_none_or(|failure| failure.message != message) {
            tracing::warn!(policy, message, "policy module is not used");
        }
        if error.is_transient() {
            loading.schedule.failed(Instant::now());
        } else {
            loading.schedule.ended();
        }
        loading.failure = Some(Failure { reason: error.reason(), message });
        self.last_error_time = Some(Time(now()));
    }

    /// What it is time to load again, after a failure that may have passed.
    pub(super) fn due(&self, now: Instant) -> Vec<Wanted> {
        let loadings = [(Wanted::Spec, &self.spec), (Wanted::Remembered, &self.remembered)];
        let due = loadings.into_iter().filter(|(_, loading)| loading.schedule.is_retry_due(now));
        due.map(|(wanted, _)| wanted).collect()
    }

    // === tags that move ===

    /// The reference to look up now, if it is time, and the number of the request that it belongs to.
    pub(super) fn take_tag_check(&mut self, now: Instant, interval: Duration) -> Option<(u64, OciSource)> {
        let oci = self.policy.spec.module.oci.as_ref().filter(|oci| oci.is_followed())?;
        // Before the first download there is nothing to compare with.
        self.facts.manifest_digest.as_ref()?;
        self.spec.schedule.take_check(now, interval).then(|| (self.spec.request, oci.clone()))
    }

    /// From now on, the tag is looked up every so often.
    pub(super) fn follow_tag(&mut self, interval: Duration) {
        self.spec.schedule.check_after(Instant::now(), interval);
    }

    /// Takes in what a tag means now; gives whether the module has to be loaded anew.
    pub(super) fn resolved(&mut self, request: u64, resolved: Result<String, ModuleError>) -> bool {
        if request != self.spec.request {
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
                    format!("unable to see whether the tag has moved: {}", openmcp_dns_core::chain(&error));
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
    pub(super) fn governance(&self, cluster: &Cluster, metrics: &Metrics) -> Option<ClusterPolicy> {
        let active = self.modules.active.as_ref()?;
        let name = self.policy.name_any();
        let counted_as = |label: String| PolicyMetrics::new(label, metrics.clone());
        let mut governance = self.governed_by(active, cluster, counted_as(name.clone()))?;
        let candidate = self.modules.candidate.as_ref();
        // No DNSPolicy has a slash in its name.
        let counted = counted_as(format!("{name}/candidate"));
        let watching = candidate.and_then(|candidate| self.governed_by(candidate, cluster, counted));
        governance.candidate = watching.map(|watching| watching.module);
        Some(governance)
    }

    fn governed_by(
        &self,
        module: &Admitted,
        cluster: &Cluster,
        witness: PolicyMetrics,
    ) -> Option<ClusterPolicy> {
        let policy_name = self.policy.name_any();
        let measured = Metered::new(Arc::clone(&module.module), witness);
        let terms = Terms {
            policy_name,
            spec: &self.policy.spec,
            zone: self.base_domain().ok()?,
            policy: Arc::new(measured),
            module_digest: Arc::clone(&module.digest),
            configuration: module.choice.configuration.clone(),
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
}

#[cfg(test)]
mod tests {
    use openmcp_dns_policy::{Engine, Limits, STANDARD};
    use serde_json::json;

    use super::*;
    use crate::report::tally::Sum;

    fn policy(mode: &str, configuration: &serde_json::Value) -> Arc<DNSPolicy> {
        let module = json!({ "builtIn": "standard" });
        let spec = json!({ "baseDomain": "openmcp.cluster", "mode": mode, "configuration": configuration });
        let active = json!({ "sha256": "", "module": module, "configuration": { "ttlSeconds": 30 } });
        let mut policy = DNSPolicy::new("p", serde_json::from_value(spec).unwrap());
        policy.status = Some(serde_json::from_value(json!({ "module": { "active": active } })).unwrap());
        Arc::new(policy)
    }

    #[test]
    fn a_module_that_decided_before_a_restart_is_missed_only_by_whoever_wants_it_back() {
        let mut state = PolicyState::new(policy("Enforce", &json!({})));
        assert_eq!(state.first(), [Wanted::Remembered, Wanted::Spec]);

        let request = state.request(Wanted::Remembered).unwrap();
        assert_eq!(request.configuration, "{\"ttlSeconds\":30}");
        let gone = Loaded { facts: Facts::default(), module: Err(ModuleError::NoSource) };
        assert!(!state.loaded(request, gone));
        assert_eq!(state.module_active(&Sum::default()).status, Some(false));

        let request = state.request(Wanted::Spec).unwrap();
        let module = Engine::new(Limits::default()).unwrap().load(STANDARD, &request.configuration);
        let loaded = Loaded { facts: Facts::default(), module: Ok(module.unwrap()) };
        assert!(state.loaded(request, loaded));
        assert_eq!(state.module_active(&Sum::default()).status, Some(true));
        let previous = state.module_status().previous.unwrap();
        assert_eq!(previous.configuration, Some(json!({ "ttlSeconds": 30 })));

        assert_eq!(state.update(policy("Rollback", &json!({}))), [Wanted::Spec, Wanted::Remembered]);
        assert_eq!(state.request(Wanted::Remembered).unwrap().configuration, "{\"ttlSeconds\":30}");
    }

    #[test]
    fn a_restarted_service_restores_what_decides_instead_of_the_module_in_the_spec() {
        let same = json!({ "ttlSeconds": 30 });
        for (mode, configuration, expected) in [
            ("Enforce", &same, &[Wanted::Spec][..]),
            ("Monitor", &same, &[Wanted::Remembered, Wanted::Spec]),
            ("Monitor", &json!({}), &[Wanted::Remembered, Wanted::Spec]),
            ("Rollback", &json!({}), &[Wanted::Remembered, Wanted::Spec]),
        ] {
            assert_eq!(PolicyState::new(policy(mode, configuration)).first(), expected, "{mode}");
        }
    }

    #[test]
    fn the_last_good_module_goes_on_deciding_when_another_is_not_compiled_in_time() {
        let spec = serde_json::from_value(json!({ "baseDomain": "openmcp.cluster" })).unwrap();
        let mut state = PolicyState::new(Arc::new(DNSPolicy::new("p", spec)));
        let mut load = |module| {
            let request = state.request(Wanted::Spec).unwrap();
            let changed = state.loaded(request, Loaded { facts: Facts::default(), module });
            (changed, state.module_active(&Sum::default()))
        };
        assert!(load(Ok(Engine::new(Limits::default()).unwrap().load(STANDARD, "{}").unwrap())).0);

        let late = ModuleError::NotCompiledInTime { limit: Duration::from_millis(1) };
        assert!(late.is_transient());
        let (changed, finding) = load(Err(late));
        assert!(!changed);
        assert_eq!(finding.reason, Reason::ModuleUnavailable);
        assert!(finding.message.contains("goes on deciding: the module was not compiled"), "{finding:?}");
    }
}
