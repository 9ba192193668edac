//! The controller of openmcp-dns as a library.
//!
//! ```text
//! API servers ──observe──► record ──► store ──► central DNS ◄──forward── each cluster's DNS
//!                            │ asks                  ▲
//!                            ▼                       └── probe
//!                       policy module
//! ```
//! A folder is one duty of the service: `landscape` knows the clusters and policies, `observe`
//! watches their objects, `record` decides and writes, `forward` and `annotate` configure the
//! clusters, `probe` asks real questions, `report` tells people. `run` wires them.

#![allow(
    unreachable_pub,
    reason = "`pub` says what a module offers to the others, most of which are in here"
)]

pub mod address;
mod annotate;
mod forward;
pub mod inventory;
pub mod landscape;
pub mod metrics;
pub mod observe;
pub mod policies;
pub mod probe;
pub mod record;
pub mod report;
pub mod run;
pub mod serve;
pub mod watch;
