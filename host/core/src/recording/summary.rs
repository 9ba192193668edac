//! What people are told about a cluster's records.

use std::collections::BTreeSet;

use super::messages::{NoDomain, WatchState, Watches};
use crate::cluster::SourceRef;
use crate::codes;
use crate::compare::Comparison;
use crate::deletion_guard::HeldDeletion;
use crate::index::State;
use crate::kinds::Kind;
use crate::name::HostName;

/// Most problems that a summary lists; the counts are complete.
pub const MAX_PROBLEMS: usize = 20;

/// State of one cluster's records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Name of the DNSPolicy that holds for the cluster.
    pub policy: Option<String>,
    /// The cluster's domain, or why it has none; `None` while it is not governed.
    pub domain: Option<Result<HostName, NoDomain>>,
    /// The domain that the Gateway carries which openMCP's gateway service gives the cluster, as it stands there.
    pub gateway_domain: Option<String>,
    /// State of each watch that has reported.
    pub watches: Watches,
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
    /// Why nothing can be said in the status of routes; `None` when all is well, or nothing is to be said.
    pub route_trouble: Option<String>,
    /// How it stands with the reports on the cluster's namespaces.
    pub reports: ReportsStanding,
    /// What is under way: names to write, objects that the module is asked about, and a module that
    /// has not come into force because it has not decided on everything.
    pub pending: usize,
    /// A deletion that waits for a confirmation.
    pub held: Option<HeldDeletion>,
    /// Zones of earlier policies in which the cluster still has records.
    pub left_zones: BTreeSet<HostName>,
    /// Whether an operator has taken the cluster out of the names that others publish as well.
    pub is_evacuated: bool,
    /// How a candidate would decide; `None` where there is none.
    pub comparison: Option<Comparison>,
}

impl Summary {
    /// Whether all objects of the cluster are known.
    #[must_use]
    pub fn knows_objects(&self) -> bool {
        let is_known = |state: &WatchState| {
            matches!(state, WatchState::InSync | WatchState::NotServed | WatchState::Absent)
        };
        self.watches.len() == Kind::watched().count() && self.watches.values().all(is_known)
    }

    /// The same, and what follows from them is recorded.
    #[must_use]
    pub fn is_in_sync(&self) -> bool {
        self.knows_objects() && self.pending == 0 && self.undecided == 0 && matches!(self.domain, Some(Ok(_)))
    }

    /// Whether everything has been read, and what follows from it is in the store.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.domain.is_some() && self.watches.len() == Kind::watched().count() && self.pending == 0
    }
}

/// How it stands with the reports on the namespaces of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ReportsStanding {
    /// None are wanted, or all is well.
    #[default]
    Fine,
    /// They are wanted, and the cluster does not serve the kind.
    NotServed,
    /// Not all can be written, and why.
    Incomplete(String),
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

/// What the author of an object is told of a claim that is not published, and why.
#[must_use]
pub fn not_published(host_name: &str, code: &str, why: &str) -> String {
    format!("{host_name:?} is not published ({code}): {why}")
}

/// Code and message of a claim's state; `None` when it is published, or nobody knows yet.
#[must_use]
pub fn explain(state: &State) -> Option<(String, String)> {
    match state {
        State::Published | State::Asked => None,
        State::Denied(denial) => Some((denial.code.clone(), denial.message.clone())),
        State::Undecided(failure) => Some((codes::POLICY_FAILED.to_owned(), failure.to_string())),
        State::Unresolved(reason) => Some((codes::UNRESOLVED.to_owned(), reason.to_string())),
    }
}
