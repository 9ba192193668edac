//! The machine of one writer: what is offered and stored at names, and the changes that follow.

mod failback;
mod members;
mod planning;
mod ready;
mod reverse;
mod service;
mod standing;
mod store_events;
mod trouble;
mod under_way;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;

use crate::cluster::{ClusterId, SourceRef};
use crate::conflict::{Claimant, Conflict};
use crate::deletion_guard::Reason;
use crate::expectation::Expectation;
use crate::index::{self, Offers};
use crate::mirror::Mirror;
use crate::name::HostName;
use crate::plan::NamePlan;
use crate::precedence::Precedence;
use crate::record::RecordSet;
use crate::service_names::ServiceNames;
use crate::skydns::{Owner, Prefix};

use failback::Failback;
pub(super) use members::Member;
pub(super) use planning::Deletions;
use ready::Ready;
use reverse::Reverse;
pub(super) use store_events::Concerns;
use trouble::Trouble;
use under_way::UnderWay;

/// The names that one writer answers for.
///
/// The cost of an offer is the number of its names, not the number of names there are. A name is at one
/// place only: it is to be looked at, or it is ready to be written, or it is under way; one that changes
/// while it is under way is marked there, and looked at again when the store has shown the last change.
pub(super) struct Names {
    store: Mirror,
    /// `false` until the store has been read once: nothing is planned before.
    store_is_known: bool,
    trouble: Trouble,
    members: BTreeMap<ClusterId, Member>,
    /// How many of them stand behind or before others somewhere.
    with_precedence: usize,
    failback: Failback,
    offers: HashMap<HostName, Vec<Offer>>,
    /// What the service itself publishes; `None` until that is known.
    service: Option<ServiceNames>,
    reverse: Reverse,
    /// Names to plan, and why.
    pending: BTreeMap<HostName, Reason>,
    ready: Ready,
    under_way: UnderWay,
    /// Who gives way, by cluster.
    conflicts: BTreeMap<ClusterId, BTreeMap<HostName, Vec<Conflict>>>,
    /// Why the store does not take what is to be written at a name, by cluster.
    refusals: BTreeMap<ClusterId, BTreeMap<HostName, String>>,
}

/// What one object shall publish at a name. At most names there is one.
struct Offer {
    claimant: Claimant,
    /// Empty while it is open whether the object may publish there.
    record_sets: Arc<[RecordSet]>,
}

/// What follows for others.
pub(super) enum NameEffect {
    Write(NamePlan),
    Recorded {
        expectation: Expectation,
        revision: Option<i64>,
    },
    Conflict(Conflict),
    /// The object gives way at a name, or does no more, or to somebody else.
    OtherLoser(Claimant),
    Touched(ClusterId),
    /// The store has shown what was written at the name, or it was not written.
    Free(HostName),
    /// Of the cluster, nothing at this name is held any more.
    ForgetHeld(ClusterId, HostName),
}

impl Names {
    pub(super) fn new(prefix: Prefix) -> Self {
        Self {
            store: Mirror::new(prefix),
            store_is_known: false,
            trouble: Trouble::default(),
            members: BTreeMap::new(),
            with_precedence: 0,
            failback: Failback::default(),
            offers: HashMap::new(),
            service: None,
            reverse: Reverse::default(),
            pending: BTreeMap::new(),
            ready: Ready::default(),
            under_way: UnderWay::default(),
            conflicts: BTreeMap::new(),
            refusals: BTreeMap::new(),
        }
    }

    /// What the store holds.
    pub(super) const fn store(&self) -> &Mirror {
        &self.store
    }

    /// Up to which revision the store has been seen.
    pub(super) const fn revision(&self) -> i64 {
        self.under_way.seen_revision()
    }

    /// Whether the store has been read.
    pub(super) const fn store_is_known(&self) -> bool {
        self.store_is_known
    }

    /// Why the store cannot be written or read; `None` when all is well.
    pub(super) fn trouble(&self, now: Instant) -> Option<&str> {
        self.trouble.said(now)
    }

    /// How many names of a cluster are to be written, or being written.
    pub(super) fn open(&self, cluster: &ClusterId) -> usize {
        self.ready.len_of(cluster) + self.under_way.len_of(cluster)
    }

    /// Who of a cluster gives way.
    pub(super) fn conflicts(&self, cluster: &ClusterId) -> impl Iterator<Item = &Conflict> {
        self.conflicts.get(cluster).into_iter().flat_map(BTreeMap::values).flatten()
    }

    /// Names of a cluster that the store does not take, for which object, and why.
    pub(super) fn refusals(
        &self,
        cluster: &ClusterId,
    ) -> impl Iterator<Item = (&HostName, &SourceRef, &String)> {
        self.refusals.get(cluster).into_iter().flatten().filter_map(|(name, why)| {
            let mut offers = self.offers.get(name)?.iter();
            let offer = offers.find(|offer| offer.claimant.0 == *cluster)?;
            Some((name, &offer.claimant.1, why))
        })
    }

    /// When something is to be done though nothing arrives.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        let writable = self.under_way.writing() < ready::MAX_WRITING;
        let next = if writable { self.ready.due(now) } else { None };
        next.into_iter().chain(self.trouble.due(now)).chain(self.failback.due()).min()
    }

    pub(super) fn join(&mut self, cluster: &ClusterId, member: Member) {
        if self.members.get(cluster) != Some(&member) {
            self.ready.limit(cluster, member.changes_per_second);
            let precedence = member.precedence.clone();
            let (zone, networks) = (member.zone.clone(), member.networks.clone());
            let old = self.members.insert(cluster.clone(), member).unwrap_or_default();
            if (old.zone, old.networks) != (zone, networks) {
                self.follow_addresses_of(cluster);
            }
            if old.precedence != precedence {
                let before = self.with_precedence;
                self.count_precedence();
                if before + self.with_precedence > 0 {
                    self.look_at_all_of(cluster);
                }
            }
        }
    }

    fn count_precedence(&mut self) {
        let none = Precedence::default();
        let members = self.members.values().filter_map(|member| member.precedence.as_ref());
        self.with_precedence = members.filter(|precedence| **precedence != none).count();
    }

    /// What stands at the names of a cluster may have to change, because it stands there otherwise than before.
    fn look_at_all_of(&mut self, cluster: &ClusterId) {
        let is_of = |offers: &[Offer]| offers.iter().any(|offer| offer.claimant.0 == *cluster);
        let offered = self.offers.iter().filter(|(_, offers)| is_of(offers)).map(|(name, _)| name.clone());
        let owners = self.store.owners().filter(|owner| owner.cluster == *cluster);
        let stored = owners.flat_map(|owner| self.store.names_of(owner)).cloned();
        let names: BTreeSet<HostName> = offered.chain(stored).collect();
        for name in names {
            self.look_at(name, Reason::Missing);
        }
    }

    pub(super) fn leave(&mut self, cluster: &ClusterId) {
        self.members.remove(cluster);
        self.follow_addresses_of(cluster);
        self.count_precedence();
        self.failback.forget(cluster);
        self.ready.forget(cluster);
        self.conflicts.remove(cluster);
        self.refusals.remove(cluster);
    }

    /// Whether a cluster has nothing in the store any more, and nothing under way there.
    pub(super) fn has_left(&self, owner: &Owner) -> bool {
        let is_nowhere = self.store.names_of(owner).next().is_none();
        self.store_is_known && is_nowhere && self.open(&owner.cluster) == 0
    }

    /// An object shall be published so from now on.
    pub(super) fn offer(&mut self, claimant: &Claimant, offers: Offers, reason: Reason, now: Instant) {
        for (name, offer) in offers {
            let is_news = match offer {
                index::Offer::Records(record_sets) => {
                    self.set_offer(claimant, &name, record_sets);
                    true
                }
                // Where the object had nothing, nothing follows before it is decided.
                index::Offer::Open => self.set_offer(claimant, &name, Arc::default()),
                index::Offer::Nothing => {
                    self.drop_offer(claimant, &name);
                    true
                }
            };
            self.note_presence(&claimant.0, &name, now);
            if is_news {
                self.look_at(name, reason);
            }
        }
    }

    /// Where clusters have an order, it counts since when they ask for the name.
    fn note_presence(&mut self, cluster: &ClusterId, name: &HostName, now: Instant) {
        if self.with_precedence == 0 {
            return;
        }
        let precedence = self.members.get(cluster).and_then(|member| member.precedence.as_ref());
        let has_place = precedence.is_some_and(|precedence| precedence.place(name).is_some());
        let mut offers = self.offers.get(name).into_iter().flatten();
        let is_there =
            has_place && offers.any(|offer| offer.claimant.0 == *cluster && !offer.record_sets.is_empty());
        self.failback.note(cluster, name, is_there, now);
    }

    /// Gives whether there was an offer of the object.
    fn set_offer(&mut self, claimant: &Claimant, name: &HostName, record_sets: Arc<[RecordSet]>) -> bool {
        let mut others = self.offers.remove(name).unwrap_or_default();
        let known = others.iter_mut().find(|offer| offer.claimant == *claimant);
        let is_known = known.is_some();
        match known {
            Some(known) => known.record_sets = record_sets,
            None => {
                others.reserve_exact(1);
                others.push(Offer { claimant: claimant.clone(), record_sets });
            }
        }
        // It shares its text with what the store holds already, or else with the newest record sets.
        let name = self.store.known(name).unwrap_or(name);
        self.offers.insert(name.clone(), others);
        is_known
    }

    fn drop_offer(&mut self, claimant: &Claimant, name: &HostName) {
        let Some(others) = self.offers.get_mut(name) else { return };
        others.retain(|offer| offer.claimant != *claimant);
        if others.is_empty() {
            self.offers.remove(name);
        }
    }

    /// What stands at these names may have to change. A seen deletion stays one when a list mentions
    /// the name in the same round.
    pub(super) fn look_at(&mut self, name: HostName, reason: Reason) {
        if self.under_way.mark(&name, reason) {
            return;
        }
        self.ready.remove(&name);
        let entry = self.pending.entry(name).or_insert(reason);
        *entry = reason.min(*entry);
    }

    /// As [`Self::look_at`], for all names at which an owner has values.
    pub(super) fn review(&mut self, owner: &Owner, reason: Reason) {
        let names: Vec<HostName> = self.store.names_of(owner).cloned().collect();
        for name in names {
            self.look_at(name, reason);
        }
    }
}
