//! Record: keeps the store as the policies decide.
//!
//! ```text
//! Input ──► Recorder ──(claims, decisions, plans of the pure core)──► Store
//!                │                                                         │
//!                ▼ Report                         StoreEvent ◄── follow ───┘
//! ```
//! One task, the [`Recorder`], owns all state, so there are no locks and one change sees one
//! module and one configuration. Beside it run transactions, with a bound, and the policy modules, each
//! in a thread of its own.

mod cluster;
mod coordinator;
mod decider;
mod held;
mod memo;
mod messages;
mod shadow;
mod summary;
mod writes;

pub use cluster::WatchState;
pub use coordinator::{Options, Recorder};
pub use messages::{Input, Inputs, Report};
pub use shadow::{Comparison, Differing, MAX_DIFFERENCES};
pub use summary::{HeldSummary, NoDomain, Problem, Summary, explain};
