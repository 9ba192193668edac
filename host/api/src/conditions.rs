//! Conditions, as `ClusterDNS` and `DNSPolicy` report them.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;
use openmcp_dns_core::policy::LoadReason;
use serde::Serialize;

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
    /// The central DNS server answers what was decided.
    Probed,
}

impl DutyName {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 5] =
        [Self::Reachable, Self::Forwarded, Self::Annotated, Self::Recorded, Self::Probed];

    /// The condition type.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reachable => "Reachable",
            Self::Forwarded => "Forwarded",
            Self::Annotated => "Annotated",
            Self::Recorded => "Recorded",
            Self::Probed => "Probed",
        }
    }
}

/// Why a condition is what it is. Also the reason of Events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// All is as it should be.
    Succeeded,
    /// Work has begun and is not done.
    InProgress,
    /// No Secret with a kubeconfig for the cluster.
    KubeconfigMissing,
    /// The kubeconfig cannot be used.
    KubeconfigInvalid,
    /// The API server does not answer, or refuses.
    Unreachable,
    /// A kind that is watched is not served, so nothing is recorded from it.
    KindNotServed,
    /// No DNSPolicy selects the cluster.
    NoPolicy,
    /// The policy gives the cluster no usable domain.
    NoDomain,
    /// Another cluster has the same domain, or one that contains this one.
    DomainConflict,
    /// Someone else has set the annotation.
    ForeignValue,
    /// The cluster has no DNS configuration of a known layout.
    UnknownLayout,
    /// The DNS configuration is not understood, so it is left alone.
    NotUnderstood,
    /// The configuration cannot be written.
    WriteFailed,
    /// No address of a central DNS server is configured.
    NoCentralServer,
    /// Written, but the platform has no address at which to probe this cluster's DNS.
    NotProbed,
    /// The store does not answer, or refuses.
    StoreUnavailable,
    /// A plan that would delete many names waits for a confirmation.
    DeletionHeld,
    /// The policy module failed for some claims; what was published stays.
    PolicyFailed,
    /// Values that are not ours stand at names of this cluster.
    ForeignRecords,
    /// The DNS server answers something else than was decided.
    Mismatch,
    /// The DNS server could not be asked.
    NoAnswer,
    /// The module could not be fetched; another attempt follows by itself.
    ModuleUnavailable,
    /// The bytes that were fetched are not those that sha256 or the reference names.
    ModuleDigestMismatch,
    /// The source that the spec names is refused.
    ModuleRejected,
    /// The module is refused.
    Refused(LoadReason),
    /// The module in the spec is compared with the one that decides, and decides nothing.
    Monitored,
    /// No module decides.
    NoActiveModule,
    /// The spec is contradictory or incomplete.
    InvalidSpec,
    /// A claim is denied (reason of Events).
    HostNameDenied,
    /// A claim gives way to another (reason of Events).
    HostNameConflict,
    /// A claim points nowhere (reason of Events).
    HostNameUnresolved,
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(reason) => f.write_str(reason.as_str()),
            reason => write!(f, "{reason:?}"),
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
