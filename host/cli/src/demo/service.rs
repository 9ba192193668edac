//! Service: the parts of openmcp-dns that the demo runs, in this process and without a cluster.
//!
//! ```text
//! observations ──► Recorder ──► MemoryStore ──feed──► Records ◄── DNS server
//!                      │ reports                                         ▲
//!                      ▼                                                 │ questions
//!                  the session ◄──────────── results ──────────────── Prober
//! ```

use openmcp_dns_core::cluster_policy::ClusterPolicy;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::objects::Change;
use openmcp_dns_core::skydns::Prefix;
use openmcp_dns_server::{Records, Server};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::view::View;
use crate::terminal::hint::Hint as _;
use openmcp_dns_service::observe::Observation;
use openmcp_dns_service::probe::{Asker, Probed, Prober, ProberHandle};
use openmcp_dns_service::record::{Command, Options, Received, Recorder, Report, Summary};
use openmcp_dns_service::serve;
use openmcp_dns_store::{MemoryStore, Store};

/// Messages that may wait between two parts. A sender waits when there are more.
const BACKLOG: usize = 256;

/// The running parts.
pub struct Service {
    inputs: mpsc::Sender<Command>,
    observations: mpsc::Sender<(ClusterId, Observation)>,
    /// What the coordinator tells, from the first report on.
    pub reports: mpsc::UnboundedReceiver<Report>,
    /// What the prober found out.
    pub probed: mpsc::Receiver<Probed>,
    /// What the store holds.
    pub view: View,
    /// Where the DNS server answers.
    pub address: SocketAddr,
    cancel: CancellationToken,
    tasks: TaskTracker,
}

impl Service {
    /// Starts all parts.
    ///
    /// # Errors
    /// When the DNS server cannot listen on the address.
    pub async fn start(zone: &HostName, listen: SocketAddr) -> anyhow::Result<Self> {
        let prefix = Prefix::default();
        let records = Records::new(zone.clone(), prefix.clone());
        let server = Server::bind(listen, records.clone())
            .await
            .hint("choose another address with --listen; with port 0 a free one is taken")?;
        let address = server.local_addr();
        let asker = Asker::new(reachable(address)).context("failed to prepare the probes")?;

        let cancel = CancellationToken::new();
        let tasks = TaskTracker::new();
        let shutdown = cancel.clone();
        tasks.spawn(async move {
            if let Err(error) = server.run(shutdown.cancelled_owned()).await {
                tracing::error!(message = openmcp_dns_core::chain(&error), "the DNS server ended");
            }
        });
        let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
        let view = View::new(prefix.clone());
        let (followed, seen, stop) = (Arc::clone(&store), view.clone(), cancel.clone());
        tasks.spawn(async move {
            stop.run_until_cancelled(serve::feed(followed, records, |event| seen.take_in(event))).await
        });
        let (reports, told) = mpsc::channel(BACKLOG);
        let (inputs, received_inputs) = mpsc::channel(BACKLOG);
        let (observations, received_observations) = mpsc::channel(BACKLOG);
        let (coordinator, store_events) = Recorder::new(store, Options { prefix, reports });
        let received = Received { commands: received_inputs, observations: received_observations };
        let stop = cancel.clone();
        tasks.spawn(async move { stop.run_until_cancelled(coordinator.run(received, store_events)).await });

        let (results, probed) = mpsc::channel(BACKLOG);
        let (prober, handle) = Prober::new(asker, results);
        tasks.spawn(prober.run());
        let (forward, reports) = mpsc::unbounded_channel();
        tasks.spawn(relay(told, handle, forward));
        Ok(Self { inputs, observations, reports, probed, view, address, cancel, tasks })
    }

    /// From now on the cluster stands under this policy.
    pub async fn govern(&self, cluster: &ClusterId, governance: ClusterPolicy) {
        self.input(Command::Govern(cluster.clone(), Box::new(governance))).await;
        // The coordinator takes observations from another channel; an answer says that it knows
        // the cluster now.
        self.summary(cluster).await;
    }

    /// No policy holds for the cluster any more.
    pub async fn ungovern(&self, cluster: &ClusterId) {
        self.input(Command::Ungovern(cluster.clone())).await;
    }

    /// Withdraws all records of a cluster; `released` is told when that is done.
    pub async fn release(
        &self,
        cluster: &ClusterId,
        zone: &HostName,
        released: mpsc::UnboundedSender<ClusterId>,
    ) {
        let (done, answer) = oneshot::channel();
        self.input(Command::Release { cluster: cluster.clone(), zone: zone.clone(), done }).await;
        let cluster = cluster.clone();
        self.tasks.spawn(async move {
            if answer.await.is_ok() {
                // Nobody may be listening any more.
                let _ = released.send(cluster);
            }
        });
    }

    /// Objects of a cluster have changed.
    pub async fn observe(&self, cluster: &ClusterId, change: Change) {
        // An error says that the coordinator is gone, which ends the demo elsewhere.
        let _ = self.observations.send((cluster.clone(), Observation::Change(change))).await;
    }

    /// The state of a cluster's records; an empty one when the coordinator is gone.
    pub async fn summary(&self, cluster: &ClusterId) -> Summary {
        let (answer, summary) = oneshot::channel();
        self.input(Command::Summarise(cluster.clone(), answer)).await;
        summary.await.unwrap_or_default()
    }

    async fn input(&self, input: Command) {
        // As above.
        let _ = self.inputs.send(input).await;
    }

    /// Ends all parts.
    pub async fn stop(self) {
        let Self { inputs, observations, reports, probed, view: _, address: _, cancel, tasks } = self;
        cancel.cancel();
        drop((inputs, observations, reports, probed));
        tasks.close();
        tasks.wait().await;
    }
}

/// Hands reports on. There is no bound: whoever reads them also waits for the coordinator's answers,
/// and the coordinator must not wait for its reports to be read meanwhile.
async fn relay(
    mut told: mpsc::Receiver<Report>,
    prober: ProberHandle,
    forward: mpsc::UnboundedSender<Report>,
) {
    while let Some(report) = told.recv().await {
        if let Report::Recorded { expectation, .. } = &report {
            prober.expect(expectation.clone()).await;
        }
        if forward.send(report).is_err() {
            return;
        }
    }
}

/// An address that listens everywhere is asked at the loopback address.
fn reachable(address: SocketAddr) -> SocketAddr {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
