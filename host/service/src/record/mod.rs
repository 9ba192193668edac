//! Record: keeps the store as the policies decide.
//!
//! ```text
//! Command, observations ──► Recorder ──Effect::Tell──► Report
//!    threads of modules ◄─Effect::Ask──┤ ▲
//!                 Store ◄─Effect::Write┘ └── StoreEvent, Answer, Written
//! ```
//! What follows from what is decided by the pure machines of [`openmcp_dns_core::recording`]; the
//! [`Recorder`] is the loop around them. One task, so there are no locks and one change sees one module
//! and one configuration. Beside it run transactions, with a bound, and the policy modules, each in a
//! thread of its own.

mod deciders;
mod messages;
mod recorder;
#[cfg(test)]
mod tests;
mod turns;
mod writes;

pub use crate::observe::observations;
pub use messages::{Command, Received};
pub use openmcp_dns_core::compare::{Comparison, Differing, MAX_DIFFERENCES};
pub use openmcp_dns_core::deletion_guard::HeldDeletion;
pub use openmcp_dns_core::recording::{
    MAX_PROBLEMS, NoDomain, Problem, Report, ReportsStanding, Summary, WatchState, explain, not_published,
};
pub use recorder::{Options, Recorder};
