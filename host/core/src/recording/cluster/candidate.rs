//! A candidate is asked what the active module is asked, and what it answers is only compared.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{ClusterEffect, ClusterRecords, Surroundings};
use crate::cluster::SourceRef;
use crate::cluster_policy::ClusterPolicy;
use crate::decide::AllowedNames;
use crate::recording::candidate::Candidate;
use crate::recording::question::{Answer, Decisions, Job, Role};

impl ClusterRecords {
    /// Begins to compare, or ends it, where the policy names another candidate than before.
    pub(super) fn follow_candidate(&mut self, around: &mut Surroundings<'_>) {
        let Some(policy) = &self.policy else { return };
        let module = policy.candidate.clone();
        let is_known = match (&module, &self.candidate) {
            (Some(module), Some(known)) => known.module.answers_like(module),
            _ => false,
        };
        if is_known {
            return;
        }
        self.drop_candidate(around);
        let Some(module) = module else { return };
        let candidate = Candidate::new(module, around.ticket());
        let sources = self.objects.sources();
        self.have_compared(&candidate, candidate.ticket, None, &sources, around);
        self.candidate = Some(candidate);
    }

    pub(super) fn drop_candidate(&mut self, around: &mut Surroundings<'_>) {
        if self.candidate.take().is_some() {
            around.effects.push(ClusterEffect::Cancel(Role::Candidate));
        }
    }

    /// Has the candidate asked about objects that have changed.
    pub(super) fn ask_candidate(&mut self, sources: &BTreeSet<SourceRef>, around: &mut Surroundings<'_>) {
        let Some(mut candidate) = self.candidate.take() else { return };
        let ticket = around.ticket();
        let sources = candidate.changed(sources, ticket);
        match &candidate.allowed {
            Some(allowed) if !sources.is_empty() => {
                self.have_compared(&candidate, ticket, Some(Arc::clone(allowed)), &sources, around);
            }
            // Without a domain there is nothing to ask.
            _ => candidate.answered(ticket, Decisions::default()),
        }
        self.candidate = Some(candidate);
    }

    fn have_compared<'s>(
        &mut self,
        candidate: &Candidate,
        ticket: u64,
        allowed: Option<Arc<AllowedNames>>,
        sources: impl IntoIterator<Item = &'s SourceRef>,
        around: &mut Surroundings<'_>,
    ) {
        let Some(ClusterPolicy { policy_name, sources: rules, limits, .. }) = self.policy.clone() else {
            return;
        };
        let (claims, counts) = self.asked(sources, &candidate.module, &rules, around);
        around.effects.push(ClusterEffect::Ask(Job {
            policy_name,
            role: Role::Candidate,
            cluster: self.id.clone(),
            ticket,
            module: candidate.module.clone(),
            allowed,
            claims,
            counts,
            questions_per_second: limits.questions_per_second,
        }));
    }

    /// The candidate has answered.
    pub(super) fn compared(&mut self, answer: Answer, around: &mut Surroundings<'_>) {
        let Some(candidate) = &mut self.candidate else { return };
        let Answer { ticket, domain, decisions, .. } = answer;
        match domain {
            Some(domain) if ticket == candidate.ticket => {
                let changed = candidate.begun(domain, decisions);
                self.ask_candidate(&changed, around);
            }
            Some(_) => return,
            None => candidate.answered(ticket, decisions),
        }
        self.touch(around);
    }
}
