//! Where the records are kept: etcd, from which the central DNS server answers, or memory.
//!
//! ```text
//! NamePlan ──commit──► Store ──follow──► StoreEvent
//! ```

#[cfg(feature = "battery")]
pub mod battery;
mod connect;
#[cfg(feature = "etcd")]
mod etcd;
mod memory;
mod store;

pub use connect::{ConnectError, EtcdAddress, connect_etcd};
#[cfg(feature = "etcd")]
pub use etcd::EtcdStore;
pub use memory::MemoryStore;
pub use openmcp_dns_core::mirror::{KeyValue, StoreEvent};
pub use store::{Commit, Store, StoreError};
