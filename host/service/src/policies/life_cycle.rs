//! The life cycle of one policy as a machine: what happens goes in, what has to be done comes out.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::ResourceExt as _;
use openmcp_dns_core::name::HostName;

use super::active::ActivePolicy;
use super::loading::Incoming;
use super::module::{Admitted, Choice, ChosenBy, Load, PolicyModule, Remembered};
use super::modules::Modules;
use super::occurrence::ModuleOccurrence;
use openmcp_dns_api::dns_policy::{ConfigMapKey, Mode, ModuleChoice, ModuleStatus, OciSource};
use openmcp_dns_api::{DNSPolicy, ignored_by};
use openmcp_dns_modules::{Facts, Loaded, ModuleError};

/// What happens to a policy.
pub enum Input<M> {
    /// The object is another one.
    Changed(Arc<DNSPolicy>),
    /// Somebody wants the module in the spec loaded anew, now.
    Reconcile,
    /// A ConfigMap that the module in the spec or one of its guards comes from was seen, with a module of this digest
    /// in it; `None` where that is not known.
    ConfigMapSeen(Option<String>),
    /// A load has ended.
    Loaded(Load, Loaded<M>),
    /// What the tag of the module in the spec means now; with the number that the look-up had.
    Resolved(u64, Result<String, ModuleError>),
    /// Time has passed.
    Tick,
}

/// What has to be done for a policy.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect {
    /// Follow these ConfigMaps and no others: the module in the spec and its guards come from them.
    Follow(BTreeSet<ConfigMapKey>),
    /// Load a module. An earlier load for the same one is of no use any more.
    Load(Load),
    /// See what a tag means now; the answer comes back with the number.
    LookUp(u64, OciSource),
    /// Tell the clusters: other modules than before are in use. When the object changes they are told in any
    /// case, because other things than modules may be others.
    TellClusters,
    /// Tell those who want to know what happened to the modules.
    Tell(ModuleOccurrence),
}

/// When something happens, by both clocks, and some chance.
#[derive(Clone, Debug)]
pub struct Moment {
    /// For waiting.
    pub instant: Instant,
    /// For people.
    pub time: Time,
    /// From 0 to 1: services that failed together do not come back together.
    pub random: f64,
}

/// One DNSPolicy, and the modules that it has. A module that decides goes on until another one is admitted
/// that may: no failure, no change of the spec and no restart takes it away.
pub struct PolicyLifeCycle<M> {
    pub(super) policy: Arc<DNSPolicy>,
    /// The annotation by which the object is to be left alone: what it says since then does not count.
    ignored_by: Option<&'static str>,
    pub(super) modules: Modules<Admitted<M>>,
    pub(super) spec: Incoming,
    pub(super) remembered: Incoming,
    /// What the status said of the module before the active one; a service that was restarted has not
    /// loaded it.
    pub(super) previous: Option<ModuleChoice>,
    /// What to load in addition to the module in the spec.
    pub(super) to_restore: Option<Remembered>,
    /// Of the last download for the spec.
    pub(super) facts: Facts,
    /// Why it is not known whether a tag has moved.
    pub(super) check_trouble: Option<String>,
    pub(super) last_error_time: Option<Time>,
    pub(super) landscape: LandscapeFacts,
}

/// What is the same for all policies of a landscape.
#[derive(Clone, Copy, Debug)]
pub struct LandscapeFacts {
    /// How often the tag of a policy's module is looked up.
    pub tag_check: Duration,
    /// Whether the DNS server in use can serve wildcards. CoreDNS's etcd plugin cannot: it finds a stored
    /// one only by asking for `*` itself.
    pub wildcards: bool,
}

impl<M: PolicyModule> PolicyLifeCycle<M> {
    /// Begins with a policy none of whose modules has been loaded, perhaps because the service has just been
    /// started.
    pub fn new(policy: Arc<DNSPolicy>, landscape: LandscapeFacts) -> (Self, Vec<Effect>) {
        let status = policy.status.as_ref().map(|status| status.module.clone());
        let mut begun = Self {
            modules: Modules::default(),
            spec: Incoming::default(),
            remembered: Incoming::default(),
            previous: status.as_ref().and_then(|module| module.previous.clone()),
            to_restore: None,
            facts: Facts {
                download_time: status.as_ref().and_then(|module| module.last_download_time.clone()),
                ..Facts::default()
            },
            check_trouble: None,
            last_error_time: status.as_ref().and_then(|module| module.last_error_time.clone()),
            landscape,
            ignored_by: ignored_by(&*policy),
            policy,
        };
        let active = status.as_ref().and_then(|module| Remembered::of(module.active.as_ref()?));
        let was_active = active.as_ref().is_some_and(|active| *active.choice == begun.choice());
        begun.to_restore = match begun.policy.spec.mode {
            // Nobody can take it away.
            Mode::Enforce if was_active && active.as_ref().is_some_and(Remembered::is_built_in) => None,
            Mode::Rollback if was_active && begun.previous.is_some() => begun.take_previous(),
            // Also where the spec names the same: its source may be away.
            Mode::Enforce | Mode::Monitor | Mode::Rollback => active,
        };
        let effects = begun.load_all([ChosenBy::Status, ChosenBy::Spec]);
        (begun, effects)
    }

    /// Takes in what has happened; gives what has to be done.
    pub fn handle(&mut self, input: Input<M>, moment: &Moment) -> Vec<Effect> {
        match input {
            Input::Changed(policy) => self.changed(policy),
            Input::Reconcile => self.reconcile(),
            Input::Tick => self.tick(moment.instant),
            Input::ConfigMapSeen(digest) => self.config_map_seen(digest.as_ref()).into_iter().collect(),
            Input::Loaded(load, loaded) => self.loaded(load, loaded, moment),
            Input::Resolved(number, resolved) => self.resolved(number, resolved, moment),
        }
    }

    /// The policy as it is now.
    pub const fn policy(&self) -> &Arc<DNSPolicy> {
        &self.policy
    }

    /// The annotation by which it is to be left alone, if it is.
    pub const fn ignored_by(&self) -> Option<&'static str> {
        self.ignored_by
    }

    /// The digests of the modules that a restart may need, and whether each has been loaded. What is part of the
    /// service needs nobody to keep it.
    pub fn to_keep(&self) -> impl Iterator<Item = (String, bool)> {
        let ModuleStatus { active, previous, .. } = self.module_status();
        let loaded = [&self.modules.active, &self.modules.previous].into_iter().flatten();
        let loaded: BTreeSet<String> = loaded.flat_map(|module| module.digests().into_all()).collect();
        let remembered = [active, previous].into_iter().flatten();
        let remembered = remembered.filter_map(|choice| Remembered::of(&choice));
        remembered.flat_map(Remembered::into_foreign_digests).map(move |digest| {
            let is_loaded = loaded.contains(&digest);
            (digest, is_loaded)
        })
    }

    /// The policy with the modules in use; `None` while no module is active or the spec is unusable.
    pub fn active(&self) -> Option<ActivePolicy<'_>> {
        let active = self.modules.active.as_ref()?;
        let name = self.policy.name_any();
        Some(ActivePolicy {
            zone: self.base_domain().ok()?,
            module: active.to_active(&name),
            // No DNSPolicy has a slash in its name.
            candidate: self
                .modules
                .candidate
                .as_ref()
                .map(|candidate| candidate.to_active(&format!("{name}/candidate"))),
            name,
            spec: &self.policy.spec,
            wildcards: self.landscape.wildcards,
        })
    }

    /// The zone of the landscape.
    pub(super) fn base_domain(&self) -> Result<HostName, String> {
        let text = &self.policy.spec.base_domain;
        text.parse().map_err(|error| format!("spec.baseDomain {text:?}: {error}"))
    }

    /// What the spec names.
    pub(super) fn choice(&self) -> Choice {
        Choice::of(&self.policy.spec)
    }

    fn take_previous(&mut self) -> Option<Remembered> {
        self.previous.take().as_ref().and_then(Remembered::of)
    }

    fn changed(&mut self, policy: Arc<DNSPolicy>) -> Vec<Effect> {
        self.ignored_by = ignored_by(&*policy);
        if self.ignored_by.is_some() {
            return Vec::new();
        }
        let old = std::mem::replace(&mut self.policy, policy);
        let (mode, choice) = (self.policy.spec.mode, self.choice());
        if Choice::of(&old.spec) == choice && old.spec.mode == mode {
            return Vec::new();
        }
        // What failed before says nothing of it.
        self.spec.reset();
        let mut effects = Vec::new();
        if self.modules.chosen(mode, &choice) {
            effects.push(Effect::Tell(ModuleOccurrence::RolledBack));
            self.previous = None;
        } else if mode == Mode::Rollback && self.modules.decides(&choice) {
            // The module before has decided in an earlier life of the service.
            self.to_restore = self.take_previous();
        }
        effects.extend(self.load_all([ChosenBy::Spec, ChosenBy::Status]));
        effects
    }

    fn reconcile(&mut self) -> Vec<Effect> {
        // What failed before is no reason to wait.
        self.spec.reset();
        self.load_all([ChosenBy::Spec, ChosenBy::Status])
    }

    fn load_all(&mut self, all: [ChosenBy; 2]) -> Vec<Effect> {
        let follow = Effect::Follow(self.choice().config_maps());
        let loads = all.into_iter().filter_map(|chosen_by| self.load(chosen_by));
        [follow].into_iter().chain(loads).collect()
    }
}
