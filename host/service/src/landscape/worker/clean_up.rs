//! Takes back everything that was done for a cluster whose `Cluster` is being deleted.
//!
//! Needs nothing but the `Cluster` itself: the policy may be gone, and the cluster too. What lies
//! in the cluster is taken back for a bounded time; after that the `Cluster` is released without it.

use std::time::Duration;

use kube::ResourceExt as _;
use openmcp_dns_core::name::HostName;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::{ClusterController, Desired, Governed, Next};
use crate::record::Input;
use crate::report::cluster_dns;
use crate::{annotate, forward};
use openmcp_dns_api::conditions::Duty;
use openmcp_dns_api::{Cluster, FINALIZER, ZONE_ANNOTATION};
use openmcp_dns_core::chain;

/// How long a cluster may keep us from taking our block out of its DNS configuration. It is going
/// away with the cluster in most cases.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long to wait between two attempts.
const AGAIN: Duration = Duration::from_secs(1);

/// A clean-up that is under way.
pub(super) struct Leaving {
    desired: Desired,
    since: Instant,
    records: Records,
    forward_removed: bool,
}

enum Records {
    /// The coordinator has not been asked.
    Standing,
    /// It withdraws them.
    Withdrawing(oneshot::Receiver<()>),
    /// The store holds none.
    Gone,
}

impl ClusterController {
    pub(super) async fn clean_up(&mut self, desired: Desired) -> Next {
        let mut leaving = self.leaving.take().unwrap_or_else(|| Leaving {
            desired: desired.clone(),
            since: Instant::now(),
            records: Records::Standing,
            forward_removed: false,
        });
        let cluster = desired.cluster.clone();
        let is_ours = self.governed || cluster.finalizers().iter().any(|finalizer| finalizer == FINALIZER);
        if !is_ours {
            return self.end();
        }
        let zone = zone(&leaving.desired);
        if let Some(zone) = &zone {
            self.withdraw(&mut leaving, zone).await;
            if !leaving.forward_removed {
                leaving.forward_removed = self.remove_forward(&leaving, zone).await;
            }
        } else {
            tracing::warn!(cluster = %self.id, "the Cluster has no zone annotation and no policy: nothing to take back");
        }
        let done = zone.is_none() || leaving.forward_removed && matches!(leaving.records, Records::Gone);
        if done {
            match self.release(&cluster, desired.present).await {
                Ok(()) => return self.end(),
                Err(error) => {
                    tracing::warn!(cluster = %self.id, error = chain(&error), "unable to release the Cluster");
                }
            }
        }
        self.leaving = Some(leaving);
        Next::Again(AGAIN)
    }

    fn end(&mut self) -> Next {
        self.disconnect();
        self.settings.tallies.remove(&self.id);
        for duty in Duty::ALL {
            self.settings.metrics.forget(&self.id.namespace, &self.id.name, duty.as_str());
        }
        Next::Ended
    }

    /// Has the records withdrawn. Without a bound: the store is our own, and what stays in it would
    /// be answered for ever.
    async fn withdraw(&self, leaving: &mut Leaving, zone: &HostName) {
        if matches!(leaving.records, Records::Standing) {
            let (done, gone) = oneshot::channel();
            let release = Input::Release { cluster: self.id.clone(), zone: zone.clone(), done };
            // The coordinator ends only when the service does.
            if self.settings.inputs.send(release).await.is_ok() {
                leaving.records = Records::Withdrawing(gone);
            }
        }
        if let Records::Withdrawing(gone) = &mut leaving.records
            && let Ok(Ok(())) = tokio::time::timeout(AGAIN, gone).await
        {
            leaving.records = Records::Gone;
        }
    }

    /// Takes our block out of the cluster's DNS configuration; gives whether that is over.
    async fn remove_forward(&mut self, leaving: &Leaving, zone: &HostName) -> bool {
        self.connect(leaving.desired.access.as_ref()).await;
        let client = self.connection.as_ref().map(|connection| &connection.client);
        let why = match client {
            Some(Ok(client)) => match forward::remove(client, zone).await {
                Ok(()) => return true,
                Err(error) => chain(&error),
            },
            Some(Err(why)) => why.clone(),
            None => "there is no access to the cluster".to_owned(),
        };
        let over = leaving.since.elapsed() >= PATIENCE;
        if over {
            tracing::warn!(cluster = %self.id, %why,
                "the forward block may still stand in the cluster's Corefile; the Cluster is released without it");
        } else {
            tracing::info!(cluster = %self.id, %why, "unable to take the forward block back, trying again");
        }
        over
    }

    /// Removes status, annotations and, last, our finalizer.
    async fn release(&self, cluster: &Cluster, present: bool) -> kube::Result<()> {
        cluster_dns::remove(&self.settings.platform, cluster).await?;
        if !present {
            return Ok(());
        }
        let api = self.clusters();
        let Some(current) = api.get_opt(&self.id.name).await? else { return Ok(()) };
        if current.uid() != cluster.uid() {
            return Ok(());
        }
        annotate::remove(&api, &current).await?;
        let Some(current) = api.get_opt(&self.id.name).await? else { return Ok(()) };
        let mut finalizers = current.finalizers().to_vec();
        finalizers.retain(|finalizer| finalizer != FINALIZER);
        self.set_finalizers(&current, &finalizers).await
    }
}

/// The landscape's zone: from the policy, or as the `Cluster` carries it.
fn zone(desired: &Desired) -> Option<HostName> {
    match &desired.governed {
        Governed::By(governance) => Some(governance.module.context.base_domain.clone()),
        Governed::No | Governed::NotYet(_) => {
            desired.cluster.annotations().get(ZONE_ANNOTATION)?.parse().ok()
        }
    }
}
