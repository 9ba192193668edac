//! Observations lead to decisions on the objects that they concern.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{ClusterEffect, ClusterRecords, Surroundings, Waiting};
use crate::cluster::SourceRef;
use crate::cluster_policy::ClusterPolicy;
use crate::decide::Decision;
use crate::objects::Change;
use crate::policy::{FailureKind, PolicyFailure};
use crate::recording::messages::{Observation, Report, WatchState};
use crate::recording::question::{Answer, AskedClaim, Decisions, Job, Question, Role, Ticket};
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
                    Change::Set(_) | Change::Removed(..) => None,
                };
                let affected = self.objects.apply(change);
                if let Some(kind) = listed {
                    self.watches.insert(kind, WatchState::InSync);
                    self.review(around);
                    self.touch(around);
                }
                self.ask_candidate(&affected, around);
                self.redecide(affected, listed.is_some(), &Decisions::new(), around);
            }
            Observation::NotServed(kind) => {
                self.watches.insert(kind, WatchState::NotServed);
                self.touch(around);
            }
            Observation::Trouble(kind, message) => {
                self.watches.insert(kind, WatchState::Trouble(message));
                self.touch(around);
            }
        }
    }

    /// What the store holds of the cluster and nobody asks for may have to go.
    pub(super) fn review(&self, around: &mut Surroundings<'_>) {
        if let Some(policy) = &self.policy {
            around.effects.push(ClusterEffect::Review { owner: policy.owner(), inferred: true });
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
        let (mut touched, mut open) = (false, Vec::new());
        for source in sources {
            touched = true;
            let waiting = self.waiting.remove(&source);
            // A seen deletion stays one when a list mentions the object before the module has answered.
            let inferred = inferred && waiting.is_none_or(|waiting| waiting.inferred);
            let asked = self.redecide_one(&source, inferred, given, around);
            if !asked.is_empty() {
                self.waiting.insert(source, Waiting { ticket, inferred });
                open.extend(asked);
            }
        }
        if touched {
            self.touch(around);
        }
        self.ask(ticket, open, around);
    }

    /// Has the module that decides for the cluster asked about claims.
    fn ask(&self, ticket: Ticket, claims: Vec<AskedClaim>, around: &mut Surroundings<'_>) {
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
            claims,
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
            .keys()
            .map(|question| &question.asked.source)
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
        given: &Decisions,
        around: &mut Surroundings<'_>,
    ) -> Vec<AskedClaim> {
        let resolution = self.objects.resolve(source);
        let (policy, domain) = (self.policy.as_ref(), self.domain.as_ref());
        if resolution.is_some() && policy.is_none() {
            // Nobody decides on it now; a policy that comes into force comes back to it.
            return Vec::new();
        }
        let labels = self.objects.labels(source).cloned().unwrap_or_default();
        let uid = self.objects.uid(source).unwrap_or_default();
        let owner = policy.map(ClusterPolicy::owner);
        let (memo, store, mut open) = (&mut *around.memo, around.store, Vec::new());
        let decide = |claim: &Claim| match (policy, domain) {
            (Some(policy), Some(Ok(allowed))) => {
                let asked =
                    AskedClaim { source: source.clone(), labels: labels.clone(), claim: claim.clone() };
                let question = Question::new(&policy.module, allowed, asked);
                let known = given.get(&question).cloned().or_else(|| memo.get(&question));
                if known.is_none() {
                    open.push(question.asked);
                }
                known
            }
            (_, domain) => {
                let why = match domain {
                    Some(Err(no_domain)) => format!("the cluster has no domain: {no_domain}"),
                    _ => "the cluster has no domain yet".to_owned(),
                };
                Some(Decision::Undecided(PolicyFailure { kind: FailureKind::Refused, message: why }))
            }
        };
        let published = || owner.as_ref().map(|owner| store.published(owner, source)).unwrap_or_default();
        let redecided = self.index.redecide(source, resolution, decide, published);
        let (source, offers) = (source.clone(), redecided.offers);
        let outcomes = self.index.outcomes(&source);
        for host_name in redecided.changed {
            if let Some(outcome) = outcomes.and_then(|outcomes| outcomes.get(&host_name)) {
                around.tell(Report::Claim {
                    cluster: self.id.clone(),
                    source: source.clone(),
                    uid: uid.to_owned(),
                    host_name,
                    state: outcome.state.clone(),
                });
            }
        }
        around.effects.push(ClusterEffect::Offer { source, offers, inferred });
        open
    }
}
