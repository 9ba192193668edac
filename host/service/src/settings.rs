//! What the controllers of all clusters share.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use openmcp_dns_core::Bucket;
use openmcp_dns_core::forwarding::Rollout;
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::node_hosts::Selection;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::agents::Agents;
use crate::enrolment::Enrolment;
use crate::inventory::Inventory;
use crate::journal::Journal;
use crate::leadership::Leadership;
use crate::metrics::{Metrics, Readiness};
use crate::observe::Observations;
use crate::probe::{ProberHandle, Servers};
use crate::record::Command;
use crate::report::cluster_dns::ClusterReport;
use crate::report::statuses::Statuses;
use crate::service_config::ServiceConfig;
use crate::tasks::Tasks;

/// What the controllers of all clusters share.
pub struct Settings {
    /// The platform cluster.
    pub platform: kube::Client,
    /// Whether anything may be written, to the clusters and of them.
    pub leadership: Leadership,
    /// Where the clusters' access comes from.
    pub inventory: Arc<dyn Inventory>,
    /// Addresses of the central DNS server, as the clusters reach them; none while they are not known.
    pub upstreams: watch::Receiver<Vec<SocketAddr>>,
    /// What people have chosen for clusters.
    pub config: ServiceConfig,
    /// How long a name of a cluster itself may fail after a change of its DNS.
    pub take_back_after: Duration,
    /// How long a Cluster that is deleted may be held.
    pub leaving: LeavingBounds,
    /// Whose turn it is to be got into.
    pub openings: Openings,
    /// Whose DNS may be changed now, where a change touches many.
    pub rollout: SharedRollout,
    /// Which clusters are to have agents, and how those reach the gate; `None` where that is somebody else's.
    pub enrolment: Option<Enrolment>,
    /// The image of the service itself, for what it runs in clusters.
    pub own_image: String,
    /// Names that nodes of clusters are told.
    pub node_names: NodeNames,
    /// Told the zones of the policies in force; `None` until they are known.
    pub zones: watch::Sender<Option<BTreeSet<HostName>>>,
    /// What is wanted of the recorder.
    pub commands: mpsc::Sender<Command>,
    /// What agents in clusters have written.
    pub agents: Agents,
    /// Where watches report.
    pub observations: Observations,
    /// Where to say what is known of clusters.
    pub statuses: Statuses<ClusterReport>,
    /// Asks the central DNS server; `None` where no address is known.
    pub prober: Option<ProberHandle>,
    /// All DNS servers, each by its own address.
    pub servers: Servers,
    /// Where what happens is noted.
    pub journal: Journal,
    /// Where the questions to policy modules are counted.
    pub metrics: Metrics,
    /// Set when all lists have been read.
    pub readiness: Readiness,
    /// For work that the whole service answers for.
    pub tasks: Tasks,
    /// Ends everything.
    pub cancel: CancellationToken,
}

/// How long a `Cluster` that is deleted may be held by others than our own store.
#[derive(Clone, Copy, Debug)]
pub struct LeavingBounds {
    /// By a cluster that keeps us from taking back what we have in it. That goes away with the cluster in most cases.
    pub cluster: Duration,
    /// By a provider that does not take back the access that it has granted.
    pub access: Duration,
}

impl Default for LeavingBounds {
    fn default() -> Self {
        Self { cluster: Duration::from_secs(60), access: Duration::from_secs(300) }
    }
}

/// Ways into clusters that are opened in a second, and the seconds of them that are opened at once after a rest. A
/// service that starts meets a thousand clusters within 20 seconds; one with a hundred notices nothing.
const OPENINGS_PER_SECOND: u32 = 50;
const OPENINGS_BURST_SECONDS: u32 = 2;

/// Spreads the first requests to clusters: a service that starts would ask all of them at once. Clones share it.
#[derive(Clone, Debug)]
pub struct Openings(Arc<tokio::sync::Mutex<Bucket>>);

impl Default for Openings {
    fn default() -> Self {
        Self(Arc::new(tokio::sync::Mutex::new(Bucket::full(OPENINGS_PER_SECOND, OPENINGS_BURST_SECONDS))))
    }
}

impl Openings {
    /// Waits until it is the caller's turn; who came first goes first.
    pub async fn turn(&self) {
        let mut bucket = self.0.lock().await;
        loop {
            let now = Instant::now();
            if bucket.take(now) {
                return;
            }
            tokio::time::sleep_until(bucket.due(now).into()).await;
        }
    }
}

/// How long what was selected counts for all clusters that want the same: it is searched for among all names of the zone.
const NAMES_FRESH: Duration = Duration::from_secs(5);

/// A zone, and patterns of names in it.
type Question = (HostName, Vec<HostName>);

/// What was selected, and when.
type Known = (Instant, Arc<Selection>);

/// Names that nodes of clusters are told, as they are recorded. Clones share what is known.
#[derive(Clone)]
pub struct NodeNames {
    commands: mpsc::Sender<Command>,
    known: Arc<tokio::sync::Mutex<HashMap<Question, Known>>>,
}

impl NodeNames {
    /// Asks the recorder.
    #[must_use]
    pub fn new(commands: mpsc::Sender<Command>) -> Self {
        Self { commands, known: Arc::default() }
    }

    /// What is recorded in a zone of the names that patterns select; `None` while the store has not been read.
    pub async fn get(&self, zone: &HostName, patterns: &[HostName]) -> Option<Arc<Selection>> {
        // Held while it is asked: who wants the same waits for the same answer.
        let mut known = self.known.lock().await;
        known.retain(|_, (since, _)| since.elapsed() < NAMES_FRESH);
        let question = (zone.clone(), patterns.to_vec());
        if let Some((_, selection)) = known.get(&question) {
            return Some(Arc::clone(selection));
        }
        let (answer, answered) = oneshot::channel();
        let (zone, patterns) = question.clone();
        self.commands.send(Command::Hosts { zone, patterns, answer }).await.ok()?;
        let selection = Arc::new(answered.await.ok()?);
        known.insert(question, (Instant::now(), Arc::clone(&selection)));
        Some(selection)
    }
}

/// Whose DNS may be changed now. Clones share it.
#[derive(Clone, Debug)]
pub struct SharedRollout {
    machine: Arc<Mutex<Rollout>>,
    /// From where the machine's time counts.
    began: Instant,
}

impl Default for SharedRollout {
    fn default() -> Self {
        Self { machine: Arc::default(), began: Instant::now() }
    }
}

impl SharedRollout {
    /// Asks or tells it something; it is also given the time.
    pub fn with<T>(&self, asked: impl FnOnce(&mut Rollout, Duration) -> T) -> T {
        let mut machine = self.machine.lock().unwrap_or_else(PoisonError::into_inner);
        asked(&mut machine, self.began.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hundred_ways_are_opened_at_once_and_more_in_turn() {
        let (openings, began) = (Openings::default(), Instant::now());
        for _ in 0..110 {
            openings.turn().await;
        }
        assert!(began.elapsed() >= Duration::from_millis(150), "{:?}", began.elapsed());
    }
}
