//! Landscape: which clusters there are, which policy holds for each, and how to get into them.
//!
//! ```text
//! Cluster, DNSPolicy, ClusterDNS ──watch──► LandscapeController ──Desired──► ClusterController (one for each cluster)
//! module (OCI, https, ConfigMap) ──load───►    ▲                    │ observe, annotate, forward,
//! Secret with a kubeconfig ──Inventory─────────┘                    ▼ status, clean-up
//! ```
//! The [`LandscapeController`] decides what should be; its controller makes it so for a cluster alone, so that a
//! cluster that does not answer holds up no other.

mod controller;
mod desired;
mod loads;
mod select;
mod state;
#[cfg(test)]
mod tests;
mod worker;

pub use controller::LandscapeController;
pub use select::{id as cluster_id, policy_for, selects};
pub use worker::{Clusters, Settings};
