//! What the status of a DNSPolicy says.

use super::active::{networks, shared_names, shared_suffixes};
use super::life_cycle::PolicyLifeCycle;
use super::loading::Failure;
use super::module::{Admitted, PolicyModule};
use crate::counts::PolicyCounts;
use openmcp_dns_api::conditions::{Finding, Reason};
use openmcp_dns_api::dns_policy::{CandidateStatus, DecisionDifference, GuardStatus, Mode, ModuleStatus};
use openmcp_dns_modules::Facts;

impl<M: PolicyModule> PolicyLifeCycle<M> {
    /// Whether the policy is in force.
    pub fn ready(&self) -> Finding {
        let base_domain = match self.base_domain() {
            Ok(base_domain) => base_domain,
            Err(error) => return Finding::bad(Reason::InvalidSpec, error),
        };
        let spec = &self.policy.spec;
        let granted = shared_names(spec, &base_domain).into_iter().chain(shared_suffixes(spec, &base_domain));
        let mut bad_names: Vec<String> = granted.filter_map(|granted| granted.name.err()).collect();
        bad_names.extend(networks(spec).1);
        match &self.modules.active {
            None => self.without_module(),
            Some(_) if !bad_names.is_empty() => Finding::bad(
                Reason::InvalidSpec,
                format!("the policy is in force, without these names and networks: {}", bad_names.join("; ")),
            ),
            Some(active) => {
                Finding::good(format!("module {} decides{}", active.module.description(), behind(active)))
            }
        }
    }

    fn without_module(&self) -> Finding {
        let nobody = "no module decides, so no name is published under this policy";
        let mode = self.policy.spec.mode;
        match (self.failure(), mode) {
            (Some(Failure { reason, message }), _) => Finding::bad(*reason, format!("{nobody}: {message}")),
            (None, Mode::Monitor | Mode::Rollback)
                if self.modules.candidate.is_some() && self.to_restore.is_none() =>
            {
                Finding::bad(
                    Reason::NoActiveModule,
                    format!(
                        "{nobody}: the mode is {mode:?}, and no other module has been enforced before; set it to Enforce"
                    ),
                )
            }
            (None, _) => Finding::unknown(Reason::InProgress, "the policy module is being loaded"),
        }
    }

    /// Of the module in the spec, or of the one that should decide instead of it.
    fn failure(&self) -> Option<&Failure> {
        self.spec.failure.as_ref().or(self.remembered.failure.as_ref())
    }

    /// Whether the module in the spec is the one that decides.
    pub fn module_active(&self, counts: &PolicyCounts) -> Finding {
        let goes_on = |active: &Admitted<M>| {
            format!("the module with SHA-256 {} goes on deciding", active.module.digest())
        };
        let active = self.modules.active.as_ref();
        match (active, self.failure()) {
            (Some(active), Some(Failure { reason, message })) => {
                Finding::bad(*reason, format!("{}: {message}", goes_on(active)))
            }
            (None, Some(Failure { reason, message })) => Finding::bad(*reason, message),
            (Some(active), None) if self.modules.candidate.is_some() => Finding::bad(
                Reason::Monitored,
                format!(
                    "the mode is {:?}: {}; of {} decisions {} would be others",
                    self.policy.spec.mode,
                    goes_on(active),
                    counts.compared,
                    counts.differing
                ),
            ),
            (Some(active), None) if self.modules.decides(&self.choice()) => {
                let digest = active.module.digest();
                Finding::good(format!("module with SHA-256 {digest} decides{}", behind(active)))
            }
            (None, None) if self.modules.candidate.is_some() => self.without_module(),
            (_, None) => Finding::unknown(Reason::InProgress, "the policy module is being loaded"),
        }
    }

    /// Digests, times and errors.
    pub fn module_status(&self) -> ModuleStatus {
        let Facts { fetched_digest, manifest_digest, download_time } = &self.facts;
        let active = self.modules.active.as_ref();
        let reference = self.policy.spec.module.oci.as_ref().map(|oci| &oci.reference);
        let resolved = reference.zip(manifest_digest.as_ref()).map(|(reference, digest)| {
            format!("{}@{digest}", reference.split('@').next().unwrap_or_default())
        });
        let failure = self.failure().map(|failure| &failure.message);
        let status = self.policy.status.as_ref();
        ModuleStatus {
            active_digest: active.map_or_else(String::new, |active| active.module.digest().to_string()),
            last_fetched_digest: fetched_digest.clone().unwrap_or_default(),
            resolved_reference: resolved.unwrap_or_default(),
            description: active.map_or_else(String::new, |active| active.module.description().to_string()),
            guards: active.map(|active| active.module.guards()).unwrap_or_default(),
            last_download_time: download_time.clone(),
            last_activation_time: active.map(|active| active.since.clone()),
            last_error: failure.or(self.check_trouble.as_ref()).cloned().unwrap_or_default(),
            last_error_time: self.last_error_time.clone(),
            // What is remembered stays so until something else decides.
            active: active
                .map(Admitted::to_choice)
                .or_else(|| status.and_then(|status| status.module.active.clone())),
            previous: self
                .modules
                .previous
                .as_ref()
                .map(Admitted::to_choice)
                .or_else(|| self.previous.clone()),
        }
    }

    /// How the module in the spec would decide, while it only watches.
    pub fn candidate_status(&self, counts: &PolicyCounts) -> Option<CandidateStatus> {
        let candidate = self.modules.candidate.as_ref()?;
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let differences = counts.first.iter().map(|(cluster, differing)| DecisionDifference {
            cluster: cluster.to_string(),
            source: differing.source.as_ref().map(ToString::to_string).unwrap_or_default(),
            host_name: differing.host_name.clone(),
            change: differing.change.to_owned(),
            active: differing.active.clone(),
            candidate: differing.candidate.clone(),
        });
        Some(CandidateStatus {
            sha256: candidate.module.digest().to_string(),
            description: candidate.module.description().to_string(),
            complete: counts.incomplete == 0,
            compared: count(counts.compared),
            differing: count(counts.differing),
            differences: differences.collect(),
        })
    }
}

/// The guards of a module, for people; empty where there are none.
fn behind<M: PolicyModule>(active: &Admitted<M>) -> String {
    let guards = active.module.guards().into_iter();
    let guards: Vec<String> =
        guards.map(|GuardStatus { name, description, .. }| format!("{name} ({description})")).collect();
    if guards.is_empty() { String::new() } else { format!(", behind the guards {}", guards.join(", ")) }
}
