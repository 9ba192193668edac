//! A candidate is asked what the standing module is asked, and what it answers is only compared.

use std::collections::BTreeSet;
use std::sync::Arc;

use openmcp_dns_core::cluster::{ClusterId, SourceRef};

use super::Recorder;
use crate::record::decider::{Answer, Job, Role};
use crate::record::shadow::Shadow;

impl Recorder {
    /// Begins to compare, or ends it, where the governance names another candidate than before.
    pub(super) fn follow_candidate(&mut self, id: &ClusterId) {
        let Some(cluster) = self.clusters.get_mut(id) else { return };
        let Some(governance) = &cluster.governance else { return };
        let Some(candidate) = governance.candidate.clone() else {
            cluster.shadow = None;
            return;
        };
        if cluster.shadow.as_ref().is_some_and(|shadow| shadow.candidate.answers_like(&candidate)) {
            return;
        }
        let ticket = self.deciders.ticket();
        let shadow = Shadow::new(candidate, ticket);
        let sources = cluster.objects.sources();
        self.deciders.ask(Job {
            policy_name: governance.policy_name.clone(),
            role: Role::Candidate,
            cluster: id.clone(),
            ticket,
            module: shadow.candidate.clone(),
            allowed: None,
            subjects: sources.iter().flat_map(|source| cluster.subjects(source)).collect(),
            cancelled: shadow.asking.clone(),
        });
        cluster.shadow = Some(shadow);
    }

    /// Has the candidate asked about objects that have changed.
    pub(super) fn shadow_claims(&mut self, id: &ClusterId, sources: &BTreeSet<SourceRef>) {
        let Some(cluster) = self.clusters.get_mut(id) else { return };
        let (Some(mut shadow), Some(governance)) = (cluster.shadow.take(), &cluster.governance) else {
            return;
        };
        let ticket = self.deciders.ticket();
        let sources = shadow.changed(sources, ticket);
        match &shadow.allowed {
            Some(allowed) if !sources.is_empty() => self.deciders.ask(Job {
                policy_name: governance.policy_name.clone(),
                role: Role::Candidate,
                cluster: id.clone(),
                ticket,
                module: shadow.candidate.clone(),
                allowed: Some(Arc::clone(allowed)),
                subjects: sources.iter().flat_map(|source| cluster.subjects(source)).collect(),
                cancelled: shadow.asking.clone(),
            }),
            // Without a domain there is nothing to ask.
            _ => shadow.answered(ticket, Default::default()),
        }
        cluster.shadow = Some(shadow);
    }

    /// The candidate has answered.
    pub(super) fn compared(&mut self, id: &ClusterId, answer: Answer) {
        let shadow = self.clusters.get_mut(id).and_then(|cluster| cluster.shadow.as_mut());
        let Some(shadow) = shadow else { return };
        let Answer { ticket, domain, decisions, .. } = answer;
        match domain {
            Some(domain) if ticket == shadow.ticket => {
                let changed = shadow.begun(domain, decisions);
                self.shadow_claims(id, &changed);
            }
            Some(_) => return,
            None => shadow.answered(ticket, decisions),
        }
        self.touch(id);
    }
}
