//! Observations lead to decisions on the objects that they concern.

use openmcp_dns_core::cluster_policy::ClusterPolicy;
use std::collections::BTreeMap;
use std::sync::Arc;

use openmcp_dns_core::cluster::{ClusterId, SourceRef};
use openmcp_dns_core::decide::Decision;
use openmcp_dns_core::objects::Change;
use openmcp_dns_core::policy::{FailureKind, PolicyFailure};
use openmcp_dns_core::resolve::Claim;

use super::Recorder;
use crate::observe::Observation;
use crate::record::cluster::{Waiting, WatchState};
use crate::record::decider::{Answer, Decisions, Job, Question, Role, Subject};
use crate::record::messages::Report;

impl Recorder {
    pub(super) fn observation(&mut self, id: &ClusterId, observation: Observation) {
        let Some(cluster) = self.clusters.get_mut(id).filter(|cluster| cluster.release.is_none()) else {
            return;
        };
        match observation {
            Observation::Change(change) => {
                let listed = match &change {
                    Change::Replaced(kind, _) => Some(*kind),
                    Change::Set(_) | Change::Removed(..) => None,
                };
                let affected = cluster.objects.apply(change);
                if let Some(kind) = listed {
                    cluster.watches.insert(kind, WatchState::InSync);
                    self.review(id);
                    self.touch(id);
                }
                self.shadow_claims(id, &affected);
                self.redecide(id, affected, listed.is_some());
            }
            Observation::NotServed(kind) => {
                cluster.watches.insert(kind, WatchState::NotServed);
                self.touch(id);
            }
            Observation::Trouble(kind, message) => {
                tracing::warn!(cluster = %id, kind = kind.as_str(), %message, "unable to watch");
                cluster.watches.insert(kind, WatchState::Trouble(message));
                self.touch(id);
            }
        }
    }

    /// What the store holds of a cluster and nobody asks for may have to go.
    pub(super) fn review(&mut self, id: &ClusterId) {
        let Some(governance) = self.clusters.get(id).and_then(|cluster| cluster.governance.as_ref()) else {
            return;
        };
        for name in self.mirror.names_of(&governance.owner()) {
            self.pending.entry(name.clone()).or_insert(true);
        }
    }

    // === decide ===

    /// Decides anew on objects. What is not known already is asked in one job, and its answers are
    /// acted upon together; until then, all stays as it was.
    pub(super) fn redecide(
        &mut self,
        id: &ClusterId,
        sources: impl IntoIterator<Item = SourceRef>,
        inferred: bool,
    ) {
        self.redecide_given(id, sources, inferred, &Decisions::new());
    }

    /// As [`Self::redecide`], with decisions that have just been made.
    pub(super) fn redecide_given(
        &mut self,
        id: &ClusterId,
        sources: impl IntoIterator<Item = SourceRef>,
        inferred: bool,
        given: &Decisions,
    ) {
        let ticket = self.deciders.ticket();
        let (mut touched, mut open) = (false, Vec::new());
        for source in sources {
            touched = true;
            let Some(cluster) = self.clusters.get_mut(id) else { return };
            let waiting = cluster.waiting.remove(&source);
            // A seen deletion stays one when a list mentions the object before the module has answered.
            let inferred = inferred && waiting.is_none_or(|waiting| waiting.inferred);
            let asked = self.redecide_one(id, &source, inferred, given);
            if !asked.is_empty()
                && let Some(cluster) = self.clusters.get_mut(id)
            {
                cluster.waiting.insert(source, Waiting { ticket, inferred });
                open.extend(asked);
            }
        }
        if touched {
            self.touch(id);
        }
        self.ask(id, ticket, open);
    }

    /// Has the module that decides for the cluster asked about claims.
    fn ask(&mut self, id: &ClusterId, ticket: u64, subjects: Vec<Subject>) {
        let Some(cluster) = self.clusters.get(id).filter(|_| !subjects.is_empty()) else { return };
        let (Some(governance), Some(Ok(allowed))) = (&cluster.governance, &cluster.domain) else { return };
        self.deciders.ask(Job {
            policy_name: governance.policy_name.clone(),
            role: Role::Standing,
            cluster: id.clone(),
            ticket,
            module: governance.module.clone(),
            allowed: Some(Arc::clone(allowed)),
            subjects,
            cancelled: cluster.asking.clone(),
        });
    }

    /// Takes in what a module has answered.
    pub(super) fn answered(&mut self, answer: Answer) {
        let id = answer.cluster.clone();
        match answer.role {
            Role::Candidate => self.compared(&id, answer),
            Role::Coming => self.decided(&id, answer),
            Role::Standing => {
                let Some(cluster) = self.clusters.get(&id) else { return };
                // An object that has changed since has been asked about anew.
                let sources: BTreeMap<SourceRef, bool> = answer
                    .decisions
                    .keys()
                    .map(|question| &question.subject.source)
                    .filter_map(|source| Some((source, cluster.waiting.get(source)?)))
                    .filter(|(_, waiting)| waiting.ticket == answer.ticket)
                    .map(|(source, waiting)| (source.clone(), waiting.inferred))
                    .collect();
                for inferred in [false, true] {
                    let those = sources.iter().filter(|(_, why)| **why == inferred);
                    let those = those.map(|(source, _)| source.clone());
                    self.redecide_given(&id, those.collect::<Vec<_>>(), inferred, &answer.decisions);
                }
                self.memo.extend(answer.decisions);
            }
        }
    }

    /// Decides anew on one object; gives what its module has to be asked before that is complete.
    fn redecide_one(
        &mut self,
        id: &ClusterId,
        source: &SourceRef,
        inferred: bool,
        given: &Decisions,
    ) -> Vec<Subject> {
        let Some(cluster) = self.clusters.get(id) else { return Vec::new() };
        let resolution = cluster.objects.resolve(source);
        let labels = cluster.objects.labels(source).cloned().unwrap_or_default();
        let uid = cluster.objects.uid(source).unwrap_or_default().to_owned();
        let (governance, domain) = (cluster.governance.as_ref(), cluster.domain.as_ref());
        if resolution.is_some() && governance.is_none() {
            // Nobody decides on it now; `govern` comes back to it.
            return Vec::new();
        }
        let owner = governance.map(ClusterPolicy::owner);
        let (memo, mut open) = (&mut self.memo, Vec::new());
        let decide_wanted = |wanted: &Claim| match (governance, domain) {
            (Some(governance), Some(Ok(allowed))) => {
                let subject =
                    Subject { source: source.clone(), labels: labels.clone(), wanted: wanted.clone() };
                let question = Question {
                    module_digest: Arc::clone(&governance.module.module_digest),
                    context: Arc::clone(&governance.module.context),
                    allowed: Arc::clone(allowed),
                    subject,
                };
                let known = given.get(&question).cloned().or_else(|| memo.get(&question));
                if known.is_none() {
                    open.push(question.subject);
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
        let mirror = &self.mirror;
        let standing = || owner.as_ref().map(|owner| mirror.standing(owner, source)).unwrap_or_default();
        let claimant = (id.clone(), source.clone());
        let redecided = self.index.redecide(&claimant, resolution, decide_wanted, standing);
        for name in redecided.names {
            // A seen deletion stays one when a list mentions the name in the same round.
            let entry = self.pending.entry(name).or_insert(inferred);
            *entry = *entry && inferred;
        }
        let outcomes = self.index.outcomes(&claimant);
        for host_name in redecided.changed {
            if let Some(outcome) = outcomes.and_then(|outcomes| outcomes.get(&host_name)) {
                self.outbox.push(Report::Claim {
                    cluster: id.clone(),
                    source: source.clone(),
                    uid: uid.clone(),
                    host_name,
                    state: outcome.state.clone(),
                });
            }
        }
        open
    }
}
