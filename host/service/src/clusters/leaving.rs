//! Takes back everything that was done for a cluster whose `Cluster` is being deleted.
//!
//! Needs nothing but the `Cluster` itself: the policy may be gone, and the cluster too. What is to be
//! taken back the duties know; then the frame around them goes, the finalizer last.

use std::time::Duration;

use kube::Resource as _;
use openmcp_dns_api::conditions::{DutyName, Finding, Reason};
use openmcp_dns_core::chain;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::controller::{ClusterController, Next};
use super::step::zone;
use super::{Desired, finalizer};
use crate::duties::{Findings, Retreat, Spent, UndoContext};
use crate::record::{Command, Summary};
use crate::report::{cluster_dns, events};

/// How long to wait between two attempts.
const AGAIN: Duration = Duration::from_secs(1);

/// A clean-up that is under way.
pub(super) struct Leaving {
    /// What should have been for the cluster when it began to leave.
    desired: Desired,
    since: Instant,
    /// Whether it was said that the access is not given back in time.
    is_access_left: bool,
}

impl ClusterController {
    pub(super) async fn take_back(&mut self, desired: &Desired) -> Next {
        if self.leaving.is_none() {
            // Once: the recorder forgets the cluster when all is withdrawn.
            if self.leave_zones().await.is_none() {
                return Next::Ended;
            }
            let is_zone_known = zone(desired, self.zone.as_ref()).is_some();
            if !is_zone_known && !self.tell_unknown_zone(desired).await {
                return Next::Again(AGAIN);
            }
        }
        let Some(summary) = self.summary().await else { return Next::Ended };
        let leaving = self.leaving.get_or_insert_with(|| Leaving {
            desired: desired.clone(),
            since: Instant::now(),
            is_access_left: false,
        });
        let zone = zone(&leaving.desired, self.zone.as_ref());
        if zone.is_some() {
            self.connection.open(leaving.desired.access.as_ref()).await;
        }
        let context = UndoContext {
            id: &self.id,
            cluster: &desired.cluster,
            present: desired.present,
            zone: zone.as_ref(),
            reverse_zones: &self.reverse_zones,
            spent: Spent { elapsed: leaving.since.elapsed(), bound: self.settings.leaving.cluster },
            store_trouble: summary.store_trouble.as_deref(),
            way: self.connection.last_way(),
        };
        let Retreat { is_over, mut findings, left_behind } = self.duties.undo(&context).await;
        for what in left_behind {
            self.tell_left_behind(desired, &what).await;
        }
        let is_left = is_over && self.settings.agents.forget(&self.id).await;
        if !is_left || !self.is_access_given_back(desired, &mut findings).await {
            self.tell_leaving(desired, &summary, findings);
            return Next::Again(AGAIN);
        }
        match self.release(desired).await {
            Ok(()) => self.end(),
            Err(error) => {
                tracing::warn!(cluster = %self.id, error = chain(&error), "unable to release the Cluster");
                Next::Again(AGAIN)
            }
        }
    }

    /// Gives whether the access is given back, or nobody takes it. Before our finalizer goes: who has granted it needs the
    /// `Cluster` to take back what it has made there.
    async fn is_access_given_back(&mut self, desired: &Desired, findings: &mut Findings) -> bool {
        let given_back = self.settings.inventory.give_back(&self.id).await;
        let why = match given_back {
            Ok(true) => return true,
            Ok(false) => "its provider has not taken it back yet".to_owned(),
            Err(error) => chain(&error),
        };
        let bound = self.settings.leaving.access;
        let is_over = self.leaving.as_ref().is_none_or(|leaving| leaving.since.elapsed() > bound);
        if is_over {
            let what = format!(
                "the Cluster is released although the access to it is not given back: {why}; if the AccessRequest stays, \
                 remove the finalizers of its provider"
            );
            let is_told =
                self.leaving.as_mut().map(|leaving| std::mem::replace(&mut leaving.is_access_left, true));
            if is_told == Some(false) {
                tracing::warn!(cluster = %self.id, "{what}");
                self.tell_left_behind(desired, &what).await;
            }
        }
        let why = format!("the access is being given back: {why}");
        findings.insert(DutyName::Reachable, Finding::bad(Reason::Leaving, why));
        is_over
    }

    /// Says how far it is, in the status that goes at the end.
    fn tell_leaving(&mut self, desired: &Desired, summary: &Summary, findings: Findings) {
        // One without its `Cluster` would be made anew, for nobody.
        if desired.present {
            self.tell_status(&desired.cluster, summary, findings);
        }
    }

    /// Says what may be left, where it is still seen when the `ClusterDNS` is gone.
    async fn tell_left_behind(&self, desired: &Desired, what: &str) {
        let about = desired.cluster.object_ref(&());
        let told = events::tell(&self.settings.platform, &about, Reason::LeftBehind, what).await;
        if let Err(error) = told {
            tracing::warn!(cluster = %self.id, error = chain(&error), "unable to write an Event");
        }
    }

    /// Says what stays of a cluster of whose zone nothing is known any more; gives false while the store has not been read. It
    /// is not taken back: the store may be that of another landscape, too, which has a cluster of this name in its own zone.
    async fn tell_unknown_zone(&self, desired: &Desired) -> bool {
        let (answer, owners) = oneshot::channel();
        // The recorder ends only when the service does.
        let is_asked = self.settings.commands.send(Command::Owners(answer)).await.is_ok();
        let Some(owners) = (if is_asked { owners.await.ok() } else { None }) else { return false };
        tracing::warn!(
            cluster = %self.id,
            "nothing is taken back in the store and in the cluster: no DNSPolicy, no annotation and no ClusterDNS says in which zone"
        );
        for (owner, names) in owners.iter().filter(|(owner, _)| owner.cluster == self.id) {
            let what = format!(
                "no DNSPolicy, no annotation and no ClusterDNS says any more in which zone the names of the cluster lie: \
                 {names} names of {owner}, and what forwards {} in the cluster's DNS; openmcp-dns withdraw {owner} shows \
                 the names, and withdraws them",
                owner.zone
            );
            self.tell_left_behind(desired, &what).await;
        }
        true
    }

    /// Removes the status and, last, our finalizer.
    async fn release(&self, desired: &Desired) -> kube::Result<()> {
        // Nobody makes it anew while it is removed.
        self.settings.statuses.forget(&self.object());
        self.settings.statuses.settled(&self.object()).await;
        cluster_dns::remove(&self.settings.platform, &desired.cluster).await?;
        if desired.present { finalizer::release(&self.api(), &desired.cluster).await } else { Ok(()) }
    }
}
