//! The workbench of a policy author: what the commands of `openmcp-dns policy` do, without a terminal.
//!
//! ```text
//! scaffold ──► build ──► inspect, vectors, trial, bench
//!                           │ a module under a DNSPolicy: ActivePolicy
//!                           └──► diff: Verdicts of two of them on a Landscape ──► Comparison
//! ```
//! Arguments are plain values and results are values; nothing here prints, parses a command line or names
//! an option. Errors say what is wrong; what a person does about it says whoever shows them. Every
//! module is asked as the service does: in fresh instances, within the same limits.
//!
//! What compiles guests ([`build`]) is the only way from here to the drivers of languages.

mod active_policy;
pub mod bench;
pub mod build;
pub mod claims;
pub mod diff;
mod inspection;
pub mod module;
mod questions;
pub mod scaffold;
mod trial;
pub mod vectors;

pub use active_policy::{ActivePolicy, BASE_DOMAIN_HINT, DEFAULT_BASE_DOMAIN, PolicyError};
pub use inspection::Inspection;
pub use openmcp_dns_policy_builder::Language;
pub use trial::{Decided, Trial};
