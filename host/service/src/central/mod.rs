//! Central: what the service publishes of itself in each zone, and whether every DNS pod answers it.
//!
//! ```text
//! zones, addresses, time ──publish──► Recorder ──► store ──► DNS pods
//!                                        │ expectation           │ answers of each
//!                                        └────────► DnsPods ◄────┘──► readiness gates, condition `CentralDNS`
//! ```

mod pods;
mod publish;

pub use pods::DnsPods;
pub use publish::Publisher;

use std::collections::BTreeSet;

use openmcp_dns_core::name::HostName;

/// The zones of the policies in force; `None` until they are known.
pub type Zones = Option<BTreeSet<HostName>>;
