//! Recording as pure machines: inputs and the time go in, effects come out.
//!
//! ```text
//!      ClusterCommand, Observation, Answer             StoreEvent, Written
//!                          │                                    │
//!                          ▼               offers               ▼
//! Zone ◄──wish── ClusterRecords, one a cluster ──────────► Names, one a writer
//!   └───domain──►          │        ◄─── deletions ───          │
//!                          ▼                                    ▼
//!                   Ask, Cancel, Tell                      Write, Tell
//! ```
//! - `ClusterRecords` knows one cluster: its objects, what they claim and what has become of that, its
//!   policy and candidate, its deletion guard.
//! - `Zone` knows what clusters share: which of them has which domain.
//! - `Names` knows what is offered and stored at the names of one writer, resolves conflicts, and plans.
//!
//! A name in a cluster's own domain has one writer, that cluster; only shared names and domains need
//! the zone. Today one `Names` writes for all. The machines share no field: what goes between them is
//! one of the values on the arrows, so each can run in a loop of its own, and a cluster can have
//! `Names` of its own, without a change inside.
//!
//! [`Recording`] holds all of them and carries the values. Nothing here waits, sleeps or reads a clock.

mod candidate;
mod cluster;
mod memo;
mod messages;
mod names;
mod question;
mod summary;
#[cfg(test)]
mod tests;
mod zone;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

pub use messages::{
    ClusterCommand, Effect, Input, NoDomain, Observation, Report, WatchState, Watches, WriteResult, Written,
};
pub use question::{Answer, AskedClaim, Decisions, Job, Question, Role, Ticket};
pub use summary::{MAX_PROBLEMS, Problem, Summary, explain};

use crate::cluster::ClusterId;
use crate::codes;
use crate::skydns::Prefix;
use cluster::{ClusterEffect, ClusterInput, ClusterRecords, Surroundings};
use memo::Memo;
use names::{Concerns, NameEffect, Names};
use zone::{Assigned, Zone};

/// All machines of a landscape, and the way between them.
pub struct Recording {
    clusters: BTreeMap<ClusterId, ClusterRecords>,
    zone: Zone,
    names: Names,
    memo: Memo,
    tickets: Ticket,
}

impl Recording {
    /// Knows nothing yet. The records lie below `prefix` in the store.
    #[must_use]
    pub fn new(prefix: Prefix) -> Self {
        Self {
            clusters: BTreeMap::new(),
            zone: Zone::default(),
            names: Names::new(prefix),
            memo: Memo::default(),
            tickets: 0,
        }
    }

    /// Whether the store has been read, so that observations can be taken.
    #[must_use]
    pub const fn knows_the_store(&self) -> bool {
        self.names.store_is_known()
    }

    /// Takes in an input. Nothing is planned before [`Self::round`], so that what arrives together is
    /// planned together.
    pub fn handle(&mut self, input: Input, now: Instant) -> Vec<Effect> {
        let mut effects = Vec::new();
        match input {
            Input::Command(id, command) => {
                if matches!(command, ClusterCommand::Govern(_) | ClusterCommand::Release { .. }) {
                    let new = || ClusterRecords::new(id.clone());
                    self.clusters.entry(id.clone()).or_insert_with(new);
                }
                self.tell_cluster(&id, ClusterInput::Command(command), now, &mut effects);
            }
            Input::Observation(id, observation) => {
                self.tell_cluster(&id, ClusterInput::Observation(observation), now, &mut effects);
            }
            Input::Answer(answer) => {
                let id = answer.cluster.clone();
                self.tell_cluster(&id, ClusterInput::Answer(answer), now, &mut effects);
            }
            Input::Store(event) => {
                let concerns = self.names.store_event(event);
                self.touch(concerns, &mut effects);
            }
            Input::Written(written) => {
                let (concerns, caused) = self.names.written(written);
                self.touch(concerns, &mut effects);
                self.take_of_names(caused, &mut effects);
            }
            Input::Tick => {
                let ids: Vec<ClusterId> = self.clusters.keys().cloned().collect();
                for id in ids {
                    self.tell_cluster(&id, ClusterInput::Tick, now, &mut effects);
                }
            }
        }
        effects
    }

    /// Plans what the inputs since the last round have led to.
    pub fn round(&mut self, now: Instant) -> Vec<Effect> {
        let mut effects = Vec::new();
        let draft = self.names.draft();
        let mut held = BTreeSet::new();
        for (id, deletions) in &draft.deletions {
            let Some(cluster) = self.clusters.get_mut(id) else { continue };
            let around = surroundings(&self.names, &mut self.memo, &mut self.tickets, now);
            if cluster.holds(deletions, &around) {
                held.insert(id.clone());
                effects.push(Effect::Tell(Report::Touched(id.clone())));
            }
        }
        let caused = self.names.carry_out(draft, &held);
        self.take_of_names(caused, &mut effects);
        if self.names.store_is_known() {
            let store = self.names.store();
            let told = self.clusters.values_mut().filter_map(|cluster| cluster.held_change(store));
            effects.extend(told.map(Effect::Tell));
            for (id, _) in self.clusters.extract_if(.., |_, cluster| cluster.is_gone(store)) {
                effects.push(Effect::Released(id));
            }
            for effect in &effects {
                if let Effect::Released(id) = effect {
                    self.names.leave(id);
                }
            }
        }
        effects
    }

    /// State of a cluster's records, for people.
    #[must_use]
    pub fn summary(&self, id: &ClusterId) -> Summary {
        let Some(cluster) = self.clusters.get(id) else { return Summary::default() };
        let mut summary = cluster.summary(self.names.store());
        summary.store_trouble = self.names.trouble().cloned();
        summary.pending += self.names.open();
        for conflict in self.names.conflicts().filter(|conflict| conflict.loser.0 == *id) {
            summary.conflicts += 1;
            if summary.problems.len() < MAX_PROBLEMS {
                summary.problems.push(Problem {
                    source: conflict.loser.1.clone(),
                    host_name: conflict.name.to_string(),
                    code: codes::CONFLICT.to_owned(),
                    message: conflict.message.clone(),
                });
            }
        }
        summary
    }

    /// Names of the policies whose modules are asked, with the role in which they are.
    #[must_use]
    pub fn modules(&self) -> BTreeSet<(&str, Role)> {
        self.clusters.values().flat_map(ClusterRecords::modules).collect()
    }

    fn tell_cluster(&mut self, id: &ClusterId, input: ClusterInput, now: Instant, effects: &mut Vec<Effect>) {
        let Some(cluster) = self.clusters.get_mut(id) else { return };
        let mut around = surroundings(&self.names, &mut self.memo, &mut self.tickets, now);
        cluster.handle(input, &mut around);
        let caused = around.effects;
        self.names.join(id.clone(), cluster.member());
        for effect in caused {
            match effect {
                ClusterEffect::Ask(job) => effects.push(Effect::Ask(job)),
                ClusterEffect::Cancel(role) => effects.push(Effect::Cancel(id.clone(), role)),
                ClusterEffect::Tell(report) => effects.push(Effect::Tell(report)),
                ClusterEffect::Offer { source, offers, inferred } => {
                    self.names.offer(id, &source, offers, inferred);
                }
                ClusterEffect::LookAgain(names) => {
                    for name in names {
                        self.names.look_at(name, true);
                    }
                }
                ClusterEffect::Review { owner, inferred } => self.names.review(&owner, inferred),
                ClusterEffect::Wish(wish) => {
                    let assigned = self.zone.wish(id.clone(), wish);
                    self.give_domains(assigned, now, effects);
                }
                ClusterEffect::NoWish { at_once } => {
                    self.zone.forget(id);
                    if at_once {
                        let assigned = self.zone.assign_domains();
                        self.give_domains(assigned, now, effects);
                    }
                }
            }
        }
    }

    fn give_domains(&mut self, assigned: Assigned, now: Instant, effects: &mut Vec<Effect>) {
        for (id, domain) in assigned {
            self.tell_cluster(&id, ClusterInput::Domain(domain), now, effects);
        }
    }

    fn take_of_names(&mut self, caused: Vec<NameEffect>, effects: &mut Vec<Effect>) {
        for effect in caused {
            match effect {
                NameEffect::Write(plan) => effects.push(Effect::Write(plan)),
                NameEffect::Recorded { expectation, changed } => {
                    effects.push(Effect::Tell(Report::Recorded { expectation, changed }));
                }
                NameEffect::Conflict(conflict) => {
                    if let Some(loser) = self.clusters.get(&conflict.loser.0) {
                        effects.push(Effect::Tell(loser.conflict(conflict)));
                    }
                }
                NameEffect::Touched(id) => effects.push(Effect::Tell(Report::Touched(id))),
                NameEffect::ForgetHeld(id, name) => {
                    if let Some(cluster) = self.clusters.get_mut(&id) {
                        cluster.forget_held(&name);
                    }
                }
            }
        }
    }

    fn touch(&self, concerns: Concerns, effects: &mut Vec<Effect>) {
        if concerns == Concerns::Everyone {
            effects.extend(self.clusters.keys().cloned().map(|id| Effect::Tell(Report::Touched(id))));
        }
    }
}

fn surroundings<'a>(
    names: &'a Names,
    memo: &'a mut Memo,
    tickets: &'a mut Ticket,
    now: Instant,
) -> Surroundings<'a> {
    Surroundings { store: names.store(), memo, tickets, now, effects: Vec::new() }
}
