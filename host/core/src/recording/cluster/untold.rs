//! What is told only when all that it depends on is known.
//!
//! After a restart, routes may be listed before their Gateways: that their parents do not exist is not
//! true then, and nobody should get an Event that says so.

use super::{ClusterRecords, Surroundings};
use crate::cluster::SourceRef;
use crate::index::State;
use crate::recording::messages::Report;

impl ClusterRecords {
    /// Tells of host names of an object whose state is another one; or later, where that may not be true.
    pub(super) fn tell_states(
        &mut self,
        source: &SourceRef,
        changed: Vec<String>,
        around: &mut Surroundings<'_>,
    ) {
        if changed.is_empty() {
            return;
        }
        let is_known = source.kind.needs().all(|kind| self.listed.contains(&kind));
        let uid = self.objects.uid(source).unwrap_or_default();
        let Some(outcomes) = self.index.outcomes(source) else { return };
        for host_name in changed {
            let Some(outcome) = outcomes.get(&host_name) else { continue };
            if !is_known && matches!(outcome.state, State::Unresolved(_)) {
                self.untold.insert(source.clone());
                continue;
            }
            around.effects.push(super::ClusterEffect::Tell(Report::Claim {
                cluster: self.id.clone(),
                source: source.clone(),
                uid: uid.to_owned(),
                host_name,
                state: outcome.state.clone(),
            }));
        }
    }

    /// Another kind is known: tells what had to wait for it, and is still so.
    pub(super) fn tell_untold(&mut self, around: &mut Surroundings<'_>) {
        let listed = &self.listed;
        let is_known = |source: &SourceRef| source.kind.needs().all(|kind| listed.contains(&kind));
        let known: Vec<SourceRef> = self.untold.extract_if(.., |source| is_known(source)).collect();
        for source in known {
            let outcomes = self.index.outcomes(&source).into_iter().flat_map(|outcomes| outcomes.iter());
            let unresolved = outcomes.filter(|(_, outcome)| matches!(outcome.state, State::Unresolved(_)));
            let host_names = unresolved.map(|(host_name, _)| host_name.to_owned()).collect();
            self.tell_states(&source, host_names, around);
            self.tell_decisions(&source, None, around);
        }
    }
}
