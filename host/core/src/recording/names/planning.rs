//! Offers lead to plans, unless too much would be deleted at once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::ready::MAX_WRITING;
use super::{Member, NameEffect, Names, Offer};
use crate::cluster::ClusterId;
use crate::conflict::{Conflict, Present, Staying, Winners, resolve_conflicts};
use crate::deletion_guard::Reason;
use crate::expectation::{Expectation, kept_seconds};
use crate::mirror::StoredName;
use crate::name::HostName;
use crate::plan::{self, MAX_CHANGES, NamePlan, Steps};
use crate::precedence::{Presence, giving_way};
use crate::record::RecordType;
use crate::skydns::Owner;

/// Names at which something would be deleted, before anybody has looked at how much that is.
#[derive(Default)]
pub(in crate::recording) struct Draft {
    withdrawing: Vec<(HostName, BTreeSet<ClusterId>)>,
    /// What would be deleted, by cluster.
    pub(in crate::recording) deletions: BTreeMap<ClusterId, Deletions>,
}

/// What has been found at one name.
struct Found {
    /// Whether nothing is to be changed.
    is_settled: bool,
    /// The clusters whose last value there would be deleted.
    withdrawn_from: BTreeSet<ClusterId>,
}

/// What one round would delete of one cluster.
///
/// Names at which nothing of the cluster would be left, by how that is known.
pub(in crate::recording) type Deletions = BTreeMap<Reason, BTreeSet<HostName>>;

impl Names {
    /// Looks at all names that may have to change: what deletes nothing is ready to be written.
    pub(in crate::recording) fn draft(&mut self, now: Instant, effects: &mut Vec<NameEffect>) -> Draft {
        let mut draft = Draft::default();
        if !self.store_is_known || self.pending.is_empty() {
            return draft;
        }
        for (name, reason) in std::mem::take(&mut self.pending) {
            self.wait_at(&name, now);
            let nothing_held = BTreeSet::new();
            let winners = self.winners(&name, &nothing_held, now);
            let found = self.look(&name, &nothing_held, &winners);
            if found.withdrawn_from.is_empty() {
                self.make_ready(name, found, &winners, nothing_held, effects);
                continue;
            }
            for cluster in &found.withdrawn_from {
                let deletions = draft.deletions.entry(cluster.clone()).or_default();
                deletions.entry(reason).or_default().insert(name.clone());
            }
            draft.withdrawing.push((name, found.withdrawn_from));
        }
        draft
    }

    /// Makes the names of a draft ready, but holds what is held: names by cluster.
    pub(in crate::recording) fn carry_out(
        &mut self,
        draft: Draft,
        held: &BTreeMap<ClusterId, BTreeSet<HostName>>,
        now: Instant,
        effects: &mut Vec<NameEffect>,
    ) {
        for (name, withdrawn_from) in draft.withdrawing {
            let holds = |id: &&ClusterId| held.get(*id).is_some_and(|names| names.contains(&name));
            let held: BTreeSet<ClusterId> = withdrawn_from.iter().filter(holds).cloned().collect();
            let winners = self.winners(&name, &held, now);
            let found = self.look(&name, &held, &winners);
            self.make_ready(name, found, &winners, held, effects);
        }
    }

    /// Begins as many transactions as may be under way.
    pub(in crate::recording) fn write(&mut self, now: Instant, effects: &mut Vec<NameEffect>) {
        while self.under_way.writing() < MAX_WRITING {
            let Some((name, cluster, held)) = self.ready.pop(now) else { return };
            let winners = self.winners(&name, &held, now);
            let plan = self.plan_name(&name, &held, &winners);
            if plan.changes.is_empty() {
                // A kind that it depends on is not in sync any more.
                effects.push(NameEffect::Touched(cluster));
                continue;
            }
            // Where a cluster has nothing any more, what others have there is told once more, without it.
            let is_whole = plan.changes.len() < MAX_CHANGES && plan.withdrawn_from.is_empty();
            let clusters = self.clusters_of(&name, &plan.withdrawn_from, &winners);
            let kept_seconds = kept_seconds(self.store.at(&name));
            self.under_way.start(name, clusters, is_whole, kept_seconds);
            effects.push(NameEffect::Write(plan));
        }
    }

    fn offers_at(&self, name: &HostName) -> &[Offer] {
        self.offers.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// What is to stand at a name, while nothing of the clusters in `held` is deleted.
    fn winners(&self, name: &HostName, held: &BTreeSet<ClusterId>, now: Instant) -> Winners {
        if name.address().is_some() {
            // Nobody can ask for it, and what stands there follows from what stands elsewhere.
            return Winners::default();
        }
        let stood_in_for = self.stood_in_for(name, now);
        let offers = self.offers_at(name);
        let sets =
            offers.iter().flat_map(|offer| offer.record_sets.iter().map(move |set| (&offer.claimant, set)));
        let sets = sets.filter(|(_, set)| set.name == *name);
        let cname = self.store.published_cname(name);
        // Without any CNAME, everything can stand beside everything.
        let has_cname =
            cname.is_some() || sets.clone().any(|(_, set)| set.record_type() == Some(RecordType::Cname));
        let staying = if has_cname { self.staying(name, held, &stood_in_for) } else { Vec::new() };
        resolve_conflicts(name, sets, stood_in_for, &Present { cname, staying })
    }

    /// What stands at a name and may not be withdrawn, should nobody want it.
    fn staying(
        &self,
        name: &HostName,
        held: &BTreeSet<ClusterId>,
        stood_in_for: &BTreeSet<ClusterId>,
    ) -> Vec<Staying> {
        let stored = self.store.at(name).into_iter().flat_map(StoredName::iter);
        let staying = stored.filter_map(|stored| {
            let (owner, source) = (stored.owner()?, stored.source());
            let stays = !owner.is_service() && !self.may_withdraw(name, held, stood_in_for, owner, source);
            stays.then_some(Staying {
                cluster: owner.cluster.clone(),
                source: source.unwrap_or_default().to_owned(),
                value: stored.value()?,
            })
        });
        staying.collect()
    }

    /// The clusters that give way at a name because of how they stand there: somebody else has it, too, and will go on
    /// having it.
    fn stood_in_for(&self, name: &HostName, now: Instant) -> BTreeSet<ClusterId> {
        if self.with_precedence == 0 {
            return BTreeSet::new();
        }
        giving_way(name, &self.present(name, now), |cluster| self.members.get(cluster)?.precedence.as_ref())
    }

    /// What there is of clusters at a name.
    fn present(&self, name: &HostName, now: Instant) -> BTreeMap<&ClusterId, Presence> {
        let offers = self.offers_at(name).iter().filter(|offer| !offer.record_sets.is_empty());
        let offers = offers.map(|offer| {
            let cluster = &offer.claimant.0;
            (cluster, Presence { is_stored: false, lasts: self.failback.lasts(cluster, name, now) })
        });
        let mut present: BTreeMap<&ClusterId, Presence> = offers.collect();
        // What stands there and cannot be withdrawn counts as well: its cluster has not been looked at yet.
        for stored in self.store.at(name).into_iter().flat_map(StoredName::iter) {
            let Some(owner) = stored.owner().filter(|owner| !owner.is_service()) else { continue };
            if let Some(presence) = present.get_mut(&owner.cluster) {
                presence.is_stored = true;
            } else if !self.may_go(name, owner, stored.source()) {
                present.insert(&owner.cluster, Presence::STORED);
            }
        }
        present
    }

    /// Looks at a name again when the next cluster has stayed there for long enough.
    fn wait_at(&mut self, name: &HostName, now: Instant) {
        if self.with_precedence == 0 {
            return;
        }
        let clusters: BTreeSet<ClusterId> =
            self.offers_at(name).iter().map(|offer| offer.claimant.0.clone()).collect();
        for cluster in clusters {
            self.note_presence(&cluster, name, now);
        }
        let present = self.present(name, now).into_iter();
        let waits = present.filter_map(|(cluster, presence)| {
            self.members.get(cluster)?.precedence.as_ref()?.waits_for(name, presence)
        });
        let until = waits.min().map(|left| now + left);
        self.failback.wait(name, until);
    }

    /// The way there for clusters, but nothing of those in `held` is deleted.
    fn steps<'w>(&self, name: &HostName, held: &BTreeSet<ClusterId>, winners: &'w Winners) -> Steps<'w> {
        let may_withdraw = |owner: &Owner, source: Option<&str>| {
            self.may_withdraw(name, held, &winners.stood_in_for, owner, source)
        };
        let zone_of = |cluster: &ClusterId| self.members.get(cluster)?.zone.as_ref();
        let mut steps = plan::steps(&winners.desired, self.store.at(name), zone_of, may_withdraw);
        // Whoever gives way still wants the name, and the name stays: nothing is lost that has to be held.
        steps.withdrawn_from.retain(|cluster| {
            !winners.stood_in_for.contains(cluster)
                && winners.conflicts.iter().all(|conflict| conflict.loser.0 != *cluster)
        });
        steps
    }

    /// Whether a value may be withdrawn that is not wanted at a name: what is held is not, and what another cluster stands
    /// in for is.
    fn may_withdraw(
        &self,
        name: &HostName,
        held: &BTreeSet<ClusterId>,
        stood_in_for: &BTreeSet<ClusterId>,
        owner: &Owner,
        source: Option<&str>,
    ) -> bool {
        let is_of_zone = |member: &Member| member.has_zone(&owner.zone);
        let is_stood_in_for =
            stood_in_for.contains(&owner.cluster) && self.members.get(&owner.cluster).is_some_and(is_of_zone);
        !held.contains(&owner.cluster) && (is_stood_in_for || self.may_go(name, owner, source))
    }

    /// Whether a value that nobody wants at a name may be withdrawn.
    fn may_go(&self, name: &HostName, owner: &Owner, source: Option<&str>) -> bool {
        let is_open = |offer: &Offer| offer.claimant.0 == owner.cluster && offer.record_sets.is_empty();
        self.members.get(&owner.cluster).is_some_and(|member| {
            member.is_released_from(&owner.zone)
                || member.knows_enough_of(owner, source) && !self.offers_at(name).iter().any(is_open)
        })
    }

    fn look(&self, name: &HostName, held: &BTreeSet<ClusterId>, winners: &Winners) -> Found {
        if name.address().is_some() {
            let is_settled = self.plan_name(name, held, winners).changes.is_empty();
            return Found { is_settled, withdrawn_from: BTreeSet::new() };
        }
        let steps = self.steps(name, held, winners);
        let is_settled = steps.is_empty() && self.service_changes(name).is_empty();
        Found { is_settled, withdrawn_from: steps.withdrawn_from }
    }

    fn plan_name(&self, name: &HostName, held: &BTreeSet<ClusterId>, winners: &Winners) -> NamePlan {
        let mut plan = if name.address().is_some() {
            let (changes, withdrawn_from) = (self.reverse_changes(name), BTreeSet::new());
            NamePlan { name: name.clone(), changes, withdrawn_from }
        } else {
            self.steps(name, held, winners).plan(self.store.prefix(), name)
        };
        let own = self.service_changes(name);
        if !own.is_empty() {
            plan.changes.extend(own);
            plan.changes.sort_by(|a, b| a.key.cmp(&b.key));
        }
        plan
    }

    /// The clusters whose values are at stake in a plan; first the one for which it is made.
    fn clusters_of(
        &self,
        name: &HostName,
        withdrawn_from: &BTreeSet<ClusterId>,
        winners: &Winners,
    ) -> Vec<ClusterId> {
        let wanting = winners.desired.iter().map(|desired| &desired.cluster);
        let stored = self.store.at(name).into_iter().flat_map(StoredName::iter);
        let owners = stored.filter_map(|stored| stored.owner()).map(|owner| &owner.cluster);
        let mut clusters: Vec<ClusterId> = Vec::new();
        let addressed = self.reverse_wanted_by(name);
        for cluster in wanting.chain(withdrawn_from).chain(&addressed).chain(owners) {
            if !clusters.contains(cluster) {
                clusters.push(cluster.clone());
            }
        }
        if clusters.is_empty() {
            // Nobody has anything there, and yet it changes: the service begins to publish it.
            clusters.push(ClusterId::service());
        }
        clusters
    }

    fn make_ready(
        &mut self,
        name: HostName,
        found: Found,
        winners: &Winners,
        held: BTreeSet<ClusterId>,
        effects: &mut Vec<NameEffect>,
    ) {
        self.note_conflicts(&name, &winners.conflicts, effects);
        if found.withdrawn_from.is_empty() && held.is_empty() {
            let wanted = winners.desired.iter().map(|desired| desired.cluster.clone());
            effects.extend(wanted.map(|cluster| NameEffect::ForgetHeld(cluster, name.clone())));
        }
        if found.is_settled {
            let expectation = Expectation::from_stored(&name, self.store.at(&name));
            if !expectation.values.is_empty() {
                effects.push(NameEffect::Recorded { expectation, revision: None });
            }
            return;
        }
        if let Some(cluster) = self.clusters_of(&name, &found.withdrawn_from, winners).into_iter().next() {
            effects.push(NameEffect::Touched(cluster.clone()));
            self.ready.push(name, cluster, held);
        }
    }

    fn note_conflicts(&mut self, name: &HostName, conflicts: &[Conflict], effects: &mut Vec<NameEffect>) {
        if conflicts.is_empty() && self.conflicts.is_empty() {
            return;
        }
        let mut new: BTreeMap<&ClusterId, Vec<&Conflict>> = BTreeMap::new();
        for conflict in conflicts {
            new.entry(&conflict.loser.0).or_default().push(conflict);
        }
        for (cluster, names) in &mut self.conflicts {
            if !new.contains_key(cluster)
                && let Some(old) = names.remove(name)
            {
                effects.push(NameEffect::Touched(cluster.clone()));
                effects.extend(losers(old));
            }
        }
        for (cluster, new) in new {
            let names = self.conflicts.entry(cluster.clone()).or_default();
            let new: Vec<Conflict> = new.into_iter().cloned().collect();
            let old = names.insert(name.clone(), new.clone()).unwrap_or_default();
            if old != new {
                effects.push(NameEffect::Touched(cluster.clone()));
                let told = new.iter().filter(|conflict| !old.contains(conflict)).cloned();
                effects.extend(told.map(NameEffect::Conflict));
                effects.extend(losers(old).chain(losers(new)));
            }
        }
        self.conflicts.retain(|_, names| !names.is_empty());
    }
}

fn losers(conflicts: Vec<Conflict>) -> impl Iterator<Item = NameEffect> {
    conflicts.into_iter().map(|conflict| NameEffect::OtherLoser(conflict.loser))
}
