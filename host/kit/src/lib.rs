//! The workbench of a policy author: what the commands of `openmcp-dns policy` do, without a terminal.
//!
//! ```text
//! scaffold ──► build ──► inspect, vectors, trial, bench
//!                           │ a module under a DNSPolicy: LoadedPolicy
//!                           ├──► diff: Verdicts of two of them on a Landscape ──► Comparison
//!                           └──► replay: the questions of a decision log, asked once more
//! ```
//! Arguments are plain values and results are values; nothing here prints, parses a command line or names
//! an option. Errors say what is wrong; what a person does about it says whoever shows them. Every
//! module is asked as the service does: in fresh instances, within the same limits.
//!
//! What compiles guests ([`build`]) is the only way from here to the drivers of languages.

pub mod bench;
pub mod build;
pub mod claims;
pub mod conformance;
pub mod diff;
pub mod explain;
mod inspection;
mod loaded_policy;
pub mod module;
pub mod plan;
mod questions;
pub mod replay;
pub mod scaffold;
mod trial;
pub mod vectors;

pub use inspection::Inspection;
pub use loaded_policy::{BASE_DOMAIN_HINT, DEFAULT_BASE_DOMAIN, LoadedPolicy, PolicyError};
pub use openmcp_dns_policy_builder::{Language, Purpose};
pub use trial::{Decided, Trial};
