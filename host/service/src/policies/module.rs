//! One module of a policy: what is to be loaded, and what was admitted.

use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use openmcp_dns_core::policy::Policy;
use openmcp_dns_policy::metered::Metered;
use openmcp_dns_policy::{Description, Module};

use super::active::{ActiveModule, configuration};
use crate::metrics::{Metrics, PolicyMetrics};
use openmcp_dns_api::DNSPolicySpec;
use openmcp_dns_api::dns_policy::{ModuleChoice, ModuleSource};

/// Where a module comes from, and with which configuration it decides. Both change together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Where it comes from.
    pub source: ModuleSource,
    /// JSON text.
    pub configuration: String,
}

impl Choice {
    /// What a spec names.
    pub(super) fn of(spec: &DNSPolicySpec) -> Self {
        Self { source: spec.module.clone(), configuration: configuration(spec) }
    }
}

/// A module that decided before, as a status remembers it.
#[derive(Clone, Debug)]
pub(super) struct Remembered {
    pub(super) choice: Arc<Choice>,
    /// SHA-256 of its bytes, as hexadecimal digits.
    pub(super) sha256: String,
}

impl Remembered {
    /// What a status says; `None` when this version of the service does not understand it.
    pub(super) fn of(choice: &ModuleChoice) -> Option<Self> {
        let ModuleChoice { sha256, module, configuration } = choice;
        let source = serde_json::from_value(module.clone()).ok()?;
        let configuration = configuration.as_ref().map_or_else(|| "{}".to_owned(), ToString::to_string);
        Some(Self { choice: Arc::new(Choice { source, configuration }), sha256: sha256.clone() })
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
    /// SHA-256 of the module, where it decided before: what is kept of it comes before what its source has by now.
    pub kept: Option<String>,
}

/// What the life cycle has to know of a module that was admitted.
pub trait PolicyModule {
    /// SHA-256 of its bytes, as hexadecimal digits.
    fn digest(&self) -> &str;

    /// What it says it is.
    fn description(&self) -> &Description;

    /// Its decisions. The questions are counted under this label.
    fn decisions(&self, label: String) -> Arc<dyn Policy>;
}

/// A module whose questions are counted.
pub struct MeteredModule {
    module: Arc<Module>,
    metrics: Metrics,
}

impl MeteredModule {
    /// Counts the questions to a module.
    #[must_use]
    pub const fn new(module: Arc<Module>, metrics: Metrics) -> Self {
        Self { module, metrics }
    }
}

impl PolicyModule for MeteredModule {
    fn digest(&self) -> &str {
        self.module.digest()
    }

    fn description(&self) -> &Description {
        self.module.description()
    }

    fn decisions(&self, label: String) -> Arc<dyn Policy> {
        Arc::new(Metered::new(Arc::clone(&self.module), PolicyMetrics::new(label, self.metrics.clone())))
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
    /// What a status remembers of it.
    pub(super) fn to_choice(&self) -> ModuleChoice {
        let configuration = serde_json::from_str(&self.choice.configuration).ok();
        ModuleChoice {
            sha256: self.module.digest().to_owned(),
            module: serde_json::to_value(&self.choice.source).unwrap_or_default(),
            configuration,
        }
    }

    /// The module as one that decides; its questions are counted under this label.
    pub(super) fn to_active(&self, label: String) -> ActiveModule {
        ActiveModule {
            policy: self.module.decisions(label),
            digest: self.module.digest().into(),
            configuration: self.choice.configuration.clone(),
        }
    }
}

impl<M> AsRef<Choice> for Admitted<M> {
    fn as_ref(&self) -> &Choice {
        &self.choice
    }
}
