//! Decisions lead to plans, unless too much would be withdrawn at once.

use std::collections::{BTreeMap, BTreeSet};

use openmcp_dns_core::brake::Withdrawal;
use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::plan::{NamePlan, plan};
use openmcp_dns_core::settle::{Conflict, Settled};
use tokio::time::Instant;

use super::Recorder;
use crate::record::messages::Report;

impl Recorder {
    pub(super) fn plan_pending(&mut self) {
        if !self.mirrored || self.pending.is_empty() {
            return;
        }
        let names: Vec<(HostName, bool)> =
            self.pending.extract_if(.., |name, _| !self.writes.is_busy(name)).collect();
        let mut plans = Vec::new();
        let mut withdrawals: BTreeMap<ClusterId, (BTreeSet<HostName>, bool)> = BTreeMap::new();
        for (name, inferred) in names {
            let Some((plan, settled)) = self.plan_name(&name, &BTreeSet::new()) else { continue };
            for cluster in &plan.withdrawn_from {
                let (names, all_inferred) =
                    withdrawals.entry(cluster.clone()).or_insert((BTreeSet::new(), true));
                names.insert(name.clone());
                *all_inferred &= inferred;
            }
            plans.push((plan, settled));
        }
        let held = self.held_clusters(&withdrawals);
        for (plan, settled) in plans {
            let (plan, settled) = if plan.withdrawn_from.is_disjoint(&held) {
                (plan, settled)
            } else {
                match self.plan_name(&plan.name, &held) {
                    Some(replanned) => replanned,
                    None => continue,
                }
            };
            self.carry_out(plan, &settled);
        }
    }

    /// The clusters whose withdrawals of this round have to wait.
    pub(super) fn held_clusters(
        &mut self,
        withdrawals: &BTreeMap<ClusterId, (BTreeSet<HostName>, bool)>,
    ) -> BTreeSet<ClusterId> {
        let now = Instant::now();
        let mut held = BTreeSet::new();
        for (id, (names, inferred)) in withdrawals {
            let Some(cluster) = self.clusters.get(id).filter(|cluster| cluster.release.is_none()) else {
                continue;
            };
            let Some(governance) = &cluster.governance else { continue };
            let published = self.mirror.count_of(&governance.owner());
            let withdrawal = Withdrawal { published, deleted: names.len(), inferred: *inferred };
            let guard = self.guards.entry(id.clone()).or_default();
            if !guard.allows(names, withdrawal, governance.deletion_limits, now) {
                tracing::warn!(cluster = %id, names = guard.held(), published, "holding a deletion until it is confirmed");
                held.insert(id.clone());
                self.outbox.push(Report::Touched(id.clone()));
            }
        }
        held
    }

    pub(super) fn plan_name(
        &self,
        name: &HostName,
        held: &BTreeSet<ClusterId>,
    ) -> Option<(NamePlan, Settled)> {
        let landscape = self.landscape_of(name)?;
        let settled = self.index.settle(name, self.mirror.published_cname(name).as_ref());
        let may_withdraw = |id: &ClusterId, source: Option<&str>| {
            !held.contains(id) && self.clusters.get(id).is_some_and(|cluster| cluster.may_withdraw(source))
        };
        let plan = plan(
            self.mirror.prefix(),
            &landscape,
            name,
            &settled.desired,
            self.mirror.at(name),
            may_withdraw,
        );
        Some((plan, settled))
    }

    /// The innermost zone that a name lies in.
    pub(super) fn landscape_of(&self, name: &HostName) -> Option<HostName> {
        let governed = self.clusters.values().filter_map(|cluster| cluster.governance.as_ref());
        let zones = governed.map(|governance| &governance.module.context.base_domain);
        let released = self.clusters.values().filter_map(|cluster| cluster.released.as_ref());
        zones
            .chain(released.map(|owner| &owner.landscape))
            .filter(|zone| name.is_within(zone))
            .max_by_key(|zone| zone.as_str().len())
            .cloned()
    }

    pub(super) fn carry_out(&mut self, plan: NamePlan, settled: &Settled) {
        self.note_conflicts(&plan.name, &settled.conflicts);
        if plan.withdrawn_from.is_empty() {
            for desired in &settled.desired {
                if let Some(guard) = self.guards.get_mut(&desired.cluster) {
                    guard.settle(&plan.name);
                }
            }
        }
        if plan.changes.is_empty() {
            let expectation = self.expectation(&plan.name);
            if !expectation.records.is_empty() {
                self.outbox.push(Report::Recorded { expectation, changed: false });
            }
        } else {
            self.writes.start(plan);
        }
    }

    pub(super) fn note_conflicts(&mut self, name: &HostName, conflicts: &[Conflict]) {
        let old = if conflicts.is_empty() {
            self.conflicts.remove(name)
        } else {
            self.conflicts.insert(name.clone(), conflicts.to_vec())
        };
        let old = old.unwrap_or_default();
        for conflict in conflicts.iter().filter(|conflict| !old.contains(conflict)) {
            let (cluster, source) = &conflict.loser;
            let uid = self.clusters.get(cluster).and_then(|cluster| cluster.objects.uid(source));
            let uid = uid.unwrap_or_default().to_owned();
            self.outbox.push(Report::Conflict { uid, conflict: conflict.clone() });
        }
        for conflict in old.iter().chain(conflicts) {
            self.outbox.push(Report::Touched(conflict.loser.0.clone()));
        }
    }
}
