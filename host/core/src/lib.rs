//! The pure part of openmcp-dns: no async, no I/O, no clock.
//!
//! ```text
//! objects ──resolve──► claims ──decide──► record sets ──conflict──► winners ──plan──► changes
//! └────────── recording: remembers, asks modules, holds deletions, tells what happens ───────┘
//! ```
//! An object claims host names; a policy decides on each claim; where several objects claim one name,
//! conflicts are resolved; the plan says what must change in the store. Each stage is a module that
//! takes values and gives values, so that its tests feed it values and compare. [`recording`] holds
//! what has to be remembered between them, as machines that take inputs and give effects.

pub mod agents;
mod allowed_names;
pub mod backup;
mod bucket;
pub mod canary;
pub mod cluster;
pub mod cluster_policy;
pub mod codes;
pub mod compare;
pub mod conflict;
pub mod corefile;
pub mod decide;
pub mod decision_log;
pub mod deletion_guard;
pub mod deployment;
pub mod details;
mod error;
pub mod evacuation;
pub mod expectation;
pub mod few;
pub mod forwarding;
pub mod guards;
pub mod index;
pub mod kinds;
pub mod labels;
pub mod leadership;
pub mod limits;
pub mod mirror;
pub mod name;
pub mod next;
pub mod node_hosts;
pub mod objects;
pub mod open_reports;
pub mod openmcp_names;
pub mod plan;
pub mod policy;
pub mod precedence;
pub mod probing;
mod reach;
pub mod record;
pub mod recording;
pub mod resolve;
pub mod reverse;
pub mod route_status;
pub mod service_names;
pub mod skydns;
pub mod srv_records;
mod store_event;
pub mod ttl;
pub mod version;
pub mod withdrawal;

pub use bucket::Bucket;
pub use error::chain;
