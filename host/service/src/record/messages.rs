//! What the coordinator is told, and what it tells.

use openmcp_dns_core::cluster::{ClusterId, SourceRef};
use openmcp_dns_core::cluster_policy::ClusterPolicy;
use openmcp_dns_core::index::State;
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::settle::Conflict;
use tokio::sync::{mpsc, oneshot};

use super::summary::{NoDomain, Summary};
use crate::observe::Observation;
use crate::probe::Expectation;

/// What the coordinator is told.
pub enum Input {
    /// The cluster stands under this policy from now on.
    Govern(ClusterId, Box<ClusterPolicy>),
    /// No policy selects the cluster any more. Its records stay as they are.
    Ungovern(ClusterId),
    /// The cluster is being deleted: withdraws all its records below the zone, then answers.
    Release {
        /// The cluster.
        cluster: ClusterId,
        /// The landscape's zone; from the policy or from the annotation on the `Cluster`.
        zone: HostName,
        /// Answered when the store holds nothing of the cluster any more.
        done: oneshot::Sender<()>,
    },
    /// A person confirms the held deletion with this token.
    Confirm(ClusterId, String),
    /// Asks for the state of a cluster's records.
    Summarise(ClusterId, oneshot::Sender<Summary>),
}

/// Where inputs come from.
pub struct Inputs {
    /// Everything but observations.
    pub inputs: mpsc::Receiver<Input>,
    /// What the watches of the clusters report.
    pub observations: mpsc::Receiver<(ClusterId, Observation)>,
}

/// What the coordinator tells.
#[derive(Debug)]
pub enum Report {
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
    Domain(ClusterId, Result<HostName, NoDomain>),
    /// The store holds what was decided for a name.
    Recorded {
        /// What the DNS server should answer now.
        expectation: Expectation,
        /// Whether this changed the store; otherwise it held that already.
        changed: bool,
    },
    /// The state of a cluster has changed; ask for its summary.
    Touched(ClusterId),
}
