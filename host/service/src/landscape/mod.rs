//! Landscape: which clusters there are, which policy holds for each, and how to get into them.
//!
//! ```text
//! Cluster, DNSPolicy, ClusterDNS ──watch──► Director ──Desired──► Worker (one for each cluster)
//! module (OCI, https, ConfigMap) ──load───►    ▲                    │ observe, annotate, forward,
//! Secret with a kubeconfig ──Inventory─────────┘                    ▼ status, clean-up
//! ```
//! The [`Director`] decides what should be; a worker makes it so for its cluster alone, so that a
//! cluster that does not answer holds up no other.

mod access;
mod director;
mod govern;
mod policy;
mod select;
mod worker;

pub use access::{Access, Inventory, SecretInventory, client as client_of};
pub use director::Director;
pub use govern::{Terms, configuration, govern};
pub use select::{id as cluster_id, policy_for, selects};
pub use worker::{Settings, Workers};
