//! Modules on their way in: when they are loaded, and what becomes of them.

use std::sync::Arc;
use std::time::Instant;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::life_cycle::{Effect, Moment, PolicyLifeCycle};
use super::module::{Admitted, ChosenBy, Load, PolicyModule, Remembered};
use super::occurrence::ModuleOccurrence;
use super::schedule::Schedule;
use openmcp_dns_api::conditions::Reason;
use openmcp_dns_modules::{Facts, Loaded, ModuleError};

/// Why a module is not used.
pub(super) struct Failure {
    pub(super) reason: Reason,
    pub(super) message: String,
}

/// A module on its way in, named by the spec or by the status.
#[derive(Default)]
pub(super) struct Incoming {
    /// Counts loads, so that the answer to an old one is not taken for the newest.
    number: u64,
    schedule: Schedule,
    /// What became of the last load; `None` when it went well, or something else is wanted since.
    pub(super) failure: Option<Failure>,
}

impl Incoming {
    /// Something else is wanted: what failed before says nothing of it.
    pub(super) fn reset(&mut self) {
        self.schedule = Schedule::default();
        self.failure = None;
    }
}

impl<M: PolicyModule> PolicyLifeCycle<M> {
    /// Begins to load a module, unless there is nothing to load.
    pub(super) fn load(&mut self, chosen_by: ChosenBy) -> Option<Effect> {
        let (choice, kept) = match chosen_by {
            ChosenBy::Spec => (Arc::new(self.choice()), None),
            ChosenBy::Status => {
                let Remembered { choice, digests } = self.to_restore.clone()?;
                (choice, Some(digests))
            }
        };
        let incoming = self.incoming(chosen_by);
        incoming.number += 1;
        incoming.schedule.begin();
        Some(Effect::Load(Load { chosen_by, number: incoming.number, choice, kept }))
    }

    /// Loads the module in a ConfigMap, unless it was loaded last: each list shows it again.
    pub(super) fn config_map_seen(&mut self, digest: Option<&String>) -> Option<Effect> {
        let is_known = digest.is_some_and(|digest| {
            self.facts.fetched_digest.as_ref() == Some(digest) || self.is_of_guard(digest)
        });
        if is_known && self.spec.schedule.is_at_rest() { None } else { self.load(ChosenBy::Spec) }
    }

    /// Whether a guard in the spec has been admitted with this digest.
    fn is_of_guard(&self, digest: &String) -> bool {
        let choice = self.choice();
        let admitted = [&self.modules.active, &self.modules.candidate].into_iter().flatten();
        let mut admitted = admitted.filter(|module| *module.choice == choice);
        admitted.any(|module| module.digests().guards.contains(digest))
    }

    const fn incoming(&mut self, chosen_by: ChosenBy) -> &mut Incoming {
        match chosen_by {
            ChosenBy::Spec => &mut self.spec,
            ChosenBy::Status => &mut self.remembered,
        }
    }

    /// Takes in the answer to a load.
    pub(super) fn loaded(&mut self, load: Load, loaded: Loaded<M>, moment: &Moment) -> Vec<Effect> {
        let Load { chosen_by, number, choice, kept: _ } = load;
        if number != self.incoming(chosen_by).number {
            return Vec::new();
        }
        let Loaded { facts, module } = loaded;
        if chosen_by == ChosenBy::Spec {
            let download_time = facts.download_time.clone().or_else(|| self.facts.download_time.take());
            self.facts = Facts { download_time, ..facts };
            self.spec.schedule.check_after(moment.instant, self.landscape.tag_check);
        }
        match module {
            Ok(module) => {
                let mut module = Admitted { module, choice, since: moment.time.clone() };
                if let Some(since) = self.active_since(&module) {
                    module.since = since;
                }
                vec![Effect::Tell(self.admitted(chosen_by, module)), Effect::TellClusters]
            }
            Err(error) => self.refused(chosen_by, &error, moment).map(Effect::Tell).into_iter().collect(),
        }
    }

    /// Since when this module has been active with this configuration, perhaps in an earlier life of the service.
    fn active_since(&self, module: &Admitted<M>) -> Option<Time> {
        let status = &self.policy.status.as_ref()?.module;
        let is_active = status.active.as_ref().is_some_and(|active| *active == module.to_choice());
        status.last_activation_time.clone().filter(|_| is_active)
    }

    fn admitted(&mut self, chosen_by: ChosenBy, module: Admitted<M>) -> ModuleOccurrence {
        let incoming = self.incoming(chosen_by);
        incoming.failure = None;
        incoming.schedule.ended();
        let (mode, digest) = (self.policy.spec.mode, module.module.digest().to_owned());
        let decides = match chosen_by {
            ChosenBy::Spec => {
                self.check_trouble = None;
                self.modules.admitted(mode, module);
                if mode.enforces() {
                    self.need_no_other();
                }
                mode.enforces()
            }
            ChosenBy::Status => {
                let choice = Arc::clone(&module.choice);
                self.to_restore = None;
                self.modules.restored(mode, &self.choice(), module);
                self.modules.decides(&choice)
            }
        };
        ModuleOccurrence::Loaded { digest, chosen_by, mode, decides }
    }

    /// The module in the spec decides. The one that decided before may be gone from its source by now; it
    /// is loaded only when somebody wants it back.
    fn need_no_other(&mut self) {
        if let Some(before) = self.to_restore.take() {
            if *before.choice != self.choice() {
                let status = self.policy.status.as_ref();
                self.previous = status.and_then(|status| status.module.active.clone());
            }
            self.remembered.schedule.ended();
            self.remembered.failure = None;
        }
    }

    fn refused(
        &mut self,
        chosen_by: ChosenBy,
        error: &ModuleError,
        moment: &Moment,
    ) -> Option<ModuleOccurrence> {
        let message = openmcp_dns_core::chain(error);
        let incoming = self.incoming(chosen_by);
        let is_new = incoming.failure.as_ref().is_none_or(|failure| failure.message != message);
        let told = is_new.then(|| ModuleOccurrence::Refused { message: message.clone() });
        if error.is_transient() {
            incoming.schedule.failed(moment.instant, moment.random);
        } else {
            incoming.schedule.ended();
        }
        incoming.failure = Some(Failure { reason: error.reason(), message });
        self.last_error_time = Some(moment.time.clone());
        told
    }

    // === what time brings ===

    /// Takes in that time has passed.
    pub(super) fn tick(&mut self, now: Instant) -> Vec<Effect> {
        let mut effects = Vec::new();
        for chosen_by in [ChosenBy::Spec, ChosenBy::Status] {
            if self.incoming(chosen_by).schedule.is_retry_due(now) {
                effects.extend(self.load(chosen_by));
            }
        }
        effects.extend(self.look_up(now));
        effects
    }

    /// Looks up the tag of the module in the spec, if it is time.
    fn look_up(&mut self, now: Instant) -> Option<Effect> {
        let oci = self.policy.spec.module.oci.as_ref().filter(|oci| oci.is_followed())?;
        // Before the first download there is nothing to compare with.
        self.facts.manifest_digest.as_ref()?;
        let is_due = self.spec.schedule.take_check(now, self.landscape.tag_check);
        is_due.then(|| Effect::LookUp(self.spec.number, oci.clone()))
    }

    /// Takes in what a tag means now; loads the module anew where it means another one.
    pub(super) fn resolved(
        &mut self,
        number: u64,
        resolved: Result<String, ModuleError>,
        moment: &Moment,
    ) -> Vec<Effect> {
        if number != self.spec.number {
            return Vec::new();
        }
        match resolved {
            Ok(digest) => {
                self.check_trouble = None;
                if self.facts.manifest_digest.as_ref() == Some(&digest) {
                    return Vec::new();
                }
                let moved = Effect::Tell(ModuleOccurrence::TagMoved { digest });
                [moved].into_iter().chain(self.load(ChosenBy::Spec)).collect()
            }
            // The module that decides is still the right one for all that is known.
            Err(error) => {
                let message =
                    format!("unable to see whether the tag has moved: {}", openmcp_dns_core::chain(&error));
                let is_new = self.check_trouble.as_ref() != Some(&message);
                let told = is_new.then(|| ModuleOccurrence::TagUnknown { message: message.clone() });
                self.last_error_time = Some(moment.time.clone());
                self.check_trouble = Some(message);
                told.map(Effect::Tell).into_iter().collect()
            }
        }
    }
}
