//! What a cluster asks for beyond its budget, and what is told of that.

use std::collections::BTreeSet;

use super::{ClusterRecords, Surroundings};
use crate::cluster::SourceRef;
use crate::codes;
use crate::decide::Decision;
use crate::labels::Labels;
use crate::limits::{Limits, MAX_LABELS_BYTES};
use crate::policy::Denial;
use crate::resolve::Resolution;
use crate::skydns::Owner;

/// What is looked at of all that an object asks for.
pub(super) struct WithinBudget {
    pub(super) resolution: Resolution,
    /// The first host name of those that are too many, which stands for all of them, and why.
    pub(super) surplus: Option<(String, Denial)>,
}

/// How many more names a cluster may publish, for one object.
pub(super) struct Room {
    left: usize,
    /// Host names of the object at which something stands; `None` while there is room for all.
    standing: Option<BTreeSet<String>>,
    limits: Limits,
    /// Whether something did not find room.
    pub(super) is_short: bool,
}

impl ClusterRecords {
    fn limits(&self) -> Limits {
        self.policy.as_ref().map(|policy| policy.limits).unwrap_or_default()
    }

    /// Passes over the host names that are too many for one object.
    pub(super) fn within_budget(&self, source: &SourceRef, mut resolution: Resolution) -> WithinBudget {
        let (most, all) = (self.limits().host_names_per_object.max(1), resolution.wanted.len());
        let mut surplus = None;
        if all > most {
            // The first of those that are too many stays, to say so.
            resolution.wanted.truncate(most + 1);
            surplus = resolution.wanted.last().map(|claim| {
                let message = format!(
                    "{source} asks for {all} host names, of which the first {most} in alphabetical order are \
                     looked at: split it, or raise spec.limits.hostNamesPerObject of the DNSPolicy"
                );
                (claim.host_name.clone(), Denial::new(codes::TOO_MANY_HOST_NAMES, message))
            });
        }
        resolution.unresolved.truncate(most);
        WithinBudget { resolution, surplus }
    }

    /// The labels of an object; `None` when they are too large for a module.
    pub(super) fn labels(&self, source: &SourceRef) -> Option<Labels> {
        let Some(labels) = self.objects.labels(source) else { return Some(Labels::default()) };
        let bytes: usize = labels.iter().map(|(key, value)| key.len() + value.len()).sum();
        (bytes <= MAX_LABELS_BYTES).then(|| labels.clone())
    }

    /// How many more names the cluster may publish. What is published already stays.
    pub(super) fn room(&self, source: &SourceRef, wanted: usize, around: &Surroundings<'_>) -> Room {
        let limits = self.limits();
        let owner = self.policy.as_ref().map(crate::cluster_policy::ClusterPolicy::owner);
        let stored = owner.as_ref().map_or(0, |owner| around.store.count_of(owner));
        let used = self.index.names().in_cluster().max(stored);
        let left = limits.names_per_cluster.saturating_sub(used);
        let standing = (left < wanted).then(|| self.standing(source, owner.as_ref(), around));
        Room { left, standing, limits, is_short: false }
    }

    /// Host names of an object at which something stands.
    pub(super) fn standing(
        &self,
        source: &SourceRef,
        owner: Option<&Owner>,
        around: &Surroundings<'_>,
    ) -> BTreeSet<String> {
        let known = self.index.outcomes(source);
        let known = known.into_iter().flat_map(|outcomes| outcomes.iter());
        let known = known.filter(|(_, outcome)| !outcome.record_sets.is_empty());
        let mut standing: BTreeSet<String> = known.map(|(host_name, _)| host_name.to_owned()).collect();
        if let Some(owner) = owner {
            // After a restart only the store knows.
            let published = around.store.published(owner, source);
            standing.extend(published.iter().map(|set| set.name.to_string()));
        }
        standing
    }
}

impl Room {
    /// What becomes of a decision.
    pub(super) fn admit(&mut self, host_name: &str, decision: Decision) -> Decision {
        let Some(standing) = &self.standing else { return decision };
        if !matches!(decision, Decision::Publish(_)) || standing.contains(host_name) {
            return decision;
        }
        if self.left > 0 {
            self.left -= 1;
            return decision;
        }
        self.is_short = true;
        let message = format!(
            "the cluster publishes {} names already, as many as it may: withdraw some, or raise \
             spec.limits.namesPerCluster of the DNSPolicy",
            self.limits.names_per_cluster
        );
        Decision::Deny(Denial::new(codes::TOO_MANY_NAMES, message))
    }
}

/// What is said of an object whose labels no module is told.
pub(super) fn labels_too_large() -> Decision {
    let message = format!("its labels have more than {MAX_LABELS_BYTES} bytes: remove some");
    Decision::Deny(Denial::new(codes::LABELS_TOO_LARGE, message))
}
