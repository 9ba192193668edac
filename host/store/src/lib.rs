//! Where the records are kept: etcd, from which the central DNS server answers, or memory.
//!
//! ```text
//! NamePlans ──commit──► Store ──follow──► StoreEvent: Reading, Page …, Read, Changed …
//! Leader ─────lead────►   │
//!          ◄───Fence──────┘  what every commit compares
//! ```

#[cfg(feature = "battery")]
pub mod battery;
mod connect;
#[cfg(feature = "etcd")]
mod etcd;
mod members;
mod memory;
mod store;

pub use connect::{ConnectError, EtcdAddress, connect_etcd, connect_membership};
#[cfg(feature = "etcd")]
pub use etcd::{EtcdMembership, EtcdStore};
pub use members::{Member, MemberStatus, Membership};
pub use memory::{Backup, MemoryStore};
pub use openmcp_dns_core::mirror::{KeyValue, StoreEvent};
pub use store::{Commit, Fence, Keep, MAX_OPERATIONS, Refusal, Store, StoreError, read_once};
