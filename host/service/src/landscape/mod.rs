//! Landscape: which clusters there are, which policy holds for each, and how to get into them.
//!
//! ```text
//! Cluster, DNSPolicy, ClusterDNS ──watch──► LandscapeController ──Desired──► ClusterController (one for each cluster)
//! module (OCI, https, ConfigMap) ──load───►    ▲                    │ observe, annotate, forward,
//! Secret with a kubeconfig ──Inventory─────────┘                    ▼ status, clean-up
//! ```
//! The [`LandscapeController`] decides what should be; a worker makes it so for its cluster alone, so that a
//! cluster that does not answer holds up no other.

mod controller;
mod govern;
mod policy;
mod select;
mod worker;

pub use controller::LandscapeController;
pub use govern::{Terms, configuration, govern};
pub use select::{id as cluster_id, policy_for, selects};
pub use worker::{Clusters, Settings};
