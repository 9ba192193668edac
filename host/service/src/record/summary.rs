//! What people are told about a cluster's records.

use std::collections::BTreeMap;

use openmcp_dns_core::cluster::{ClusterId, SourceRef};
use openmcp_dns_core::index::State;
use openmcp_dns_core::kinds::Kind;
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::policy::PolicyFailure;

use super::cluster::WatchState;
use super::shadow::Comparison;

/// Most problems that a summary lists; the counts are complete.
pub const MAX_PROBLEMS: usize = 20;

/// Why a cluster has no domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoDomain {
    /// The policy did not give it one.
    Policy(PolicyFailure),
    /// An older cluster has it, or one that overlaps.
    Taken {
        /// The domain.
        domain: HostName,
        /// The older cluster.
        by: ClusterId,
    },
}

impl std::fmt::Display for NoDomain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Policy(failure) => failure.fmt(f),
            Self::Taken { domain, by } => {
                write!(f, "domain {domain} overlaps with that of the older cluster {by}")
            }
        }
    }
}

/// State of one cluster's records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Name of the DNSPolicy that holds for the cluster.
    pub policy: Option<String>,
    /// The cluster's domain, or why it has none; `None` while it is not governed.
    pub domain: Option<Result<HostName, NoDomain>>,
    /// State of each watch that has reported.
    pub watches: BTreeMap<Kind, WatchState>,
    /// Claims that are published.
    pub published: usize,
    /// Claims that are denied.
    pub denied: usize,
    /// Claims that point nowhere.
    pub unresolved: usize,
    /// Claims that the policy failed on.
    pub undecided: usize,
    /// Claims that gave way to another.
    pub conflicts: usize,
    /// The first claims that are not published.
    pub problems: Vec<Problem>,
    /// Names at which values stand that are not ours.
    pub foreign_names: usize,
    /// Why the store cannot be written or read; `None` when all is well.
    pub store_trouble: Option<String>,
    /// What is under way: names to write, objects that the module is asked about, and a module that
    /// has not come into force because it has not decided on everything.
    pub pending: usize,
    /// A deletion that waits for a confirmation.
    pub held: Option<HeldSummary>,
    /// How a candidate would decide; `None` where there is none.
    pub comparison: Option<Comparison>,
}

/// A claim that is not published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The object.
    pub source: SourceRef,
    /// The host name as the object has it.
    pub host_name: String,
    /// For machines.
    pub code: String,
    /// For people.
    pub message: String,
}

/// A deletion that waits for a confirmation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldSummary {
    /// How many names would be withdrawn.
    pub names: usize,
    /// Confirms exactly this plan.
    pub token: String,
}

/// Code and message of a claim's state; `None` when it is published, or nobody knows yet.
#[must_use]
pub fn explain(state: &State) -> Option<(String, String)> {
    match state {
        State::Published | State::Asked => None,
        State::Denied(denial) => Some((denial.code.clone(), denial.message.clone())),
        State::Undecided(failure) => Some(("policy-failed".to_owned(), failure.to_string())),
        State::Unresolved(reason) => Some(("unresolved".to_owned(), reason.to_string())),
    }
}
