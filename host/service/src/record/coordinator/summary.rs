//! What people are told of one cluster.

use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::codes;
use openmcp_dns_core::index::State;
use openmcp_dns_core::name::HostName;

use super::Recorder;
use crate::record::messages::Report;
use crate::record::summary::{HeldSummary, MAX_PROBLEMS, Problem, Summary, explain};

impl Recorder {
    pub(super) fn touch(&mut self, id: &ClusterId) {
        self.outbox.push(Report::Touched(id.clone()));
    }

    pub(super) fn touch_all(&mut self) {
        self.outbox.extend(self.clusters.keys().cloned().map(Report::Touched));
    }

    pub(super) fn summary(&self, id: &ClusterId) -> Summary {
        let Some(cluster) = self.clusters.get(id) else { return Summary::default() };
        let standing = cluster.governance.as_ref();
        let domain = cluster.domain.as_ref().filter(|_| standing.is_some());
        let coming = cluster.next.as_ref().map(|next| &next.governance);
        let mut summary = Summary {
            policy: standing.or(coming).map(|governance| governance.policy_name.clone()),
            domain: domain.map(|domain| match domain {
                Ok(allowed) => Ok(allowed.domain.clone()),
                Err(why) => Err(why.clone()),
            }),
            watches: cluster.watches.clone(),
            store_trouble: self.store_trouble.clone(),
            pending: self.pending.len()
                + self.writes.count()
                + cluster.waiting.len()
                + usize::from(coming.is_some()),
            ..Summary::default()
        };
        for (source, outcomes) in self.index.of_cluster(id) {
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
        for conflict in self.conflicts.values().flatten().filter(|conflict| conflict.loser.0 == *id) {
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
        if let Some(governance) = standing {
            let foreign = |name: &&HostName| {
                let stored = self.mirror.at(name).into_iter().flatten();
                stored.into_iter().any(|(_, stored)| stored.owner().is_none())
            };
            summary.foreign_names = self.mirror.names_of(&governance.owner()).filter(foreign).count();
        }
        summary.comparison = cluster
            .shadow
            .as_ref()
            .map(|shadow| shadow.compare(cluster.wanted_domain.as_ref(), self.index.of_cluster(id)));
        summary.held = self
            .guards
            .get(id)
            .and_then(|guard| Some(HeldSummary { names: guard.held(), token: guard.token()? }));
        summary
    }
}
