//! Observe: watches the objects of one cluster that claim host names, or that claims depend on.
//!
//! Every kind has a watch of its own, so that a missing CRD or a refused list of one kind leaves
//! the others alone. What a watch reports is handed on as it is; nobody here decides anything.

mod discovery;
mod intake;
mod list;
mod partial;
mod watch;

use std::sync::Arc;

use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::kinds::Kind;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::tasks::Tasks;

pub use discovery::Discovery;
pub use intake::{NobodyListens, Observations, ObservationsReceiver, Taken, observations};
pub use list::{ListError, list, list_of};
pub use openmcp_dns_core::recording::Observation;

/// Watches that end together.
pub struct Watching {
    cancel: CancellationToken,
    /// Nobody sends; it ends when all watches have.
    ended: mpsc::Receiver<()>,
}

impl Watching {
    /// Ends them; nothing more is reported then.
    pub async fn end(mut self) {
        self.cancel.cancel();
        let _ = self.ended.recv().await;
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// Watches all kinds in a cluster until it is cancelled or nobody listens any more.
pub fn observe(
    cluster: &ClusterId,
    client: &kube::Client,
    observations: &Observations,
    cancel: &CancellationToken,
    tasks: &Tasks,
) -> Watching {
    let (running, ended) = mpsc::channel(1);
    let cancel = cancel.child_token();
    let discovery = Arc::new(Discovery::new(client.clone()));
    for kind in Kind::watched() {
        let watch = watch::Watch {
            discovery: Arc::clone(&discovery),
            cluster: cluster.clone(),
            kind,
            client: client.clone(),
            observations: observations.clone(),
        };
        let (cancel, running) = (cancel.clone(), running.clone());
        tasks.spawn(async move {
            cancel.run_until_cancelled(watch.run()).await;
            drop(running);
        });
    }
    Watching { cancel, ended }
}
