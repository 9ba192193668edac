//! The versions of the contract that the engine speaks, one file for each.
//!
//! ```text
//! openmcp_dns_core::policy ──► bindings/v0_1 ──► a module of 0.1
//!   the host's own types  └──► bindings/v0_2 ──► a module of 0.2
//! ```
//!
//! The rest of the crate knows the host's own types and [`Guest`] only. A new version of the contract is a
//! new file here and a line in [`SPOKEN`]; `wit/README.md` says when there has to be one. What all versions call in the same
//! way stands once, in `guest`.

mod guest;
mod v0_1;
mod v0_2;

#[cfg(test)]
#[path = "../../tests/contracts/mod.rs"]
mod one_more_version;

use std::fmt;
use std::sync::Arc;

use openmcp_dns_core::details::Detail;
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::policy::{CheckedClaim, Context, ProposedRecordSet, Verdict};
use wasmtime::component::InstancePre;

use crate::call::{Caller, Outcome, State};
use crate::module::Description;

/// The interface that a module exports, without its version.
pub(crate) const INTERFACE: &str = "openmcp:dns-policy/policy@";

/// What the engine speaks, oldest first.
pub(crate) const SPOKEN: &[Version] = &[v0_1::VERSION, v0_2::VERSION];

/// A version of the contract.
pub(crate) struct Version {
    /// The number of its latest release, for example `0.1.0`.
    pub(crate) number: &'static str,
    /// What the numbers of all versions start with that fit each other, for example `0.1.`.
    pub(crate) track: &'static str,
    /// The contract as text.
    pub(crate) wit: &'static str,
    /// Takes a compiled component of this version. Fails when it lacks an export.
    pub(crate) bind: fn(InstancePre<State>) -> wasmtime::Result<Arc<dyn Guest>>,
}

impl Version {
    /// Whether a module that exports the interface in version `number` speaks this version.
    pub(crate) fn fits(&self, number: &str) -> bool {
        number.starts_with(self.track)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{INTERFACE}{} or a later version of {}x", self.number, self.track)
    }
}

/// What a module says of itself.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Introduction {
    pub(crate) description: Description,
    /// What it has to be told of each claim: sorted, each once.
    pub(crate) details: Vec<Detail>,
}

/// A compiled module of one version: takes questions and gives answers in the host's own types. Each
/// question is a call in an instance of its own. The inner error is the module's own text.
pub(crate) trait Guest: Send + Sync {
    fn describe(&self, caller: &Caller) -> Outcome<Introduction>;

    fn check_configuration(&self, caller: &Caller, configuration: &str) -> Outcome<Result<(), String>>;

    fn domain_filter(&self, caller: &Caller, context: &Context) -> Outcome<Result<String, String>>;

    fn validate_hostname(
        &self,
        caller: &Caller,
        context: &Context,
        domain: &HostName,
        claim: &CheckedClaim,
    ) -> Outcome<Result<Verdict, String>>;

    fn name_records(
        &self,
        caller: &Caller,
        context: &Context,
        domain: &HostName,
        claim: &CheckedClaim,
    ) -> Outcome<Result<Vec<ProposedRecordSet>, String>>;
}
