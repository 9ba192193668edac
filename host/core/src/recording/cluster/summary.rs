//! What people are told of one cluster.

use super::ClusterRecords;
use crate::index::State;
use crate::mirror::Mirror;
use crate::name::HostName;
use crate::recording::summary::{MAX_PROBLEMS, Problem, Summary, explain};

impl ClusterRecords {
    /// The cluster's part of its summary. Conflicts, and what is wrong with the store, others know.
    pub(in crate::recording) fn summary(&self, store: &Mirror) -> Summary {
        let active = self.policy.as_ref();
        let domain = self.domain.as_ref().filter(|_| active.is_some());
        let incoming = self.incoming.as_ref().map(|incoming| &incoming.policy);
        let mut summary = Summary {
            policy: active.or(incoming).map(|policy| policy.policy_name.clone()),
            domain: domain.map(|domain| match domain {
                Ok(allowed) => Ok(allowed.domain.clone()),
                Err(why) => Err(why.clone()),
            }),
            watches: self.watches.clone(),
            pending: self.waiting.len() + usize::from(incoming.is_some()),
            held: self.guard.held(),
            comparison: self
                .candidate
                .as_ref()
                .map(|candidate| candidate.compare(self.wanted_domain.as_ref(), self.index.iter())),
            ..Summary::default()
        };
        for (source, outcomes) in self.index.iter() {
            for (host_name, outcome) in outcomes {
                match &outcome.state {
                    State::Published => summary.published += 1,
                    State::Denied(_) => summary.denied += 1,
                    State::Undecided(_) => summary.undecided += 1,
                    State::Unresolved(_) => summary.unresolved += 1,
                    State::Asked => {}
                }
                if summary.problems.len() < MAX_PROBLEMS
                    && let Some((code, message)) = explain(&outcome.state)
                {
                    let (source, host_name) = (source.clone(), host_name.clone());
                    summary.problems.push(Problem { source, host_name, code, message });
                }
            }
        }
        if let Some(policy) = active {
            let is_foreign = |name: &&HostName| {
                let stored = store.at(name).into_iter().flatten();
                stored.into_iter().any(|(_, stored)| stored.owner().is_none())
            };
            summary.foreign_names = store.names_of(&policy.owner()).filter(is_foreign).count();
        }
        summary
    }
}
