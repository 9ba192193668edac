//! The policy in force, for one cluster: whom to ask, and what holds for what it decides.

use std::sync::Arc;
use std::time::Duration;

use crate::decide::AllowedNames;
use crate::deletion_guard::DeletionLimits;
use crate::guards::GuardId;
use crate::kinds::SourceRules;
use crate::limits::Limits;
use crate::name::HostName;
use crate::policy::{Context, Policy};
use crate::precedence::Precedence;
use crate::reverse::Networks;
use crate::skydns::Owner;
use crate::ttl::TtlBounds;

/// Under which policy a cluster stands.
#[derive(Clone)]
pub struct ClusterPolicy {
    /// Name of the DNSPolicy.
    pub policy_name: String,
    /// The module that decides.
    pub module: ClusterModule,
    /// A module that is compared with it, and decides nothing.
    pub candidate: Option<ClusterModule>,
    /// Which objects of the cluster claim host names.
    pub sources: Arc<SourceRules>,
    /// What the cluster may ask for.
    pub limits: Limits,
    /// The networks whose addresses lead back to its host names.
    pub networks: Arc<Networks>,
    /// How it stands at names that others publish as well.
    pub precedence: Precedence,
    /// Whether routes are told in their status what has become of their names.
    pub route_status: bool,
    /// Whether what is denied or given up is reported in each namespace as an object of OpenReports.
    pub open_reports: bool,
    /// When a deletion is held.
    pub deletion_limits: DeletionLimits,
    /// After how long a held deletion goes on.
    pub hold: Duration,
    /// When the `Cluster` was created, in seconds since 1970; of two clusters that want one domain, the older has it.
    pub created_unix_seconds: i64,
}

impl ClusterPolicy {
    /// Who owns what the cluster publishes.
    #[must_use]
    pub fn owner(&self) -> Owner {
        let context = &self.module.context;
        Owner { zone: context.base_domain.clone(), cluster: context.cluster.id.clone() }
    }

    /// Whether decisions under `other` are the same.
    #[must_use]
    pub fn decides_like(&self, other: &Self) -> bool {
        self.module.answers_like(&other.module)
            && self.sources == other.sources
            && self.created_unix_seconds == other.created_unix_seconds
    }
}

/// A module for one cluster: whom to ask, and what it is told in every question.
#[derive(Clone)]
pub struct ClusterModule {
    /// The module, behind its guards.
    pub policy: Arc<dyn Policy>,
    /// SHA-256 of the module, as hexadecimal digits.
    pub module_digest: Arc<str>,
    /// Which guards those are, in the order in which they are asked.
    pub guards: Arc<[GuardId]>,
    /// What the module is told besides the claim.
    pub context: Arc<Context>,
    /// Whether the DNS server in use can serve wildcards.
    pub wildcards: bool,
    /// Within which times to live the cluster publishes.
    pub ttl: TtlBounds,
    /// Whether the policy adds SRV records for listeners.
    pub srv_records: bool,
}

impl ClusterModule {
    /// Whether `other` gives the same answers.
    #[must_use]
    pub fn answers_like(&self, other: &Self) -> bool {
        self.module_digest == other.module_digest
            && self.guards == other.guards
            && self.context == other.context
            && self.wildcards == other.wildcards
            && self.ttl == other.ttl
            && self.srv_records == other.srv_records
    }

    /// Where a cluster with this domain may publish.
    #[must_use]
    pub fn allowed(&self, domain: HostName) -> AllowedNames {
        AllowedNames::of(&self.context, domain, self.wildcards, self.ttl)
    }
}
