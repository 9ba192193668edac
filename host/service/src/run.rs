//! Wires the duties together, from the platform's API server to the store and back to people.
//!
//! ```text
//! LandscapeController ──► ClusterControllers ──Command, observations──► Recorder ──► Store
//!          ▲                        │ Occurrence                           │ Report
//!          └────── subscribes ── Journal ◄───────────────── Prober ◄───────┘
//! ```

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use openmcp_dns_core::skydns::Prefix;
use openmcp_dns_policy::Engine;
use openmcp_dns_store::Store;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::inventory::Inventory;
use crate::journal::{Journal, note_probes, note_reports};
use crate::landscape::LandscapeController;
use crate::metrics::{Metrics, Readiness};
use crate::probe::{Asker, Pace, Prober};
use crate::record::{Options, Received, Recorder, observations};
use crate::settings::Settings;
use openmcp_dns_modules::{ModuleLoader, SourceOptions};

/// How long tasks may take to end after they were told to.
const GRACE: Duration = Duration::from_secs(5);

/// What the service works with.
pub struct Service {
    /// The platform cluster.
    pub platform: kube::Client,
    /// Where the clusters' access comes from.
    pub inventory: Arc<dyn Inventory>,
    /// Where the records are kept.
    pub store: Arc<dyn Store>,
    /// Where they lie in the store.
    pub prefix: Prefix,
    /// Runs policy modules.
    pub engine: Engine,
    /// Where policy modules may come from.
    pub sources: SourceOptions,
    /// Addresses of the central DNS server, as the clusters reach them.
    pub upstreams: Vec<SocketAddr>,
    /// Asks the central DNS server; `None` where no address is known.
    pub asker: Option<Asker>,
    /// What is known of the way to it.
    pub pace: Pace,
    /// Whether the central DNS server can serve wildcards.
    pub wildcards: bool,
    /// What is measured.
    pub metrics: Metrics,
    /// Set when the service is ready.
    pub readiness: Readiness,
    /// Where what happens is noted.
    pub journal: Journal,
}

/// Works until it is cancelled.
pub async fn run(service: Service, cancel: CancellationToken) {
    let Service {
        platform,
        inventory,
        store,
        prefix,
        engine,
        sources,
        upstreams,
        asker,
        pace,
        wildcards,
        metrics,
        readiness,
        journal,
    } = service;
    let tasks = TaskTracker::new();
    let (commands, commands_receiver) = mpsc::channel(256);
    let (observations, observations_receiver) = observations();
    let (reports, reports_receiver) = mpsc::channel(4096);

    let (recorder, store_events) = Recorder::new(store, Options { prefix, reports });
    let received = Received { commands: commands_receiver, observations: observations_receiver };
    spawn(&tasks, &cancel, recorder.run(received, store_events));

    let prober = asker.map(|asker| {
        let (results, results_receiver) = mpsc::channel(1024);
        let (prober, handle) = Prober::new(asker, pace, results);
        spawn(&tasks, &cancel, prober.run());
        spawn(&tasks, &cancel, note_probes(results_receiver, journal.clone()));
        handle
    });
    spawn(&tasks, &cancel, note_reports(reports_receiver, journal.clone(), prober.clone()));

    let settings = Settings {
        platform: platform.clone(),
        inventory,
        upstreams,
        commands,
        observations,
        prober,
        journal,
        metrics,
        readiness,
        tasks: tasks.clone(),
        cancel: cancel.clone(),
    };
    LandscapeController::start(Arc::new(settings), ModuleLoader::new(engine, platform, sources), wildcards);

    cancel.cancelled().await;
    tasks.close();
    if tokio::time::timeout(GRACE, tasks.wait()).await.is_err() {
        tracing::warn!("some tasks did not end in time");
    }
}

fn spawn(tasks: &TaskTracker, cancel: &CancellationToken, work: impl Future<Output = ()> + Send + 'static) {
    let cancel = cancel.clone();
    tasks.spawn(async move { cancel.run_until_cancelled(work).await });
}
