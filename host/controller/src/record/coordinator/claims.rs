//! Observations lead to decisions on the objects that they concern.

use std::sync::Arc;

use openmcp_dns_core::cluster::{ClusterId, SourceRef};
use openmcp_dns_core::decide::{Decision, decide};
use openmcp_dns_core::objects::Change;
use openmcp_dns_core::policy::{FailureKind, PolicyFailure};

use super::{Coordinator, ask};
use crate::observe::Observation;
use crate::record::cluster::{Governance, WatchState};
use crate::record::memo::Question;
use crate::record::messages::Report;

impl Coordinator {
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
                    // What the store holds and nobody asked for in this list may have to go.
                    if let Some(governance) = &cluster.governance {
                        let owner = governance.owner();
                        let names = self.mirror.names_of(&owner);
                        self.pending.extend(names.cloned().map(|name| (name, true)));
                    }
                    self.touch(id);
                }
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

    // === decide ===

    pub(super) fn redecide(
        &mut self,
        id: &ClusterId,
        sources: impl IntoIterator<Item = SourceRef>,
        inferred: bool,
    ) {
        let mut touched = false;
        for source in sources {
            touched = true;
            self.redecide_one(id, source, inferred);
        }
        if touched {
            self.touch(id);
        }
    }

    pub(super) fn redecide_one(&mut self, id: &ClusterId, source: SourceRef, inferred: bool) {
        let Some(cluster) = self.clusters.get(id) else { return };
        let resolution = cluster.objects.resolve(&source);
        let labels = cluster.objects.labels(&source).cloned().unwrap_or_default();
        let uid = cluster.objects.uid(&source).unwrap_or_default().to_owned();
        let (governance, domain) = (cluster.governance.as_ref(), cluster.domain.as_ref());
        if resolution.is_some() && governance.is_none() {
            // Nobody decides on it now; `govern` comes back to it.
            return;
        }
        let owner = governance.map(Governance::owner);
        let memo = &mut self.memo;
        let decide_wanted = |wanted: &_| match (governance, domain) {
            (Some(governance), Some(Ok(territory))) => {
                let question = Question {
                    module_digest: Arc::clone(&governance.module_digest),
                    context: Arc::clone(&governance.context),
                    territory: Arc::clone(territory),
                    source: source.clone(),
                    labels: labels.clone(),
                    wanted: Clone::clone(wanted),
                };
                memo.decide(question, |question| {
                    ask(|| {
                        let Question { context, territory, source, labels, wanted, .. } = question;
                        decide(&*governance.policy, context, territory, source, labels, wanted)
                    })
                })
            }
            (_, domain) => {
                let why = match domain {
                    Some(Err(no_domain)) => format!("the cluster has no domain: {no_domain}"),
                    _ => "the cluster has no domain yet".to_owned(),
                };
                Decision::Undecided(PolicyFailure { kind: FailureKind::Refused, message: why })
            }
        };
        let mirror = &self.mirror;
        let standing = || owner.as_ref().map(|owner| mirror.standing(owner, &source)).unwrap_or_default();
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
    }
}
