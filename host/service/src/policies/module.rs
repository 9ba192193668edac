//! One module of a policy: what is to be loaded, and what was admitted.

use std::collections::BTreeSet;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use openmcp_dns_core::guards::Guarded;
use openmcp_dns_core::policy::Policy;
use openmcp_dns_policy::metered::Metered;
use openmcp_dns_policy::{Description, Module};

use super::active::{ActiveModule, configuration};
use super::guards::LoadedGuard;
use crate::metrics::{Metrics, PolicyMetrics};
use openmcp_dns_api::DNSPolicySpec;
use openmcp_dns_api::dns_policy::{
    ConfigMapKey, Guard, GuardChoice, GuardStatus, ModuleChoice, ModuleSource,
};

/// Where a module comes from, with which configuration it decides, and behind which guards. All change together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Where it comes from.
    pub source: ModuleSource,
    /// JSON text.
    pub configuration: String,
    /// In the order in which they are asked.
    pub guards: Vec<GuardSource>,
}

/// Where a guard comes from, and its configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardSource {
    /// Its name.
    pub name: String,
    /// Where it comes from.
    pub source: ModuleSource,
    /// JSON text.
    pub configuration: String,
}

impl Choice {
    /// What a spec names.
    pub fn of(spec: &DNSPolicySpec) -> Self {
        let guards = spec.guards.iter().map(|Guard { name, module, configuration }| GuardSource {
            name: name.clone(),
            source: module.clone(),
            configuration: self::configuration(configuration.as_ref()),
        });
        Self {
            source: spec.module.clone(),
            configuration: configuration(spec.configuration.as_ref()),
            guards: guards.collect(),
        }
    }

    /// The ConfigMaps that its modules come from.
    pub(super) fn config_maps(&self) -> BTreeSet<ConfigMapKey> {
        self.sources().filter_map(|source| source.config_map.clone()).collect()
    }

    /// Where the module and its guards come from, in the order of their [`Digests`].
    fn sources(&self) -> impl Iterator<Item = &ModuleSource> {
        [&self.source].into_iter().chain(self.guards.iter().map(|guard| &guard.source))
    }
}

/// The digests of a module and of its guards, in their order, as hexadecimal digits of SHA-256.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digests {
    /// Of the module.
    pub module: String,
    /// Of the guards.
    pub guards: Vec<String>,
}

impl Digests {
    /// All of them.
    pub(super) fn into_all(self) -> impl Iterator<Item = String> {
        [self.module].into_iter().chain(self.guards)
    }
}

/// A module that decided before, as a status remembers it.
#[derive(Clone, Debug)]
pub(super) struct Remembered {
    pub(super) choice: Arc<Choice>,
    pub(super) digests: Digests,
}

impl Remembered {
    /// What a status says; `None` when this version of the service does not understand it.
    pub(super) fn of(choice: &ModuleChoice) -> Option<Self> {
        let ModuleChoice { sha256, module, configuration, guards } = choice;
        let source = |module: &serde_json::Value| serde_json::from_value(module.clone()).ok();
        let mut digests = Digests { module: sha256.clone(), guards: Vec::new() };
        let mut sources = Vec::new();
        for GuardChoice { name, sha256, module, configuration } in guards {
            digests.guards.push(sha256.clone());
            sources.push(GuardSource {
                name: name.clone(),
                source: source(module)?,
                configuration: self::configuration(configuration.as_ref()),
            });
        }
        let configuration = self::configuration(configuration.as_ref());
        let choice = Choice { source: source(module)?, configuration, guards: sources };
        Some(Self { choice: Arc::new(choice), digests })
    }

    /// Whether the service has all of it without asking anybody.
    pub(super) fn is_built_in(&self) -> bool {
        self.choice.sources().all(|source| source.built_in.is_some())
    }

    /// The digests of what the service does not have by itself.
    pub(super) fn into_foreign_digests(self) -> impl Iterator<Item = String> {
        let sources: Vec<bool> = self.choice.sources().map(|source| source.built_in.is_none()).collect();
        self.digests.into_all().zip(sources).filter_map(|(digest, is_foreign)| is_foreign.then_some(digest))
    }
}

/// Who names a module that is to be loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChosenBy {
    /// The spec.
    Spec,
    /// The status, which remembers that it decided before.
    Status,
}

/// A module to load; the answer comes back with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Load {
    /// Who names it.
    pub chosen_by: ChosenBy,
    /// Of all that the same one names, only the answer to the load with the highest number counts.
    pub number: u64,
    /// What to load.
    pub choice: Arc<Choice>,
    /// Of the module and its guards, where they decided before: what is kept of them comes before what their
    /// sources have by now.
    pub kept: Option<Digests>,
}

/// What the life cycle has to know of a module that was admitted.
pub trait PolicyModule {
    /// SHA-256 of its bytes, as hexadecimal digits.
    fn digest(&self) -> &str;

    /// What it says it is.
    fn description(&self) -> &Description;

    /// Its guards, in the order of the choice.
    fn guards(&self) -> Vec<GuardStatus>;

    /// The module with this configuration as one that decides, behind its guards. The questions are counted under
    /// this label.
    fn active(&self, label: &str, configuration: &str) -> ActiveModule;
}

/// A module and its guards whose questions are counted.
pub struct MeteredModule {
    module: Arc<Module>,
    guards: Vec<LoadedGuard>,
    metrics: Metrics,
}

impl MeteredModule {
    /// Counts the questions to a module and its guards.
    #[must_use]
    pub const fn new(module: Arc<Module>, guards: Vec<LoadedGuard>, metrics: Metrics) -> Self {
        Self { module, guards, metrics }
    }

    fn metered(&self, module: &Arc<Module>, label: String) -> Arc<dyn Policy> {
        Arc::new(Metered::new(Arc::clone(module), PolicyMetrics::new(label, self.metrics.clone())))
    }
}

impl PolicyModule for MeteredModule {
    fn digest(&self) -> &str {
        self.module.digest()
    }

    fn description(&self) -> &Description {
        self.module.description()
    }

    fn guards(&self) -> Vec<GuardStatus> {
        self.guards.iter().map(LoadedGuard::status).collect()
    }

    fn active(&self, label: &str, configuration: &str) -> ActiveModule {
        let guard = |guard: &LoadedGuard| {
            guard.asked_through(self.metered(&guard.module, format!("{label}/guard/{}", guard.name)))
        };
        let module = self.metered(&self.module, label.to_owned());
        ActiveModule {
            policy: Guarded::around(module, self.guards.iter().map(guard).collect()),
            digest: self.module.digest().into(),
            guards: self.guards.iter().map(LoadedGuard::id).collect(),
            configuration: configuration.to_owned(),
        }
    }
}

/// A module that was admitted with its configuration.
#[derive(Clone, Debug)]
pub(super) struct Admitted<M> {
    pub(super) module: M,
    pub(super) choice: Arc<Choice>,
    /// When it was admitted.
    pub(super) since: Time,
}

impl<M: PolicyModule> Admitted<M> {
    /// Of the module and its guards.
    pub(super) fn digests(&self) -> Digests {
        let guards = self.module.guards().into_iter().map(|guard| guard.sha256);
        Digests { module: self.module.digest().to_owned(), guards: guards.collect() }
    }

    /// What a status remembers of it.
    pub(super) fn to_choice(&self) -> ModuleChoice {
        let Choice { source, configuration, guards } = &*self.choice;
        let json = |source: &ModuleSource| serde_json::to_value(source).unwrap_or_default();
        let guards = guards.iter().zip(self.module.guards()).map(|(guard, status)| GuardChoice {
            name: guard.name.clone(),
            sha256: status.sha256,
            module: json(&guard.source),
            configuration: serde_json::from_str(&guard.configuration).ok(),
        });
        ModuleChoice {
            sha256: self.module.digest().to_owned(),
            module: json(source),
            configuration: serde_json::from_str(configuration).ok(),
            guards: guards.collect(),
        }
    }

    /// The module as one that decides; its questions are counted under this label.
    pub(super) fn to_active(&self, label: &str) -> ActiveModule {
        self.module.active(label, &self.choice.configuration)
    }
}

impl<M> AsRef<Choice> for Admitted<M> {
    fn as_ref(&self) -> &Choice {
        &self.choice
    }
}
