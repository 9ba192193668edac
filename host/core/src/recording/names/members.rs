//! The clusters whose records stand at the names.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::kinds::Kind;
use crate::name::HostName;
use crate::precedence::Precedence;
use crate::reverse::Networks;
use crate::skydns::Owner;

/// A cluster with records at the names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::recording) struct Member {
    /// The zone of its policy, or of the last one.
    pub(in crate::recording) zone: Option<HostName>,
    /// Zones of earlier policies, whose records it leaves.
    pub(in crate::recording) left_zones: BTreeSet<HostName>,
    /// Whether it stands under a policy.
    pub(in crate::recording) is_governed: bool,
    /// The zones that all its records are withdrawn from, because it is being deleted.
    pub(in crate::recording) released_from: BTreeSet<HostName>,
    /// The kinds of which all objects are known.
    pub(in crate::recording) in_sync: BTreeSet<Kind>,
    /// The kinds that the cluster is without, and may be.
    pub(in crate::recording) absent: BTreeSet<Kind>,
    /// The kinds of which all objects have been known once, or that are not served.
    pub(in crate::recording) listed: BTreeSet<Kind>,
    /// The networks whose addresses lead back to its host names; `None` while no policy says it.
    pub(in crate::recording) networks: Option<Arc<Networks>>,
    /// How it stands at names that others publish as well; `None` while no policy says it.
    pub(in crate::recording) precedence: Option<Precedence>,
    /// See [`crate::limits::Limits::changes_per_second`].
    pub(in crate::recording) changes_per_second: u32,
}

impl Member {
    /// Whether all that the cluster has in a zone is withdrawn.
    pub(super) fn is_released_from(&self, zone: &HostName) -> bool {
        self.released_from.contains(zone)
    }

    /// Whether a zone is, or was, that of the cluster's policy.
    pub(super) fn has_zone(&self, zone: &HostName) -> bool {
        self.zone.as_ref() == Some(zone) || self.left_zones.contains(zone)
    }

    /// Whether enough is known of the cluster to withdraw a value of this owner that this source object
    /// is said to have led to.
    ///
    /// All objects of its kind, and of those it depends on, have to be known; a kind that the cluster is without has
    /// none, but what came of it in another life does not go for that. An object of another
    /// kind may want the value as well, and the store names one of them only: so each kind must have
    /// been listed, too.
    pub(super) fn knows_enough_of(&self, owner: &Owner, source: Option<&str>) -> bool {
        let kind = source.and_then(|source| source.split('/').next()).and_then(Kind::parse);
        let needed = match kind.filter(|kind| kind.claims()) {
            Some(kind) => kind.needs().collect(),
            None => Kind::ALL.to_vec(),
        };
        self.is_governed
            && self.has_zone(&owner.zone)
            && needed.iter().all(|needed| {
                self.in_sync.contains(needed) || kind != Some(*needed) && self.absent.contains(needed)
            })
            && Kind::ALL.iter().all(|kind| self.listed.contains(kind))
    }
}
