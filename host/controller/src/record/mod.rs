//! Record: keeps the store as the policies decide.
//!
//! ```text
//! Input ──► Coordinator ──(claims, decisions, plans of the pure core)──► Store
//!                │                                                         │
//!                ▼ Report                         StoreEvent ◄── follow ───┘
//! ```
//! One task, the [`Coordinator`], owns all state, so there are no locks and one change sees one
//! module and one configuration. Only transactions run beside it, with a bound.

mod cluster;
mod coordinator;
mod etcd;
mod held;
mod memo;
mod memory;
mod messages;
mod store;
mod summary;
mod writes;

pub use cluster::{Governance, WatchState};
pub use coordinator::{Coordinator, Options};
pub use etcd::{EtcdAddress, EtcdStore};
pub use memory::MemoryStore;
pub use messages::{Input, Inputs, Report};
pub use store::{Store, StoreEvent};
pub use summary::{HeldSummary, NoDomain, Problem, Summary, explain};
