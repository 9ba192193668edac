//! Observe: watches the objects of one cluster that claim host names, or that claims depend on.
//!
//! Every kind has a watch of its own, so that a missing CRD or a refused list of one kind leaves
//! the others alone. What a watch reports is handed on as it is; nobody here decides anything.

mod discovery;
mod intake;
mod list;
mod partial;
mod watch;

use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::kinds::Kind;
use tokio_util::sync::CancellationToken;

use crate::tasks::Tasks;

pub use intake::{NobodyListens, Observations, ObservationsReceiver, Taken, observations};
pub use list::list;
pub use openmcp_dns_core::recording::Observation;

/// Watches all kinds in a cluster until it is cancelled or nobody listens any more.
pub fn observe(
    cluster: &ClusterId,
    client: &kube::Client,
    observations: &Observations,
    cancel: &CancellationToken,
    tasks: &Tasks,
) {
    for kind in Kind::watched() {
        let watch = watch::Watch {
            cluster: cluster.clone(),
            kind,
            client: client.clone(),
            observations: observations.clone(),
        };
        let cancel = cancel.clone();
        tasks.spawn(async move { cancel.run_until_cancelled(watch.run()).await });
    }
}
