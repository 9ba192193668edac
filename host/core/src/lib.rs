//! The pure part of openmcp-dns: no async, no I/O, no clock.
//!
//! ```text
//! objects ──resolve──► claims ──decide──► record sets ──conflict──► winners ──plan──► changes
//! ```
//! An object claims host names; a policy decides on each claim; the claims of all objects on one
//! name are settled; the plan says what must change in the store. Each stage is a module that
//! takes values and gives values, so that its tests feed it values and compare.

pub mod cluster;
pub mod cluster_policy;
pub mod codes;
pub mod compare;
pub mod conflict;
pub mod corefile;
pub mod decide;
pub mod deletion_guard;
mod error;
pub mod expectation;
pub mod index;
pub mod kinds;
pub mod mirror;
pub mod name;
pub mod objects;
pub mod plan;
pub mod policy;
pub mod record;
pub mod recording;
pub mod resolve;
pub mod skydns;

pub use error::chain;
