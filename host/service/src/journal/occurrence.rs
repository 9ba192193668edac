//! What can happen, how it is logged, and what it counts as.

use openmcp_dns_core::agents::Refusal;
use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::index::State;

use crate::metrics::Metrics;
use crate::policies::{ChosenBy, ModuleOccurrence};
use crate::probe::Probed;
use crate::record::{HeldDeletion, Report};
use openmcp_dns_api::conditions::{DutyName, Finding, Reason};

/// Something that happened.
#[derive(Debug)]
pub enum Occurrence {
    /// What the recorder tells of claims, domains, records and held deletions.
    Recording(Report),
    /// A name was checked with the central DNS server.
    Probed(Probed),
    /// What is found of a duty towards a cluster is something else than before.
    Condition {
        /// The cluster.
        cluster: ClusterId,
        /// The duty, whose name is the condition's type.
        duty: DutyName,
        /// What is found.
        finding: Finding,
    },
    /// All in all, it stands otherwise with a cluster than was said before.
    Turned {
        /// The cluster.
        cluster: ClusterId,
        /// How it stands.
        reason: Reason,
        /// For people.
        message: String,
    },
    /// A cluster is no longer ours: nothing of us is left there.
    Released(ClusterId),
    /// The gate refuses what the agent of a cluster wants to write.
    Refused {
        /// The cluster.
        cluster: ClusterId,
        /// What the agent is told.
        refusal: Refusal,
    },
    /// Something happened to the modules of a policy.
    Module {
        /// Name of the DNSPolicy.
        policy: String,
        /// What happened.
        module: ModuleOccurrence,
    },
}

impl Occurrence {
    pub(super) fn log(&self) {
        match self {
            Self::Recording(report) => log_report(report),
            Self::Probed(Probed { expectation, verdict, answer, took }) => {
                let verdict = verdict.as_str();
                tracing::debug!(name = %expectation.name, verdict, %answer, ?took, "probed");
            }
            Self::Module { policy, module } => log_module(policy, module),
            Self::Refused { cluster, refusal } => {
                tracing::info!(%cluster, %refusal, "refused to the agent of a cluster");
            }
            // Their like is in the status of the cluster.
            Self::Condition { .. } | Self::Turned { .. } | Self::Released(_) => {}
        }
    }

    pub(super) fn count(&self, metrics: &Metrics) {
        match self {
            Self::Recording(Report::Claim { state: State::Denied(denial), .. }) => {
                metrics.denied(&denial.code)
            }
            Self::Recording(Report::Recorded { revision: Some(_), .. }) => metrics.changed(),
            Self::Probed(Probed { verdict, took, .. }) => metrics.probed(*verdict, *took),
            Self::Condition { cluster, duty, finding } => metrics.condition(cluster, *duty, finding.status),
            Self::Released(cluster) => metrics.forget(cluster),
            Self::Recording(
                Report::Claim { .. }
                | Report::Decided(_)
                | Report::Conflict { .. }
                | Report::Domain(..)
                | Report::Recorded { revision: None, .. }
                | Report::Held { .. }
                | Report::Confirmed { .. }
                | Report::Routes(_)
                | Report::Findings(_)
                | Report::Touched(_),
            )
            | Self::Turned { .. }
            | Self::Module { .. }
            | Self::Refused { .. } => {}
        }
    }
}

fn log_report(report: &Report) {
    match report {
        Report::Claim { cluster, source, uid: _, host_name, state } => {
            tracing::debug!(%cluster, %source, host_name, ?state, "claim");
        }
        Report::Recorded { expectation, revision: Some(revision) } => {
            tracing::info!(name = %expectation.name, revision, records = ?expectation.records(), "recorded");
        }
        Report::Held { cluster, held: Some(HeldDeletion { names, .. }), published } => {
            tracing::warn!(%cluster, names, published, "holding a deletion until it is confirmed");
        }
        Report::Confirmed { cluster, token, names } => {
            tracing::info!(%cluster, token, names, "a held deletion is confirmed");
        }
        // Their like is in the status of the cluster, or in the line of the claim.
        Report::Decided(_)
        | Report::Conflict { .. }
        | Report::Domain(..)
        | Report::Recorded { revision: None, .. }
        | Report::Held { held: None, .. }
        | Report::Routes(_)
        | Report::Findings(_)
        | Report::Touched(_) => {}
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
