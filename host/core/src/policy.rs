//! The three decisions that a policy makes, as the host asks for them.
//!
//! The WebAssembly engine implements [`Policy`]; nothing here knows of WebAssembly. What a policy
//! answers is a proposal: [`crate::decide`] checks it before anything is published.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::cluster::{ClusterFacts, SourceRef};
use crate::details::{Detail, Details, PublishedNames};
use crate::labels::Labels;
use crate::name::HostName;
use crate::record::RecordType;

/// What every decision may know besides its own subject.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Context {
    /// The landscape's zone.
    pub base_domain: HostName,
    /// The cluster that asks.
    pub cluster: ClusterFacts,
    /// Configuration of the module as JSON text; `{}` when it is not set.
    pub configuration: String,
    /// Names elsewhere in the zone that the DNSPolicy grants to this cluster, sorted.
    pub shared_names: Vec<HostName>,
    /// Domains elsewhere in the zone below which the DNSPolicy lets this cluster publish, sorted.
    pub shared_suffixes: Vec<HostName>,
}

/// One host name that one object of one cluster asks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CheckedClaim {
    /// The host name, already known to be valid.
    pub host_name: HostName,
    /// The object that asks.
    pub source: SourceRef,
    /// Labels of the object.
    pub labels: Labels,
    /// Addresses and host names of the Gateway or Ingress: sorted, without duplicates, not empty.
    pub targets: Vec<String>,
    /// What the module has asked for.
    pub details: Option<Arc<Details>>,
    /// How many names are published already; 0 where the module has not asked for it.
    pub published_names: PublishedNames,
}

impl CheckedClaim {
    /// The claim as one of several policies is told of it, if that is less than `all` of them are: none learns what only
    /// another one asks for.
    #[must_use]
    pub fn told_to(&self, policy: &dyn Policy, all: &[Detail]) -> Option<Self> {
        let wanted = policy.details();
        let is_all = all.iter().all(|detail| wanted.contains(detail));
        (!is_all).then(|| Self {
            details: self.details.as_ref().map(|details| Arc::new((**details).clone().only(wanted))),
            published_names: if wanted.contains(&Detail::PublishedNames) {
                self.published_names
            } else {
                PublishedNames::default()
            },
            ..self.clone()
        })
    }
}

/// Why a host name is refused.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Denial {
    /// For machines: `[a-z0-9-]`, of few distinct values.
    pub code: String,
    /// For people: one sentence.
    pub message: String,
    /// The guard that says so; `None` where it is the module that names, or the host.
    pub guard: Option<String>,
}

impl Denial {
    /// What no guard says.
    #[must_use]
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), guard: None }
    }
}

/// May the claimed host name be published?
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Yes.
    Allow,
    /// No, and why.
    Deny(Denial),
}

/// A record set as a policy proposes it: nothing in it has been checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProposedRecordSet {
    /// Where to publish.
    pub name: String,
    /// Type of all the values.
    pub record_type: RecordType,
    /// Time to live in seconds.
    pub ttl_seconds: u32,
    /// The values in their text form.
    pub values: Vec<String>,
}

/// What kind of failure kept a policy from deciding. Becomes a metric label and a condition reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureKind {
    /// The module answered with an error of its own.
    Refused,
    /// The call used up its fuel.
    OutOfFuel,
    /// The call ran past its deadline.
    Deadline,
    /// The module asked for more memory than it may have.
    Memory,
    /// The module trapped in another way: unreachable code, stack overflow, out of bounds.
    Trap,
    /// The question or the answer is larger than the limits allow.
    TooLarge,
    /// The module answered what it may not: a name outside the cluster's domain, a value that is no address.
    InvalidAnswer,
    /// The host failed; a bug of ours.
    Internal,
}

impl FailureKind {
    /// Whether the same question may be answered another time: the machine was short of time or memory,
    /// or the host failed.
    #[must_use]
    pub const fn can_pass(self) -> bool {
        match self {
            Self::Deadline | Self::Memory | Self::Internal => true,
            Self::Refused | Self::OutOfFuel | Self::Trap | Self::TooLarge | Self::InvalidAnswer => false,
        }
    }

    /// The kind as a condition reason and metric label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "Refused",
            Self::OutOfFuel => "OutOfFuel",
            Self::Deadline => "Deadline",
            Self::Memory => "Memory",
            Self::Trap => "Trap",
            Self::TooLarge => "TooLarge",
            Self::InvalidAnswer => "InvalidAnswer",
            Self::Internal => "Internal",
        }
    }
}

/// A policy did not decide.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the policy module failed ({}): {message}", kind.as_str())]
pub struct PolicyFailure {
    /// What kind of failure.
    pub kind: FailureKind,
    /// What happened, for people.
    pub message: String,
    /// The guard that failed; `None` where it is the module that names.
    pub guard: Option<String>,
}

impl PolicyFailure {
    /// A failure, of no guard.
    #[must_use]
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), guard: None }
    }
}

/// Makes the three decisions. Every method is pure: the same question gives the same answer.
pub trait Policy: Send + Sync {
    /// What the policy has to be told of each claim besides what every policy is told.
    fn details(&self) -> &[Detail] {
        &[]
    }

    /// Which domain belongs to the cluster? The text has not been checked.
    ///
    /// # Errors
    /// When the policy could not decide; the cluster then gets no domain.
    fn domain_filter(&self, context: &Context) -> Result<String, PolicyFailure>;

    /// Is the claimed host name allowed?
    ///
    /// # Errors
    /// When the policy could not decide. That is neither an allowance nor a denial.
    fn validate_hostname(
        &self,
        context: &Context,
        domain: &HostName,
        claim: &CheckedClaim,
    ) -> Result<Verdict, PolicyFailure>;

    /// Under which names and with which values is an allowed claim recorded?
    ///
    /// # Errors
    /// When the policy could not decide. That is not the same as recording nothing.
    fn name_records(
        &self,
        context: &Context,
        domain: &HostName,
        claim: &CheckedClaim,
    ) -> Result<Vec<ProposedRecordSet>, PolicyFailure>;
}

/// Why a module is not used, as a condition reason and metric label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LoadReason {
    /// Something of the module is larger than allowed.
    TooLarge,
    /// The bytes are no component, or a damaged one.
    NotAComponent,
    /// The module imports something.
    Imports,
    /// The module does not fit the contract.
    Contract,
    /// The module cannot be compiled.
    Compile,
    /// The module failed at a first question.
    Trial,
    /// The module answered a first question as the contract does not permit.
    Answer,
    /// The module refuses its configuration.
    Configuration,
    /// A bug of ours.
    Internal,
}

impl LoadReason {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::TooLarge,
        Self::NotAComponent,
        Self::Imports,
        Self::Contract,
        Self::Compile,
        Self::Trial,
        Self::Answer,
        Self::Configuration,
        Self::Internal,
    ];

    /// The reason in the form of a condition reason.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooLarge => "ModuleTooLarge",
            Self::NotAComponent => "ModuleInvalid",
            Self::Imports => "ModuleImports",
            Self::Contract => "ContractMismatch",
            Self::Compile => "ModuleNotCompiled",
            Self::Trial => "ModuleFailed",
            Self::Answer => "AnswerInvalid",
            Self::Configuration => "ConfigurationRefused",
            Self::Internal => "Internal",
        }
    }
}
