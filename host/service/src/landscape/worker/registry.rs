//! All workers, and how to reach each of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use openmcp_dns_core::cluster::ClusterId;
use tokio::sync::{Notify, mpsc, watch};

use super::{ClusterController, Desired, Settings};
use crate::forward::{Verified, verify};
use crate::report::events::{self, Notice};

/// What reaches a worker from outside.
pub(super) struct Inbox {
    touched: Notify,
    notices: mpsc::Sender<Notice>,
}

impl Inbox {
    /// Waits until something about the cluster has changed.
    pub(super) async fn touched(&self) {
        self.touched.notified().await;
    }
}

struct Handle {
    desired: watch::Sender<Desired>,
    inbox: Arc<Inbox>,
}

/// All workers. Clones are the same workers.
#[derive(Clone, Default)]
pub struct Clusters(Arc<Mutex<BTreeMap<ClusterId, Handle>>>);

impl Clusters {
    /// Tells a cluster's worker to look again.
    pub fn touch(&self, cluster: &ClusterId) {
        if let Some(handle) = self.lock().get(cluster) {
            handle.inbox.touched.notify_one();
        }
    }

    /// Has the author of an object told something. Drops the notice when too many wait.
    pub fn notify(&self, cluster: &ClusterId, notice: Notice) {
        if let Some(handle) = self.lock().get(cluster)
            && handle.inbox.notices.try_send(notice).is_err()
        {
            tracing::debug!(%cluster, "an Event is dropped: too many wait");
        }
    }

    /// Tells a cluster's worker what should be; gives whether there is one.
    pub(in crate::landscape) fn update(&self, cluster: &ClusterId, desired: &Desired) -> bool {
        let workers = self.lock();
        let Some(handle) = workers.get(cluster) else { return false };
        handle.desired.send_replace(desired.clone());
        true
    }

    /// Starts a worker; `ended` is told when it has nothing more to do.
    pub(in crate::landscape) fn start(
        &self,
        id: ClusterId,
        desired: Desired,
        settings: &Arc<Settings>,
        ended: mpsc::Sender<ClusterId>,
    ) {
        let cluster = id.clone();
        let (desired, desired_receiver) = watch::channel(desired);
        let (notices, notices_receiver) = events::queue();
        let (client, client_receiver) = watch::channel(None);
        let (question, question_receiver) = watch::channel(None);
        let (verified_sender, verified) = watch::channel(Verified::NotAsked);
        let inbox = Arc::new(Inbox { touched: Notify::new(), notices });
        let worker = ClusterController {
            id: id.clone(),
            settings: Arc::clone(settings),
            desired: desired_receiver,
            inbox: Arc::clone(&inbox),
            client,
            connection: None,
            governed: false,
            holds_finalizer: false,
            leaving: None,
            question,
            verified,
            otherwise_since: None,
            written: None,
        };
        let cancel = settings.cancel.clone();
        let verifying = Arc::clone(&inbox);
        settings.tasks.spawn(async move {
            let beside = async {
                let verifying = verify(question_receiver, verified_sender, &verifying.touched);
                tokio::join!(verifying, events::write(notices_receiver, client_receiver));
            };
            let working = async {
                tokio::select! {
                    () = worker.run() => {}
                    // Ends only with the worker: it listens to both.
                    () = beside => {}
                }
            };
            cancel.run_until_cancelled(working).await;
            // Nobody may be listening any more.
            let _ = ended.send(id).await;
        });
        self.lock().insert(cluster, Handle { desired, inbox });
    }

    /// Forgets a worker that has ended.
    pub(in crate::landscape) fn remove(&self, cluster: &ClusterId) {
        self.lock().remove(cluster);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<ClusterId, Handle>> {
        // Every change is one insert or remove, so a panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
