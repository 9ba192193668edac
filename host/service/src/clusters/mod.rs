//! Clusters: makes for each cluster what the landscape's controller wants.
//!
//! ```text
//! Desired ──► ClusterController ──► step ──┬─ governed ───► hold, fulfil the duties ──► status
//!                    ▲                     ├─ not yet, or under no policy ────────────► status
//!   wake, changes ───┘                     └─ leaving ────► undo the duties ──► release
//! ```
//! Every cluster has a `ClusterController` of its own, so that one that does not answer holds up no other.
//! It looks at what should be and what is, does what is missing, and waits for a change. It keeps nothing
//! that it could not find out again, so a restart continues where it stopped. The finalizer and the
//! `ClusterDNS` are the frame around the duties: the one is set before anything is done, both go when
//! everything is undone.

mod connection;
mod controller;
mod finalizer;
mod leaving;
mod registry;
mod status;
mod step;

use std::net::SocketAddr;
use std::sync::Arc;

use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::cluster_policy::ClusterPolicy;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::inventory::{Access, Inventory};
use crate::journal::Journal;
use crate::metrics::{Metrics, Readiness};
use crate::observe::Observation;
use crate::probe::ProberHandle;
use crate::record::Command;
use openmcp_dns_api::Cluster;

pub use finalizer::is_held;
pub(crate) use registry::Clusters;

/// What the controllers of all clusters share.
pub struct Settings {
    /// The platform cluster.
    pub platform: kube::Client,
    /// Where the clusters' access comes from.
    pub inventory: Arc<dyn Inventory>,
    /// Addresses of the central DNS server, as the clusters reach them.
    pub upstreams: Vec<SocketAddr>,
    /// What is wanted of the recorder.
    pub commands: mpsc::Sender<Command>,
    /// Where watches report.
    pub observations: mpsc::Sender<(ClusterId, Observation)>,
    /// Asks the central DNS server; `None` where no address is known.
    pub prober: Option<ProberHandle>,
    /// Where what happens is noted.
    pub journal: Journal,
    /// Where the questions to policy modules are counted.
    pub metrics: Metrics,
    /// Set when all lists have been read.
    pub readiness: Readiness,
    /// Tasks that are waited for at the end.
    pub tasks: TaskTracker,
    /// Ends everything.
    pub cancel: CancellationToken,
}

/// What should be for one cluster.
#[derive(Clone)]
pub struct Desired {
    /// Its object, as it was seen last.
    pub cluster: Arc<Cluster>,
    /// `false` when the `Cluster` is gone.
    pub present: bool,
    /// Under which policy it stands.
    pub governed: Governed,
    /// How to get into it; `None`: there is no way.
    pub access: Option<Access>,
}

/// Under which policy a cluster stands.
#[derive(Clone)]
pub enum Governed {
    /// No policy selects it.
    No,
    /// One does, but it cannot decide yet.
    NotYet(String),
    /// One does.
    By(Box<ClusterPolicy>),
}
