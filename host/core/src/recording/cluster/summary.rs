//! What people are told of one cluster.

use super::ClusterRecords;
use crate::cluster::SourceRef;
use crate::index::Counts;
use crate::kinds::Kind;
use crate::mirror::Mirror;
use crate::openmcp_names::{DOMAIN_ANNOTATION, GATEWAY_NAME, GATEWAY_NAMESPACE};
use crate::recording::messages::WatchState;
use crate::recording::summary::{MAX_PROBLEMS, Problem, Summary, explain};

/// The Gateway that openMCP's gateway service gives a cluster.
fn openmcp_gateway() -> SourceRef {
    SourceRef::new(Kind::Gateway, GATEWAY_NAMESPACE, GATEWAY_NAME)
}

impl ClusterRecords {
    /// The cluster's part of its summary. Conflicts, and what is wrong with the store, others know.
    pub(in crate::recording) fn summary(&self, store: &Mirror) -> Summary {
        let cloned = |(kind, state): (&Kind, &WatchState)| (*kind, state.clone());
        let active = self.policy.as_ref();
        let domain = self.domain.as_ref().filter(|_| active.is_some());
        let incoming = self.incoming.as_ref().map(|incoming| &incoming.policy);
        let mut summary = Summary {
            policy: active.or(incoming).map(|policy| policy.policy_name.clone()),
            domain: domain.map(|domain| match domain {
                Ok(allowed) => Ok(allowed.domain.clone()),
                Err(why) => Err(why.clone()),
            }),
            gateway_domain: self.objects.annotation(&openmcp_gateway(), DOMAIN_ANNOTATION).map(str::to_owned),
            watches: self.watches.iter().filter(|(kind, _)| kind.is_watched()).map(cloned).collect(),
            pending: self.waiting.len() + usize::from(incoming.is_some()),
            held: self.guard.held(),
            left_zones: self.left_zones.clone(),
            is_evacuated: active.is_some_and(|policy| policy.precedence.is_evacuated),
            comparison: self
                .candidate
                .as_ref()
                .map(|candidate| candidate.compare(self.wanted_domain.as_ref(), self.index.iter())),
            ..Summary::default()
        };
        let Counts { published, denied, undecided, unresolved } = self.index.counts();
        summary = Summary { published, denied, undecided, unresolved, ..summary };
        let problems = self.index.problems().flat_map(|(source, outcomes)| {
            let explained = outcomes.iter().map(|(host_name, outcome)| (host_name, explain(&outcome.state)));
            explained.filter_map(move |(host_name, why)| Some((source.clone(), host_name.to_owned(), why?)))
        });
        let problems =
            problems.map(|(source, host_name, (code, message))| Problem { source, host_name, code, message });
        summary.problems = problems.take(MAX_PROBLEMS).collect();
        summary.foreign_names = active.map_or(0, |policy| store.foreign_of(&policy.owner()));
        summary
    }
}
