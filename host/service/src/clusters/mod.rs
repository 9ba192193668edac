//! Clusters: makes for each cluster what the landscape's controller wants.
//!
//! ```text
//! Desired ──► ClusterController ──► step ──┬─ governed ───► hold, fulfil the duties ──► status
//!                    ▲                     ├─ not yet, or under no policy ────────────► status
//!                    │                     ├─ to be ignored
//!   wake, changes ───┘                     └─ leaving ────► undo the duties ──► release
//! ```
//! Every cluster has a `ClusterController` of its own, so that one that does not answer holds up no other.
//! It looks at what should be and what is, does what is missing, and waits for a change. It keeps nothing
//! that it could not find out again, so a restart continues where it stopped. The finalizer and the
//! `ClusterDNS` are the frame around the duties: the one is set before anything is done, both go when
//! everything is undone.

mod announce;
mod connection;
mod controller;
pub(crate) mod finalizer;
mod leaving;
mod left_zones;
mod operations;
mod registry;
mod restart;
mod status;
mod step;

use std::sync::Arc;

use openmcp_dns_core::cluster_policy::ClusterPolicy;

use crate::inventory::Access;
use openmcp_dns_api::{Cluster, GatewayDomain};

pub use finalizer::is_held;
pub(crate) use registry::Clusters;

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
    /// What openMCP's gateway service says of its domain, where it has to do with the cluster.
    pub gateway: Option<GatewayDomain>,
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
