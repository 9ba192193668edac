//! Landscape: which clusters there are, which policy holds for each, and how to get into them.
//!
//! ```text
//! Cluster, DNSPolicy, ClusterDNS ──watch──► LandscapeController ──Desired──► ClusterController (one for each cluster)
//! module (OCI, https, ConfigMap) ──load───►    ▲                    │ observe, annotate, forward,
//! Secret with a kubeconfig ──Inventory─────────┘                    ▼ status, clean-up
//! ```
//! The [`LandscapeController`] decides what should be; [`crate::clusters`] makes it so.

mod controller;
mod desired;
mod keeping;
mod loads;
mod meant;
mod owners;
mod select;
mod state;
#[cfg(test)]
mod tests;
mod zones;

pub use controller::LandscapeController;
pub use loads::load_guards;
pub use select::policy_for;
