//! Offers lead to plans, unless too much would be deleted at once.

use std::collections::{BTreeMap, BTreeSet};

use super::{NameEffect, Names};
use crate::cluster::ClusterId;
use crate::conflict::{Conflict, Winners, resolve_conflicts};
use crate::expectation::Expectation;
use crate::name::HostName;
use crate::plan::{NamePlan, plan};

/// What one round would do, before anybody has looked at how much it deletes.
#[derive(Default)]
pub(in crate::recording) struct Draft {
    plans: Vec<(NamePlan, Winners)>,
    /// What would be deleted, by cluster.
    pub(in crate::recording) deletions: BTreeMap<ClusterId, Deletions>,
}

/// What one round would delete of one cluster.
pub(in crate::recording) struct Deletions {
    /// Names at which nothing of the cluster would be left.
    pub(in crate::recording) names: BTreeSet<HostName>,
    /// Whether that follows from an inference only, see [`crate::deletion_guard::Deletion::inferred`].
    pub(in crate::recording) inferred: bool,
}

impl Names {
    /// Plans all names that have to be looked at and are not under way.
    pub(in crate::recording) fn draft(&mut self) -> Draft {
        let mut draft = Draft::default();
        if !self.store_is_known || self.pending.is_empty() {
            return draft;
        }
        let names: Vec<(HostName, bool)> =
            self.pending.extract_if(.., |name, _| !self.under_way.contains(name)).collect();
        for (name, inferred) in names {
            let Some((plan, winners)) = self.plan_name(&name, &BTreeSet::new()) else { continue };
            for cluster in &plan.withdrawn_from {
                let deletions = draft
                    .deletions
                    .entry(cluster.clone())
                    .or_insert(Deletions { names: BTreeSet::new(), inferred: true });
                deletions.names.insert(name.clone());
                deletions.inferred &= inferred;
            }
            draft.plans.push((plan, winners));
        }
        draft
    }

    /// Carries out a draft, but deletes nothing of the clusters whose deletions are held.
    pub(in crate::recording) fn carry_out(
        &mut self,
        draft: Draft,
        held: &BTreeSet<ClusterId>,
    ) -> Vec<NameEffect> {
        let mut effects = Vec::new();
        for (plan, winners) in draft.plans {
            if plan.withdrawn_from.is_disjoint(held) {
                self.begin(plan, &winners, &mut effects);
            } else if let Some((plan, winners)) = self.plan_name(&plan.name, held) {
                self.begin(plan, &winners, &mut effects);
            }
        }
        effects
    }

    fn plan_name(&self, name: &HostName, held: &BTreeSet<ClusterId>) -> Option<(NamePlan, Winners)> {
        let zone = self.zone_of(name)?;
        let claims = self.offers.get(name).into_iter().flatten();
        let sets = claims.flat_map(|(claimant, sets)| sets.iter().map(move |set| (claimant, set)));
        let winners = resolve_conflicts(name, sets, self.store.published_cname(name).as_ref());
        let may_withdraw = |id: &ClusterId, source: Option<&str>| {
            !held.contains(id) && self.members.get(id).is_some_and(|member| member.may_withdraw(source))
        };
        let stored = self.store.at(name);
        Some((plan(self.store.prefix(), zone, name, &winners.desired, stored, may_withdraw), winners))
    }

    /// The innermost zone that a name lies in.
    fn zone_of(&self, name: &HostName) -> Option<&HostName> {
        self.members
            .values()
            .flat_map(|member| [&member.zone, &member.released_from])
            .flatten()
            .filter(|zone| name.is_within(zone))
            .max_by_key(|zone| zone.as_str().len())
    }

    fn begin(&mut self, plan: NamePlan, winners: &Winners, effects: &mut Vec<NameEffect>) {
        self.note_conflicts(&plan.name, &winners.conflicts, effects);
        if plan.withdrawn_from.is_empty() {
            let wanted = winners.desired.iter().map(|desired| desired.cluster.clone());
            effects.extend(wanted.map(|cluster| NameEffect::ForgetHeld(cluster, plan.name.clone())));
        }
        if plan.changes.is_empty() {
            let expectation = Expectation::from_stored(&plan.name, self.store.at(&plan.name));
            if !expectation.records.is_empty() {
                effects.push(NameEffect::Recorded { expectation, changed: false });
            }
        } else {
            self.under_way.start(plan.name.clone());
            effects.push(NameEffect::Write(plan));
        }
    }

    fn note_conflicts(&mut self, name: &HostName, conflicts: &[Conflict], effects: &mut Vec<NameEffect>) {
        let old = if conflicts.is_empty() {
            self.conflicts.remove(name)
        } else {
            self.conflicts.insert(name.clone(), conflicts.to_vec())
        };
        let old = old.unwrap_or_default();
        let new = conflicts.iter().filter(|conflict| !old.contains(conflict));
        effects.extend(new.cloned().map(NameEffect::Conflict));
        let losers = old.iter().chain(conflicts).map(|conflict| conflict.loser.0.clone());
        effects.extend(losers.map(NameEffect::Touched));
    }
}
