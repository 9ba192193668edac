//! Takes back everything that was done for a cluster whose `Cluster` is being deleted.
//!
//! Needs nothing but the `Cluster` itself: the policy may be gone, and the cluster too. What is to be
//! taken back the duties know; then the frame around them goes, the finalizer last.

use std::time::Duration;

use openmcp_dns_core::chain;
use tokio::time::Instant;

use super::controller::{ClusterController, Next};
use super::step::zone;
use super::{Desired, finalizer};
use crate::duties::UndoContext;
use crate::report::cluster_dns;

/// How long to wait between two attempts.
const AGAIN: Duration = Duration::from_secs(1);

/// How long a provider may take to take back access, from the beginning of the clean-up.
const LONGEST_GIVING_BACK: Duration = Duration::from_secs(300);

/// A clean-up that is under way.
pub(super) struct Leaving {
    /// What should have been for the cluster when it began to leave.
    desired: Desired,
    since: Instant,
}

impl ClusterController {
    pub(super) async fn take_back(&mut self, desired: &Desired) -> Next {
        // Once: the recorder forgets the cluster when all is withdrawn.
        if self.leaving.is_none() && self.leave_zones().await.is_none() {
            return Next::Ended;
        }
        let leaving =
            self.leaving.get_or_insert_with(|| Leaving { desired: desired.clone(), since: Instant::now() });
        let zone = zone(&leaving.desired);
        if zone.is_some() {
            self.connection.open(leaving.desired.access.as_ref()).await;
        } else {
            tracing::warn!(cluster = %self.id, "the Cluster has no zone annotation and no policy: nothing to take back");
        }
        let context = UndoContext {
            id: &self.id,
            cluster: &desired.cluster,
            present: desired.present,
            zone: zone.as_ref(),
            elapsed: leaving.since.elapsed(),
            way: self.connection.way(),
        };
        if !self.duties.undo(&context).await {
            return Next::Again(AGAIN);
        }
        if !self.settings.agents.forget(&self.id).await {
            return Next::Again(AGAIN);
        }
        if !self.give_access_back(context.elapsed).await {
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
    async fn give_access_back(&self, elapsed: Duration) -> bool {
        let given_back = self.settings.inventory.give_back(&self.id).await;
        let why = match given_back {
            Ok(true) => return true,
            Ok(false) => "it is still there".to_owned(),
            Err(error) => chain(&error),
        };
        let is_over = elapsed > LONGEST_GIVING_BACK;
        if is_over {
            tracing::warn!(cluster = %self.id, why, "the Cluster is released although the access to it is not given back");
        }
        is_over
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
