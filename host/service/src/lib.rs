//! The controller of openmcp-dns as a library.
//!
//! ```text
//! API servers ──observe──► record ──► store ──► central DNS ◄──forward── each cluster's DNS
//!                            │ asks                  ▲
//!                            ▼                       └── probe
//!                       policy module
//! ```
//! `landscape` knows the clusters and policies, `clusters` looks after each of them, `duties` says what
//! is done for one and how it is undone, `deploy` brings the central DNS itself, `observe` watches its objects, `record` decides and writes,
//! `probe` asks real questions, `report` tells people, `agents` takes what external-dns in a cluster has written, `decision_log`
//! keeps what was decided, `leadership` says which of several replicas writes. `run` wires them, and `uninstall` takes back what they have done.

#![allow(
    unreachable_pub,
    reason = "`pub` says what a module offers to the others, most of which are in here"
)]

pub mod address;
pub mod agents;
pub mod api_client;
mod apply;
pub mod central;
pub mod certificates;
pub mod clusters;
mod counts;
pub mod decision_log;
pub mod deploy;
mod duties;
pub mod enrolment;
pub mod inventory;
pub mod journal;
pub mod landscape;
pub mod leadership;
pub mod metrics;
pub mod node_hosts;
pub mod observe;
pub mod open_reports;
pub mod page;
pub mod policies;
pub mod probe;
pub mod record;
pub mod report;
pub mod route_status;
pub mod run;
pub mod serve;
pub mod service_config;
mod settings;
pub mod tasks;
pub mod uninstall;
pub mod upgrade;
pub mod watch;
