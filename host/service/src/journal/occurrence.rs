//! What can happen, how it is logged, and what it counts as.

use openmcp_dns_core::cluster::{ClusterId, SourceRef};
use openmcp_dns_core::conflict::Conflict;
use openmcp_dns_core::index::State;
use openmcp_dns_core::name::HostName;

use crate::metrics::Metrics;
use crate::policies::{ChosenBy, ModuleOccurrence};
use crate::probe::{Expectation, Probed};
use crate::record::{HeldDeletion, NoDomain, Report};
use openmcp_dns_api::conditions::{DutyName, Finding};

/// Something that happened.
#[derive(Debug)]
pub enum Occurrence {
    /// What an object asks for has another state than before.
    Claim {
        /// The cluster.
        cluster: ClusterId,
        /// The object.
        source: SourceRef,
        /// Its unique identifier.
        uid: String,
        /// The host name as the object has it.
        host_name: String,
        /// The new state.
        state: State,
    },
    /// A claim gives way to another.
    Conflict {
        /// Unique identifier of the object that gives way.
        uid: String,
        /// Who, where and why.
        conflict: Conflict,
    },
    /// A cluster's domain has been decided.
    Domain {
        /// The cluster.
        cluster: ClusterId,
        /// Its domain, or why it has none.
        domain: Result<HostName, NoDomain>,
    },
    /// The store holds what was decided for a name.
    Recorded {
        /// What the DNS server should answer now.
        expectation: Expectation,
        /// Whether this changed the store; otherwise it held that already.
        changed: bool,
    },
    /// A name was checked with the central DNS server.
    Probed(Probed),
    /// Another deletion of a cluster's names is held than before.
    Held {
        /// The cluster.
        cluster: ClusterId,
        /// What is held until it is confirmed; `None` when nothing is any more.
        held: Option<HeldDeletion>,
        /// How many names of the cluster the store holds.
        published: usize,
    },
    /// The state of a cluster's records has changed; its summary says how.
    Touched(ClusterId),
    /// What is found of a duty towards a cluster is something else than before.
    Condition {
        /// The cluster.
        cluster: ClusterId,
        /// The duty, whose name is the condition's type.
        duty: DutyName,
        /// What is found.
        finding: Finding,
    },
    /// A cluster is no longer ours: nothing of us is left there.
    Released(ClusterId),
    /// Something happened to the modules of a policy.
    Module {
        /// Name of the DNSPolicy.
        policy: String,
        /// What happened.
        module: ModuleOccurrence,
    },
}

impl From<Report> for Occurrence {
    fn from(report: Report) -> Self {
        match report {
            Report::Claim { cluster, source, uid, host_name, state } => {
                Self::Claim { cluster, source, uid, host_name, state }
            }
            Report::Conflict { uid, conflict } => Self::Conflict { uid, conflict },
            Report::Domain(cluster, domain) => Self::Domain { cluster, domain },
            Report::Recorded { expectation, changed } => Self::Recorded { expectation, changed },
            Report::Held { cluster, held, published } => Self::Held { cluster, held, published },
            Report::Touched(cluster) => Self::Touched(cluster),
        }
    }
}

impl Occurrence {
    pub(super) fn log(&self) {
        match self {
            Self::Claim { cluster, source, uid: _, host_name, state } => {
                tracing::debug!(%cluster, %source, host_name, ?state, "claim");
            }
            Self::Recorded { expectation, changed: true } => {
                tracing::info!(name = %expectation.name, records = ?expectation.records, "recorded");
            }
            Self::Probed(Probed { expectation, verdict, answer, took }) => {
                let verdict = verdict.as_str();
                tracing::debug!(name = %expectation.name, verdict, %answer, ?took, "probed");
            }
            Self::Held { cluster, held: Some(HeldDeletion { names, .. }), published } => {
                tracing::warn!(%cluster, names, published, "holding a deletion until it is confirmed");
            }
            Self::Module { policy, module } => log_module(policy, module),
            // Their like is in the status of the cluster.
            Self::Conflict { .. }
            | Self::Domain { .. }
            | Self::Recorded { changed: false, .. }
            | Self::Held { held: None, .. }
            | Self::Touched(_)
            | Self::Condition { .. }
            | Self::Released(_) => {}
        }
    }

    pub(super) fn count(&self, metrics: &Metrics) {
        match self {
            Self::Claim { state: State::Denied(denial), .. } => metrics.denied(&denial.code),
            Self::Recorded { changed: true, .. } => metrics.changed(),
            Self::Probed(Probed { verdict, took, .. }) => metrics.probed(*verdict, *took),
            Self::Condition { cluster, duty, finding } => metrics.condition(cluster, *duty, finding.status),
            Self::Released(cluster) => metrics.forget(cluster),
            Self::Claim { .. }
            | Self::Conflict { .. }
            | Self::Domain { .. }
            | Self::Recorded { changed: false, .. }
            | Self::Held { .. }
            | Self::Touched(_)
            | Self::Module { .. } => {}
        }
    }
}

fn log_module(policy: &str, module: &ModuleOccurrence) {
    match module {
        ModuleOccurrence::Loaded { digest, mode, chosen_by: ChosenBy::Spec, decides: _ } => {
            tracing::info!(policy, digest, ?mode, "policy module is loaded");
        }
        ModuleOccurrence::Loaded { digest, chosen_by: ChosenBy::Status, .. } => {
            tracing::info!(policy, digest, "policy module that decided before is loaded");
        }
        ModuleOccurrence::Refused { message } => {
            tracing::warn!(policy, message, "policy module is not used");
        }
        ModuleOccurrence::RolledBack => {
            tracing::info!(policy, "the policy module before decides again");
        }
        ModuleOccurrence::TagMoved { digest } => {
            tracing::info!(policy, digest, "the tag of the policy module has moved");
        }
        ModuleOccurrence::TagUnknown { message } => {
            tracing::warn!(policy, message, "the policy module stays");
        }
    }
}
