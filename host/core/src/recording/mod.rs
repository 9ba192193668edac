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
mod look;
mod memo;
mod messages;
mod names;
mod question;
mod summary;
#[cfg(test)]
mod tests;
mod zone;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Instant;

pub use look::{Held, Look, Place, Seen, SeenClaim, Way, Which};
pub use messages::{
    ClusterCommand, Effect, Input, NoDomain, Observation, Report, WatchState, Watches, WriteResult, Written,
};
pub use question::{Answer, Answering, Decisions, Job, QuestionId, Role, Ticket};
pub use summary::{MAX_PROBLEMS, Problem, ReportsStanding, Summary, explain, not_published};

use crate::cluster::ClusterId;
use crate::cluster_policy::ClusterModule;
use crate::codes;
use crate::decide::AllowedNames;
use crate::deletion_guard::Reason;
use crate::expectation::Expectation;
use crate::name::HostName;
use crate::node_hosts::{Selection, recorded};
use crate::open_reports::FindingsNews;
use crate::route_status::RouteNews;
use crate::skydns::{Owner, Prefix};
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
    /// Whether somebody keeps a log of decisions.
    tells_decisions: bool,
    /// When a cluster has something to do though nothing arrives.
    timers: BTreeSet<(Instant, ClusterId)>,
    timer_of: HashMap<ClusterId, Instant>,
    /// How many claims have been looked at since somebody asked.
    claims: usize,
    /// Clusters that this round has to do with.
    busy: BTreeSet<ClusterId>,
    /// Clusters whose state is another than others know.
    touched: BTreeSet<ClusterId>,
    /// Clusters with routes or namespaces of which something else may be to be said.
    to_tell: BTreeSet<ClusterId>,
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
            tells_decisions: false,
            timers: BTreeSet::new(),
            timer_of: HashMap::new(),
            claims: 0,
            busy: BTreeSet::new(),
            touched: BTreeSet::new(),
            to_tell: BTreeSet::new(),
        }
    }

    /// The same, and it tells of every decision: somebody keeps a log of them.
    #[must_use]
    pub fn telling_decisions(self) -> Self {
        Self { tells_decisions: true, ..self }
    }

    /// Whether the store has been read, so that observations can be taken.
    #[must_use]
    pub const fn knows_the_store(&self) -> bool {
        self.names.store_is_known()
    }

    /// How many claims have been looked at since this was asked last: what an input costs, and what follows.
    #[must_use]
    pub const fn take_claims(&mut self) -> usize {
        std::mem::replace(&mut self.claims, 0)
    }

    /// When an [`Input::Tick`] is wanted; `None` when nothing waits for the time.
    #[must_use]
    pub fn due(&self, now: Instant) -> Option<Instant> {
        let timer = self.timers.first().map(|(at, _)| *at);
        timer.into_iter().chain(self.names.due(now)).min()
    }

    /// Takes in an input. Nothing is planned before [`Self::round`], so that what arrives together is
    /// planned together.
    pub fn handle(&mut self, input: Input, now: Instant) -> Vec<Effect> {
        let mut effects = Vec::new();
        match input {
            Input::Command(id, command) => {
                if !matches!(command, ClusterCommand::Ungovern | ClusterCommand::Confirm(_)) {
                    let new = || ClusterRecords::new(id.clone(), self.tells_decisions);
                    self.clusters.entry(id.clone()).or_insert_with(new);
                }
                self.tell_cluster(&id, ClusterInput::Command(command), now, &mut effects);
            }
            Input::Serve(wanted) => self.names.serve(wanted),
            Input::Observation(id, observation) => {
                self.tell_cluster(&id, ClusterInput::Observation(observation), now, &mut effects);
            }
            Input::Answer(answer) => {
                let id = answer.cluster.clone();
                self.tell_cluster(&id, ClusterInput::Answer(answer), now, &mut effects);
            }
            Input::Store(event) => {
                let mut caused = Vec::new();
                let concerns = self.names.store_event(event, now, &mut caused);
                self.take_of_names(caused, &mut effects);
                self.concern(concerns, now, &mut effects);
            }
            Input::Written(written) => {
                let mut caused = Vec::new();
                let concerns = self.names.written(written, now, &mut caused);
                self.take_of_names(caused, &mut effects);
                self.concern(concerns, now, &mut effects);
            }
            Input::Tick => {
                while let Some((_, id)) = self.timers.first().filter(|(at, _)| *at <= now).cloned() {
                    self.set_timer(&id, None);
                    self.tell_cluster(&id, ClusterInput::Tick, now, &mut effects);
                }
                let concerns = self.names.pass(now);
                self.concern(concerns, now, &mut effects);
            }
        }
        effects
    }

    /// Plans what the inputs since the last round have led to.
    pub fn round(&mut self, now: Instant) -> Vec<Effect> {
        let (mut effects, mut caused) = (Vec::new(), Vec::new());
        let draft = self.names.draft(now, &mut caused);
        let mut held = BTreeMap::new();
        for (id, deletions) in &draft.deletions {
            let Some(cluster) = self.clusters.get_mut(id) else { continue };
            let around = surroundings(&self.names, &mut self.memo, &mut self.tickets, now);
            held.insert(id.clone(), cluster.holds(deletions, &around));
            self.busy.insert(id.clone());
            self.touched.insert(id.clone());
        }
        self.names.carry_out(draft, &held, now, &mut caused);
        self.names.write(now, &mut caused);
        self.take_of_names(caused, &mut effects);
        if self.names.store_is_known() {
            for id in std::mem::take(&mut self.busy) {
                self.look_after(&id, &mut effects);
            }
        }
        let touched = std::mem::take(&mut self.touched).into_iter().filter(|id| !id.is_service());
        effects.extend(touched.map(|id| Effect::Tell(Report::Touched(id))));
        if self.names.store_is_known() {
            // After what stands at their names, which others have to know first.
            for id in std::mem::take(&mut self.to_tell) {
                let Some(cluster) = self.clusters.get_mut(&id) else { continue };
                if cluster.take_is_news() {
                    effects.push(Effect::Tell(Report::Routes(id.clone())));
                }
                if cluster.take_findings_are_news() {
                    effects.push(Effect::Tell(Report::Findings(id)));
                }
            }
        }
        effects
    }

    /// A round had to do with a cluster.
    fn look_after(&mut self, id: &ClusterId, effects: &mut Vec<Effect>) {
        let Some(cluster) = self.clusters.get_mut(id) else { return };
        effects.extend(cluster.held_change(self.names.store()).map(Effect::Tell));
        cluster.forget_left_zones(|owner| self.names.has_left(owner));
        self.names.join(id, cluster.member());
        if cluster.is_gone(|owner| self.names.has_left(owner)) {
            self.clusters.remove(id);
            self.names.leave(id);
            self.set_timer(id, None);
            effects.push(Effect::Released(id.clone()));
            return;
        }
        let due = cluster.due();
        self.set_timer(id, due);
    }

    fn set_timer(&mut self, id: &ClusterId, at: Option<Instant>) {
        let old = match at {
            Some(at) => self.timer_of.insert(id.clone(), at),
            None => self.timer_of.remove(id),
        };
        if old == at {
            return;
        }
        if let Some(old) = old {
            self.timers.remove(&(old, id.clone()));
        }
        self.timers.extend(at.map(|at| (at, id.clone())));
    }

    /// Every cluster that has values in the store, and at how many names; `None` while the store has not been read.
    #[must_use]
    pub fn owners(&self) -> Option<Vec<(Owner, usize)>> {
        let store = self.names.store();
        let clusters = store.owners().filter(|owner| !owner.is_service());
        let owners = clusters.map(|owner| (owner.clone(), store.count_of(owner)));
        let mut owners: Vec<_> = self.names.store_is_known().then(|| owners.collect())?;
        owners.sort_unstable_by(|a, b| (&a.0.zone, &a.0.cluster).cmp(&(&b.0.zone, &b.0.cluster)));
        Some(owners)
    }

    /// What the DNS servers should answer for a name, by what the store has shown.
    #[must_use]
    pub fn expectation(&self, name: &HostName) -> Expectation {
        Expectation::from_stored(name, self.names.store().at(name))
    }

    /// What nodes are told of a zone, by what the store has shown; `None` while the store has not been read.
    #[must_use]
    pub fn hosts(&self, zone: &HostName, patterns: &[HostName]) -> Option<Selection> {
        self.names.store_is_known().then(|| recorded(self.names.store(), zone, patterns))
    }

    /// State of a cluster's records, for people.
    #[must_use]
    pub fn summary(&self, id: &ClusterId, now: Instant) -> Summary {
        let Some(cluster) = self.clusters.get(id) else { return Summary::default() };
        let mut summary = cluster.summary(self.names.store());
        summary.store_trouble = self.names.trouble(now).map(str::to_owned);
        summary.pending += self.names.open(id);
        summary.conflicts = self.names.conflicts(id).count();
        let conflicts = self.names.conflicts(id).map(|conflict| Problem {
            source: conflict.loser.1.clone(),
            host_name: conflict.name.to_string(),
            code: codes::CONFLICT.to_owned(),
            message: conflict.message.clone(),
        });
        let refusals = self.names.refusals(id).map(|(name, source, message)| Problem {
            source: source.clone(),
            host_name: name.to_string(),
            code: codes::STORE_REFUSES.to_owned(),
            message: message.clone(),
        });
        let room = MAX_PROBLEMS - summary.problems.len();
        summary.problems.extend(conflicts.chain(refusals).take(room));
        summary
    }

    /// What is known of routes of a cluster of which something else is to be said since this was asked last, of so many at
    /// most.
    pub fn take_changed_routes(&mut self, id: &ClusterId, most: usize) -> Vec<RouteNews> {
        let cluster = self.clusters.get_mut(id);
        cluster.map(|cluster| cluster.take_changed_routes(&self.names, most)).unwrap_or_default()
    }

    /// What is found in namespaces of a cluster where it may be something else than when this was asked last, or in all of
    /// them where another epoch is known; and in those that are asked for `again`. In so many at most.
    pub fn take_findings(
        &mut self,
        id: &ClusterId,
        known_epoch: u64,
        again: BTreeSet<String>,
        most: usize,
    ) -> FindingsNews {
        let cluster = self.clusters.get_mut(id);
        cluster
            .map(|cluster| cluster.take_findings(&self.names, known_epoch, again, most))
            .unwrap_or_default()
    }

    /// What is to be seen of the claims of all clusters.
    #[must_use]
    pub fn look(&self, look: &Look) -> Seen {
        let mut seen = Seen { store_is_known: self.names.store_is_known(), ..Seen::default() };
        let from = look.after.as_ref().map_or(Bound::Unbounded, |after| Bound::Included(&after.cluster));
        for (id, cluster) in self.clusters.range((from, Bound::Unbounded)) {
            let after = look.after.as_ref().filter(|after| after.cluster == *id);
            cluster.look(look, after, &self.names, &mut seen);
            if seen.next.is_some() {
                break;
            }
        }
        seen
    }

    /// How a claim came about; `None` when there is no such claim.
    #[must_use]
    pub fn way(&self, place: &Place) -> Option<Way> {
        self.clusters.get(&place.cluster)?.way(place, &self.names)
    }

    /// The deletions that are held, of so many clusters and with so many names of each at most.
    #[must_use]
    pub fn held(&self, most: usize) -> Vec<Held> {
        self.clusters.values().filter_map(|cluster| cluster.held(most)).take(most).collect()
    }

    /// Who decides on what a cluster asks for, and where it may publish; `None` while it has no domain.
    #[must_use]
    pub fn deciding(&self, id: &ClusterId) -> Option<(ClusterModule, Arc<AllowedNames>)> {
        self.clusters.get(id)?.deciding()
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
        self.claims += around.claims;
        let caused = around.effects;
        self.names.join(id, cluster.member());
        self.busy.insert(id.clone());
        self.to_tell.insert(id.clone());
        for effect in caused {
            match effect {
                ClusterEffect::Ask(job) => effects.push(Effect::Ask(job)),
                ClusterEffect::Cancel(role) => effects.push(Effect::Cancel(id.clone(), role)),
                ClusterEffect::Tell(Report::Touched(id)) => drop(self.touched.insert(id)),
                ClusterEffect::Tell(report) => effects.push(Effect::Tell(report)),
                ClusterEffect::Offer { source, offers, reason } => {
                    self.names.offer(&(id.clone(), source), offers, reason, now);
                }
                ClusterEffect::LookAgain(names) => {
                    for name in names {
                        self.names.look_at(name, Reason::Missing);
                    }
                }
                ClusterEffect::Review { owner, reason } => self.names.review(&owner, reason),
                ClusterEffect::Wish(wish) => {
                    let assigned = self.zone.wish(id.clone(), wish);
                    self.give_domains(assigned, now, effects);
                }
                ClusterEffect::NoWish => {
                    self.zone.forget(id);
                    let assigned = self.zone.assign_domains();
                    self.give_domains(assigned, now, effects);
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
                // The canary changes all the time, and whoever changes it asks for it.
                NameEffect::Recorded { expectation, .. }
                    if expectation.clusters.iter().any(ClusterId::is_service) => {}
                NameEffect::Recorded { expectation, revision } => {
                    self.routes_at(&expectation.name);
                    effects.push(Effect::Tell(Report::Recorded { expectation, revision }));
                }
                NameEffect::Conflict(conflict) => {
                    if let Some(loser) = self.clusters.get(&conflict.loser.0) {
                        effects.push(Effect::Tell(loser.conflict(conflict)));
                    }
                }
                NameEffect::OtherLoser((id, source)) => {
                    if let Some(cluster) = self.clusters.get_mut(&id) {
                        cluster.findings_changed(&source.namespace);
                        self.to_tell.insert(id);
                    }
                }
                NameEffect::Free(name) => self.routes_at(&name),
                NameEffect::Touched(id) => {
                    self.busy.insert(id.clone());
                    self.touched.insert(id);
                }
                NameEffect::ForgetHeld(id, name) => {
                    if let Some(cluster) = self.clusters.get_mut(&id) {
                        cluster.forget_held(&name);
                        self.busy.insert(id);
                    }
                }
            }
        }
    }

    /// Something else is to be said of the routes that claim a name.
    fn routes_at(&mut self, name: &HostName) {
        for (id, source) in self.names.claimants(name) {
            if let Some(cluster) = self.clusters.get_mut(id) {
                cluster.route_changed(source);
                self.to_tell.insert(id.clone());
            }
        }
    }

    fn concern(&mut self, concerns: Concerns, now: Instant, effects: &mut Vec<Effect>) {
        if concerns == Concerns::Some {
            return;
        }
        self.touched.extend(self.clusters.keys().cloned());
        if concerns == Concerns::First {
            let ids: Vec<ClusterId> = self.clusters.keys().cloned().collect();
            for id in ids {
                self.tell_cluster(&id, ClusterInput::StoreKnown, now, effects);
            }
        }
    }
}

fn surroundings<'a>(
    names: &'a Names,
    memo: &'a mut Memo,
    tickets: &'a mut Ticket,
    now: Instant,
) -> Surroundings<'a> {
    let (store, revision) = (names.store(), names.revision());
    Surroundings { store, revision, memo, tickets, now, claims: 0, effects: Vec::new() }
}
