//! The machine of one writer: what is offered and stored at names, and the changes that follow.

mod planning;
mod store_events;
mod under_way;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::cluster::{ClusterId, SourceRef};
use crate::conflict::{Claimant, Conflict};
use crate::expectation::Expectation;
use crate::index::Offers;
use crate::kinds::{Kind, Role};
use crate::mirror::Mirror;
use crate::name::HostName;
use crate::plan::NamePlan;
use crate::record::RecordSet;
use crate::skydns::{Owner, Prefix};

pub(super) use planning::Deletions;
pub(super) use store_events::Concerns;
use under_way::UnderWay;

/// The names that one writer answers for.
///
/// The cost of an offer is the number of its names, not the number of names there are.
pub(super) struct Names {
    store: Mirror,
    /// `false` until the store has been read once: nothing is planned before.
    store_is_known: bool,
    trouble: Option<String>,
    members: BTreeMap<ClusterId, Member>,
    offers: HashMap<HostName, BTreeMap<Claimant, Vec<RecordSet>>>,
    /// Names to plan; the flag says that the reason is an inference, see
    /// [`crate::deletion_guard::Deletion::inferred`].
    pending: BTreeMap<HostName, bool>,
    under_way: UnderWay,
    conflicts: HashMap<HostName, Vec<Conflict>>,
}

/// A cluster with records at the names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Member {
    /// The zone of its policy; `None` while it has none.
    pub(super) zone: Option<HostName>,
    /// The zone that all its records are withdrawn from.
    pub(super) released_from: Option<HostName>,
    /// The kinds of which all objects are known.
    pub(super) in_sync: BTreeSet<Kind>,
}

/// What follows for others.
pub(super) enum NameEffect {
    Write(NamePlan),
    Recorded {
        expectation: Expectation,
        changed: bool,
    },
    Conflict(Conflict),
    Touched(ClusterId),
    /// Of the cluster, nothing at this name is held any more.
    ForgetHeld(ClusterId, HostName),
}

impl Names {
    pub(super) fn new(prefix: Prefix) -> Self {
        Self {
            store: Mirror::new(prefix),
            store_is_known: false,
            trouble: None,
            members: BTreeMap::new(),
            offers: HashMap::new(),
            pending: BTreeMap::new(),
            under_way: UnderWay::default(),
            conflicts: HashMap::new(),
        }
    }

    /// What the store holds.
    pub(super) const fn store(&self) -> &Mirror {
        &self.store
    }

    /// Whether the store has been read.
    pub(super) const fn store_is_known(&self) -> bool {
        self.store_is_known
    }

    /// Why the store cannot be written or read; `None` when all is well.
    pub(super) const fn trouble(&self) -> Option<&String> {
        self.trouble.as_ref()
    }

    /// How many names are to be planned, or under way.
    pub(super) fn open(&self) -> usize {
        self.pending.len() + self.under_way.len()
    }

    /// Who gives way.
    pub(super) fn conflicts(&self) -> impl Iterator<Item = &Conflict> {
        self.conflicts.values().flatten()
    }

    pub(super) fn join(&mut self, cluster: ClusterId, member: Member) {
        self.members.insert(cluster, member);
    }

    pub(super) fn leave(&mut self, cluster: &ClusterId) {
        self.members.remove(cluster);
    }

    /// An object shall be published so from now on.
    pub(super) fn offer(&mut self, cluster: &ClusterId, source: &SourceRef, offers: Offers, inferred: bool) {
        let claimant = (cluster.clone(), source.clone());
        for (name, record_sets) in offers {
            if !record_sets.is_empty() {
                self.offers.entry(name.clone()).or_default().insert(claimant.clone(), record_sets);
            } else if let Some(others) = self.offers.get_mut(&name) {
                others.remove(&claimant);
                if others.is_empty() {
                    self.offers.remove(&name);
                }
            }
            self.look_at(name, inferred);
        }
    }

    /// What stands at these names may have to change. A seen deletion stays one when a list mentions
    /// the name in the same round.
    pub(super) fn look_at(&mut self, name: HostName, inferred: bool) {
        let entry = self.pending.entry(name).or_insert(inferred);
        *entry = *entry && inferred;
    }

    /// As [`Self::look_at`], for all names at which an owner has values.
    pub(super) fn review(&mut self, owner: &Owner, inferred: bool) {
        let names: Vec<HostName> = self.store.names_of(owner).cloned().collect();
        for name in names {
            self.look_at(name, inferred);
        }
    }
}

impl Member {
    /// Whether enough is known of the cluster to withdraw a value that this source object is said to
    /// have led to.
    fn may_withdraw(&self, source: Option<&str>) -> bool {
        if self.released_from.is_some() {
            return true;
        }
        let kind = source.and_then(|source| source.split('/').next()).and_then(Kind::parse);
        let needed = match kind.filter(|kind| kind.role() == Role::Source) {
            Some(kind) => kind.needs().collect(),
            None => Kind::ALL.to_vec(),
        };
        self.zone.is_some() && needed.iter().all(|kind| self.in_sync.contains(kind))
    }
}
