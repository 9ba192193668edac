//! The controllers of all clusters, and how to reach each of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use openmcp_dns_core::cluster::ClusterId;
use tokio::sync::{Notify, mpsc, watch};

use super::controller::ClusterController;
use super::{Desired, Settings};
use crate::report::events::{self, Notice};

/// How to reach a controller.
struct Handle {
    desired: watch::Sender<Desired>,
    /// Something about the cluster has changed.
    wake: Arc<Notify>,
    notices: mpsc::Sender<Notice>,
}

/// The controllers of all clusters. Clones are the same controllers.
#[derive(Clone, Default)]
pub struct Clusters(Arc<Mutex<BTreeMap<ClusterId, Handle>>>);

impl Clusters {
    /// Tells a cluster's controller to look again.
    pub fn touch(&self, cluster: &ClusterId) {
        if let Some(handle) = self.lock().get(cluster) {
            handle.wake.notify_one();
        }
    }

    /// Has the author of an object told something. Drops the notice when too many wait.
    pub fn notify(&self, cluster: &ClusterId, notice: Notice) {
        if let Some(handle) = self.lock().get(cluster)
            && handle.notices.try_send(notice).is_err()
        {
            tracing::debug!(%cluster, "an Event is dropped: too many wait");
        }
    }

    /// Tells a cluster's controller what should be; gives whether there is one.
    pub(crate) fn update(&self, cluster: &ClusterId, desired: &Desired) -> bool {
        let handles = self.lock();
        let Some(handle) = handles.get(cluster) else { return false };
        handle.desired.send_replace(desired.clone());
        true
    }

    /// Starts a controller; `ended` is told when it has nothing more to do.
    pub(crate) fn start(
        &self,
        id: ClusterId,
        desired: Desired,
        settings: &Arc<Settings>,
        ended: mpsc::Sender<ClusterId>,
    ) {
        let (desired, desired_receiver) = watch::channel(desired);
        let (notices, notices_receiver) = events::queue();
        let (client, client_receiver) = watch::channel(None);
        let wake = Arc::default();
        let controller =
            ClusterController::new(id.clone(), Arc::clone(settings), desired_receiver, &wake, client);
        self.lock().insert(id.clone(), Handle { desired, wake, notices });
        let cancel = settings.cancel.clone();
        settings.tasks.spawn(async move {
            let working = async {
                tokio::select! {
                    () = controller.run() => {}
                    // Ends only with the controller: it listens to both.
                    () = events::write(notices_receiver, client_receiver) => {}
                }
            };
            cancel.run_until_cancelled(working).await;
            // Nobody may be listening any more.
            let _ = ended.send(id).await;
        });
    }

    /// Forgets a controller that has ended.
    pub(crate) fn remove(&self, cluster: &ClusterId) {
        self.lock().remove(cluster);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<ClusterId, Handle>> {
        // Every change is one insert or remove, so a panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
