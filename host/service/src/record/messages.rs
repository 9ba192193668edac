//! What the recorder is told.

use std::collections::BTreeSet;
use std::sync::Arc;

use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::cluster_policy::{ClusterModule, ClusterPolicy};
use openmcp_dns_core::decide::AllowedNames;
use openmcp_dns_core::expectation::Expectation;
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::node_hosts::Selection;
use openmcp_dns_core::open_reports::FindingsNews;
use openmcp_dns_core::recording::{Held, Look, Place, Seen, Summary, Way};
use openmcp_dns_core::route_status::RouteNews;
use openmcp_dns_core::service_names::ServiceNames;
use openmcp_dns_core::skydns::Owner;
use tokio::sync::{mpsc, oneshot};

use crate::observe::ObservationsReceiver;

/// What is wanted of the recorder.
pub enum Command {
    /// The cluster stands under this policy from now on.
    Govern(ClusterId, Box<ClusterPolicy>),
    /// The cluster has published in these zones, under earlier policies: its records there are withdrawn.
    LeaveZones(ClusterId, BTreeSet<HostName>),
    /// No policy selects the cluster any more. Its records stay as they are.
    Ungovern(ClusterId),
    /// The cluster is being deleted: withdraws all its records below the zone, then answers.
    Release {
        /// The cluster.
        cluster: ClusterId,
        /// The zone; from the policy or from the annotation on the `Cluster`.
        zone: HostName,
        /// Answered when the store holds nothing of the cluster any more.
        done: oneshot::Sender<()>,
    },
    /// A person confirms the held deletion with this token.
    Confirm(ClusterId, String),
    /// This is all that the service publishes of itself.
    Serve(ServiceNames),
    /// Asks what the DNS servers should answer for a name. Nobody answers before the store has been read.
    Expectation(HostName, oneshot::Sender<Expectation>),
    /// Asks for what nodes are told of a zone: the names that patterns select. Nobody answers before the store has been read.
    Hosts {
        /// The zone.
        zone: HostName,
        /// The patterns.
        patterns: Vec<HostName>,
        /// Told what is recorded.
        answer: oneshot::Sender<Selection>,
    },
    /// Asks which clusters have values in the store, and at how many names. Nobody answers before the store has been read.
    Owners(oneshot::Sender<Vec<(Owner, usize)>>),
    /// Asks who decides on what a cluster asks for, and where it may publish; `None` while it has no domain.
    Deciding(ClusterId, oneshot::Sender<Option<(ClusterModule, Arc<AllowedNames>)>>),
    /// Asks for what is known of routes of a cluster of which something else is to be said, of so many at most.
    Routes(ClusterId, usize, oneshot::Sender<Vec<RouteNews>>),
    /// Asks for what is found in namespaces of a cluster where it may be something else than before.
    Findings {
        /// The cluster.
        cluster: ClusterId,
        /// The epoch of what is known of them: of another one, all is told.
        known_epoch: u64,
        /// Namespaces that are asked for whether or not that is so.
        again: BTreeSet<String>,
        /// In so many at most.
        most: usize,
        /// Told what is found.
        answer: oneshot::Sender<FindingsNews>,
    },
    /// Asks for what is to be seen of claims.
    Look(Look, oneshot::Sender<Seen>),
    /// Asks how a claim came about; `None` when there is no such claim.
    Way(Place, oneshot::Sender<Option<Way>>),
    /// Asks for the deletions that are held, of so many clusters and with so many names of each at most.
    Held(usize, oneshot::Sender<Vec<Held>>),
    /// Asks for the state of a cluster's records.
    Summarise(ClusterId, oneshot::Sender<Summary>),
}

/// Where what the recorder is told comes from.
pub struct Received {
    /// What is wanted of it.
    pub commands: mpsc::Receiver<Command>,
    /// What the watches of the clusters report.
    pub observations: ObservationsReceiver,
}
