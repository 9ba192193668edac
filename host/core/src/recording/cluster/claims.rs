//! Observations lead to decisions on the objects that they concern.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::budget::labels_too_large;
use super::decisions::Questions;
use super::{ClusterEffect, ClusterRecords, Surroundings, Waiting};
use crate::cluster::SourceRef;
use crate::cluster_policy::ClusterPolicy;
use crate::decide::Decision;
use crate::deletion_guard::Reason;
use crate::details::{AskedClaim, NameCounts};
use crate::kinds::{Kind, SourceRules};
use crate::objects::Change;
use crate::policy::{FailureKind, PolicyFailure};
use crate::recording::messages::{Observation, WatchState};
use crate::recording::question::{Answer, Decisions, Job, Role, Scope, Ticket};
use crate::resolve::Claim;

impl ClusterRecords {
    pub(super) fn observe(&mut self, observation: Observation, around: &mut Surroundings<'_>) {
        if self.released.is_some() {
            return;
        }
        match observation {
            Observation::Change(change) => {
                let listed = match &change {
                    Change::Replaced(kind, _) => Some(*kind),
                    Change::Set(_) | Change::Removed(..) | Change::Forgotten => None,
                };
                let affected = self.objects.apply(change);
                if let Some(kind) = listed {
                    self.watches.insert(kind, WatchState::InSync);
                    self.listed.insert(kind);
                    self.review_listed(around);
                    self.touch(around);
                }
                self.ask_candidate(&affected, around);
                self.redecide(affected, listed.is_some(), &Decisions::default(), around);
                self.tell_untold(around);
            }
            Observation::NotServed(kind) => {
                let state = if kind.is_optional() { WatchState::Absent } else { WatchState::NotServed };
                self.watches.insert(kind, state);
                if self.listed.insert(kind) {
                    self.review_listed(around);
                }
                self.tell_untold(around);
                self.touch(around);
            }
            Observation::LeftToAgent => {
                let affected = self.objects.apply(Change::Forgotten);
                for kind in Kind::watched() {
                    self.watches.insert(kind, WatchState::LeftToAgent);
                    self.listed.insert(kind);
                }
                self.review_listed(around);
                self.ask_candidate(&affected, around);
                self.redecide(affected, true, &Decisions::default(), around);
                self.tell_untold(around);
                self.touch(around);
            }
            Observation::Trouble(kind, message) => {
                self.watches.insert(kind, WatchState::Trouble(message));
                self.touch(around);
            }
        }
    }

    /// A list may show that what the store holds has to go; not before each kind has been listed once, see
    /// `Member::knows_enough_of`. A restart need not look through the store for each kind.
    fn review_listed(&self, around: &mut Surroundings<'_>) {
        if Kind::ALL.iter().all(|kind| self.listed.contains(kind)) {
            self.review(around);
        }
    }

    /// What the store holds of the cluster and nobody asks for may have to go.
    pub(super) fn review(&self, around: &mut Surroundings<'_>) {
        if let Some(owners) = &self.released {
            let reviews = owners.iter().cloned();
            around.effects.extend(reviews.map(|owner| ClusterEffect::Review { owner, reason: Reason::Seen }));
        } else if self.policy.is_some() {
            let reviews = self.owners();
            around
                .effects
                .extend(reviews.map(|owner| ClusterEffect::Review { owner, reason: Reason::Missing }));
        }
    }

    /// Asks again what a module failed on, where that can pass.
    pub(super) fn ask_again(&mut self, around: &mut Surroundings<'_>) {
        let due = self.again.take_due(around.now);
        if !due.is_empty() {
            self.redecide(due, false, &Decisions::default(), around);
        }
        if !self.domain_again.take_due(around.now).is_empty()
            && self.incoming.is_none()
            && let Some(policy) = self.policy.clone()
        {
            self.have_decided(policy, around);
        }
    }

    /// Decides anew on objects. What is known neither from `given` nor from before is asked in one
    /// job, and its answers are acted upon together; until then, all stays as it was.
    pub(super) fn redecide(
        &mut self,
        sources: impl IntoIterator<Item = SourceRef>,
        inferred: bool,
        given: &Decisions,
        around: &mut Surroundings<'_>,
    ) {
        let ticket = around.ticket();
        let scope = match (&self.policy, &self.domain) {
            (Some(policy), Some(Ok(allowed))) => Some(Scope::new(&policy.module, allowed)),
            _ => None,
        };
        let stored = self.policy.as_ref().and_then(|policy| self.stored_counts(&policy.module, around));
        // With a list, what was counted in the store may be counted otherwise.
        let (mut touched, mut freed, mut open) = (false, inferred, Vec::new());
        for source in sources {
            touched = true;
            self.route_changed(&source);
            let waiting = self.waiting.remove(&source);
            // A seen deletion stays one when a list mentions the object before the module has answered.
            let inferred = inferred && waiting.is_none_or(|waiting| waiting.inferred);
            let before = self.index.names().found_in(&source.namespace);
            let asked = self.redecide_one(&source, inferred, scope, stored.as_ref(), given, around);
            freed |= before.exceeds(self.index.names().found_in(&source.namespace));
            if !asked.is_empty() {
                self.waiting.insert(source, Waiting { ticket, inferred });
                open.extend(asked);
            }
        }
        if touched {
            self.touch(around);
        }
        if freed {
            self.ask_denied_again(around);
        }
        self.ask(ticket, open, stored, around);
    }

    /// Has the module that decides for the cluster asked about claims.
    fn ask(
        &self,
        ticket: Ticket,
        claims: Vec<AskedClaim>,
        stored: Option<NameCounts>,
        around: &mut Surroundings<'_>,
    ) {
        let (Some(policy), Some(Ok(allowed))) = (&self.policy, &self.domain) else { return };
        if claims.is_empty() {
            return;
        }
        around.effects.push(ClusterEffect::Ask(Job {
            policy_name: policy.policy_name.clone(),
            role: Role::Active,
            cluster: self.id.clone(),
            ticket,
            module: policy.module.clone(),
            allowed: Some(Arc::clone(allowed)),
            counts: self.name_counts(&policy.module, &claims, stored),
            claims,
            questions_per_second: policy.limits.questions_per_second,
        }));
    }

    /// Nobody waits any longer for what the module was asked.
    pub(super) fn stop_asking(&mut self, around: &mut Surroundings<'_>) {
        self.waiting.clear();
        around.effects.push(ClusterEffect::Cancel(Role::Active));
    }

    /// The module has answered.
    pub(super) fn answered(&mut self, answer: Answer, around: &mut Surroundings<'_>) {
        // An object that has changed since has been asked about anew.
        let sources: BTreeMap<SourceRef, bool> = answer
            .decisions
            .sources()
            .filter_map(|source| Some((source, self.waiting.get(source)?)))
            .filter(|(_, waiting)| waiting.ticket == answer.ticket)
            .map(|(source, waiting)| (source.clone(), waiting.inferred))
            .collect();
        for inferred in [false, true] {
            let those = sources.iter().filter(|(_, why)| **why == inferred);
            self.redecide(those.map(|(source, _)| source.clone()), inferred, &answer.decisions, around);
        }
        around.memo.extend(answer.decisions);
    }

    /// Decides anew on one object; gives what its module has to be asked before that is complete.
    fn redecide_one(
        &mut self,
        source: &SourceRef,
        inferred: bool,
        scope: Option<Scope>,
        stored: Option<&NameCounts>,
        given: &Decisions,
        around: &mut Surroundings<'_>,
    ) -> Vec<AskedClaim> {
        let source = &self.index.known(source).unwrap_or(source).clone();
        let resolution = match &self.policy {
            Some(policy) => self.objects.resolve(source, &policy.sources),
            None => self.objects.resolve(source, &SourceRules::default()),
        };
        if resolution.is_some() && self.policy.is_none() {
            // Nobody decides on it now; a policy that comes into force comes back to it.
            return Vec::new();
        }
        let reason = match (inferred, &resolution) {
            (false, _) => Reason::Seen,
            (true, Some(_)) => Reason::Decided,
            (true, None) => Reason::Missing,
        };
        let owner = self.policy.as_ref().map(ClusterPolicy::owner);
        let within = resolution.map(|resolution| self.within_budget(source, resolution));
        let wanted = within.as_ref().map_or(0, |within| within.resolution.wanted.len());
        around.claims += wanted.max(1);
        let (resolution, surplus) =
            within.map_or((None, None), |within| (Some(within.resolution), within.surplus));
        let labels = self.labels(source);
        let mut room = self.room(source, wanted, around);
        let module = self.policy.as_ref().map(|policy| &policy.module);
        let counting = module.and_then(|module| self.counting(source, module, stored, around));
        let rules = self.policy.as_ref().map(|policy| &*policy.sources);
        let details = module
            .zip(rules)
            .and_then(|(module, rules)| self.objects.details(source, rules, module.policy.details()));
        let told = &mut self.told;
        let (memo, store, mut open, mut fails) = (&mut *around.memo, around.store, Vec::new(), false);
        let domain = self.domain.as_ref();
        let mut questions = self.told_decisions.as_ref().map(|_| Questions::default());
        let decide = |claim: &Claim| {
            if let Some((_, denial)) = surplus.as_ref().filter(|(host_name, _)| *host_name == claim.host_name)
            {
                return Some(Decision::Deny(denial.clone()));
            }
            let Some(scope) = scope else {
                let message = match domain {
                    Some(Err(no_domain)) => format!("the cluster has no domain: {no_domain}"),
                    _ => "the cluster has no domain yet".to_owned(),
                };
                return Some(Decision::Undecided(PolicyFailure::new(FailureKind::Refused, message)));
            };
            let Some(labels) = &labels else { return Some(labels_too_large()) };
            let published_names =
                counting.as_ref().and_then(|counting| counting.told(source, &claim.host_name, given, told));
            let mut asked = AskedClaim {
                source: source.clone(),
                labels: labels.clone(),
                claim: claim.clone(),
                details: details.as_ref().map(|details| details.of(&claim.host_name)),
                published_names,
            };
            let question = scope.question(&asked);
            let Some(known) = given.get(question).cloned().or_else(|| memo.get(question)) else {
                open.push(asked);
                return None;
            };
            if counting.as_ref().is_some_and(|counting| counting.is_outdated(&asked, &known)) {
                asked.published_names = None;
                open.push(asked);
                return None;
            }
            if let Some(published_names) = published_names {
                told.set(source, &claim.host_name, published_names);
            }
            if let Some(questions) = &mut questions {
                questions.answered.push(asked);
            }
            fails |= matches!(&known, Decision::Undecided(failure) if failure.kind.can_pass());
            Some(room.admit(&claim.host_name, known))
        };
        let published = || owner.as_ref().map(|owner| store.published(owner, source)).unwrap_or_default();
        let had_problem = self.index.has_problem(source);
        let redecided = self.index.redecide(source, resolution, decide, published);
        if had_problem || self.index.has_problem(source) {
            self.findings_changed(&source.namespace);
        }
        self.forget_told(source);
        if fails || room.is_short {
            self.again.failed(source.clone(), around.now);
        } else if open.is_empty() {
            self.again.forget(source);
        }
        self.tell_states(source, redecided.changed, around);
        if let Some(questions) = &mut questions {
            questions.open = open.iter().map(|asked| asked.claim.host_name.clone()).collect();
        }
        self.tell_decisions(source, questions, around);
        let (source, offers) = (source.clone(), redecided.offers);
        around.effects.push(ClusterEffect::Offer { source, offers, reason });
        open
    }
}
