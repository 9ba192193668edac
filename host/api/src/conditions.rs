//! Conditions, as `ClusterDNS` and `DNSPolicy` report them.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;
use serde::Serialize;

pub use super::reason::Reason;

/// One duty of the service for one cluster; the condition types of `ClusterDNS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum DutyName {
    /// The cluster's API server answers and all its watches are in sync.
    Reachable,
    /// The cluster's own DNS forwards the zone to the central DNS server.
    Forwarded,
    /// The `Cluster` carries its domain.
    Annotated,
    /// What the policy decided is in the store.
    Recorded,
    /// The agent of the cluster runs, where it has one.
    Agent,
    /// The nodes of the cluster know the names that they are to know.
    NodesForwarded,
    /// The central DNS server answers what was decided.
    Probed,
}

impl DutyName {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 7] = [
        Self::Reachable,
        Self::Forwarded,
        Self::Annotated,
        Self::Recorded,
        Self::Agent,
        Self::NodesForwarded,
        Self::Probed,
    ];

    /// The condition type.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reachable => "Reachable",
            Self::Forwarded => "Forwarded",
            Self::Annotated => "Annotated",
            Self::Recorded => "Recorded",
            Self::Agent => "Agent",
            Self::NodesForwarded => "NodesForwarded",
            Self::Probed => "Probed",
        }
    }
}

/// What is known of one duty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// `True`, `False`, or `None` for `Unknown`.
    pub status: Option<bool>,
    /// For machines.
    pub reason: Reason,
    /// For people: what is the matter and what to do next.
    pub message: String,
}

impl Finding {
    /// All is well.
    pub fn good(message: impl Into<String>) -> Self {
        Self { status: Some(true), reason: Reason::Succeeded, message: message.into() }
    }

    /// Something is wrong.
    pub fn bad(reason: Reason, message: impl Into<String>) -> Self {
        Self { status: Some(false), reason, message: message.into() }
    }

    /// Not known, or not yet.
    pub fn unknown(reason: Reason, message: impl Into<String>) -> Self {
        Self { status: None, reason, message: message.into() }
    }

    /// The finding as a condition. The transition time is kept from `previous` while the status is
    /// the same, so that writing the same finding twice changes nothing.
    #[must_use]
    pub fn condition(
        &self,
        condition_type: &str,
        generation: Option<i64>,
        previous: &[Condition],
    ) -> Condition {
        let status = match self.status {
            Some(true) => "True",
            Some(false) => "False",
            None => "Unknown",
        };
        let last_transition_time = previous
            .iter()
            .find(|old| old.type_ == condition_type && old.status == status)
            .map_or_else(|| Time(now()), |old| old.last_transition_time.clone());
        Condition {
            type_: condition_type.to_owned(),
            status: status.to_owned(),
            reason: self.reason.to_string(),
            message: truncated(&self.message),
            last_transition_time,
            observed_generation: generation,
        }
    }
}

/// Conditions take messages of at most 32768 bytes; a page is more than anybody reads.
fn truncated(message: &str) -> String {
    message.chars().take(2000).collect()
}

/// Whole seconds, which is what the API server stores.
pub fn now() -> Timestamp {
    Timestamp::from_second(Timestamp::now().as_second()).unwrap_or(Timestamp::UNIX_EPOCH)
}
