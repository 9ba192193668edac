//! Wires the duties together, from the platform's API server to the store and back to people.
//!
//! ```text
//! LandscapeController ──► ClusterControllers ──Command, observations──► Recorder ──► Store
//!          ▲                        │ Occurrence                           │ Report
//!          └────── subscribes ── Journal ◄───────────────── Prober ◄───────┘
//! ```

mod ended;
mod parts;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use openmcp_dns_core::agents::Root;
use openmcp_dns_core::leadership::LeaderKey;
use openmcp_dns_core::skydns::Prefix;
use openmcp_dns_gate::{Gate, Inputs};
use openmcp_dns_policy::Engine;
use openmcp_dns_store::{Membership, Store};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use self::parts::Parts;
use crate::agents::{Agents, Means, Recorded};
use crate::api_client::at_most;
use crate::central::{DnsPods, Publisher};
use crate::decision_log::{DecisionLogOptions, keep};
use crate::deploy::{Deployer, StoreAddress, Surroundings};
use crate::enrolment::Enrolment;
use crate::inventory::Inventory;
use crate::journal::{Journal, note_probes, note_reports};
use crate::landscape::LandscapeController;
use crate::leadership::{Leadership, hold};
use crate::metrics::{Metrics, Readiness};
use crate::page::{self, Page};
use crate::probe::{Central, Pace, Prober, Servers};
use crate::record::{Command, Options, Received, Recorder, observations};
use crate::report::statuses::Statuses;
use crate::service_config::ServiceConfig;
pub use crate::settings::LeavingBounds;
use crate::settings::{NodeNames, Openings, Settings, SharedRollout};
use crate::tasks::Tasks;
use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_modules::{ModuleLoader, SourceOptions};

pub use self::ended::Ended;
pub use crate::report::statuses::Budget;

/// How long a name of a cluster itself may fail after a change of its DNS: a restart of its pods takes less.
pub const TAKE_BACK_AFTER: Duration = Duration::from_secs(60);

/// How long tasks may take to end after they were told to.
const GRACE: Duration = Duration::from_secs(5);

/// What the service works with.
pub struct Service {
    /// The platform cluster.
    pub platform: kube::Client,
    /// How often its API server may be asked to write a status.
    pub statuses: Budget,
    /// Where the clusters' access comes from.
    pub inventory: Arc<dyn Inventory>,
    /// Whether we lead.
    pub leadership: Leadership,
    /// Where the store has who leads.
    pub leader_key: LeaderKey,
    /// Where the records are kept.
    pub store: Arc<dyn Store>,
    /// Where they lie in the store.
    pub prefix: Prefix,
    /// Runs policy modules.
    pub engine: Engine,
    /// Where policy modules may come from.
    pub sources: SourceOptions,
    /// Addresses of the central DNS server, as the clusters reach them; the first is probed. None while they are not known.
    pub upstreams: watch::Receiver<Vec<SocketAddr>>,
    /// The DNSServiceConfig that counts; `None` where there is none.
    pub config_name: Option<String>,
    /// How long a name of a cluster itself may fail after a change of its DNS, until that is taken back.
    pub take_back_after: Duration,
    /// How long a Cluster that is deleted may be held.
    pub leaving: LeavingBounds,
    /// Which clusters are to have agents; `None` where that is somebody else's.
    pub enrolment: Option<Enrolment>,
    /// The image of the service itself, for what it runs in clusters.
    pub own_image: String,
    /// Deploys the central DNS; `None` where that is somebody else's.
    pub deployer: Option<Deployment>,
    /// Lets agents in; `None` where no cluster has one.
    pub gate: Option<AgentGate>,
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
    /// Where a log of decisions is kept, if one is.
    pub decision_log: Option<DecisionLogOptions>,
    /// The page that shows all this, if one is served.
    pub page: Option<Page>,
}

/// Where external-dns in clusters records its names.
pub struct AgentGate {
    /// Where it comes to.
    pub listener: TcpListener,
    /// What the gate shows of itself, and who is who.
    pub inputs: Inputs,
    /// The clusters whose names are what their agents say.
    pub recorded: Recorded,
}

/// What deploys the central DNS.
pub struct Deployment {
    /// Does it.
    pub deployer: Deployer,
    /// Which etcd it has prepared.
    pub store: StoreAddress,
    /// The members of that one.
    pub etcd: Arc<dyn Membership>,
}

/// Requests to the platform's API server that are under way at once, beside watches: as many as a few people with kubectl.
/// It answers each within milliseconds, so a thousand clusters that come at once are done within seconds.
const REQUESTS_AT_ONCE: usize = 32;

/// Works until it is cancelled; hands over the lead then.
///
/// # Errors
/// When a part without which nothing works has ended: the others would look healthy and do nothing. And when the lead
/// is lost. All have ended then, as if it had been cancelled.
pub async fn run(service: Service, cancel: CancellationToken) -> Result<(), Ended> {
    let Service {
        platform,
        statuses: budget,
        inventory,
        leadership,
        leader_key,
        store,
        prefix,
        engine,
        sources,
        upstreams,
        config_name,
        take_back_after,
        leaving,
        enrolment,
        own_image,
        deployer,
        gate,
        pace,
        wildcards,
        metrics,
        readiness,
        journal,
        decision_log,
        page,
    } = service;
    let (tasks, mut panics) = Tasks::new();
    let platform = at_most(platform, REQUESTS_AT_ONCE);
    let mut parts = Parts::new(cancel.clone());
    parts.spawn("work beside the parts", async move { panics.passed_on().await });
    let (commands, commands_receiver) = mpsc::channel(256);
    let (observations, observations_receiver) = observations();
    let (reports, reports_receiver) = mpsc::channel(4096);

    let (store_events_sender, store_events) = mpsc::channel(256);
    let followed = Arc::clone(&store);
    parts.spawn("follower of the store", async move { followed.follow(store_events_sender).await });
    let root = Root::of(&leader_key);
    parts.spawn("fencing of the store", hold(leadership.clone(), Arc::clone(&store), leader_key));
    let measured = metrics.clone();
    parts.spawn("metric of the lead", leadership.clone().told_to(move |leads| measured.leads(leads)));
    let options = Options {
        prefix,
        reports,
        leadership: leadership.clone(),
        tasks: tasks.clone(),
        tells_decisions: decision_log.is_some(),
    };
    if let Some(options) = decision_log {
        parts.spawn("decision log", keep(options, journal.subscribe(), metrics.clone()));
    }
    let recorded =
        gate.as_ref().map_or_else(|| watch::channel(Some(BTreeSet::new())).1, |gate| gate.recorded.clone());
    let agents = Agents::new(Means {
        recorded,
        store: Arc::clone(&store),
        root,
        leadership: leadership.clone(),
        commands: commands.downgrade(),
        observations: observations.clone(),
        journal: journal.clone(),
    });
    if let Some(AgentGate { listener, inputs, .. }) = gate {
        parts.spawn("gate for agents", Gate::new(inputs, Arc::new(agents.clone())).serve(listener));
    }
    let recorder = Recorder::new(store, options);
    let received = Received { commands: commands_receiver, observations: observations_receiver };
    parts.spawn("recorder", recorder.run(received, store_events));
    let asked = commands.downgrade();
    readiness.ask("recorder", move || answers(asked.clone()).boxed());

    // Where nobody will ever say an address, nothing is probed.
    let is_asked = !upstreams.borrow().is_empty() || upstreams.has_changed().is_ok();
    let prober = is_asked.then(|| {
        let (results, results_receiver) = mpsc::channel(1024);
        let (prober, handle) = Prober::new(Central::new(upstreams.clone()), pace, results);
        parts.spawn("prober", prober.run());
        parts.spawn("journal of probes", note_probes(results_receiver, journal.clone()));
        handle
    });
    if let Some(page) = page {
        let (platform, commands, prober) = (platform.clone(), commands.downgrade(), prober.clone());
        let (leadership, journal) = (leadership.clone(), journal.subscribe());
        parts.spawn("page", page.serve(page::Means { platform, commands, prober, leadership, journal }));
    }
    parts.spawn("journal of reports", note_reports(reports_receiver, journal.clone(), prober.clone()));

    let (pods_sender, pods) = watch::channel(Vec::new());
    let servers = Servers::new(if deployer.is_some() { pods } else { upstreams.clone() });
    let (zones, zones_told) = watch::channel(None);
    let publisher = Publisher {
        zones: zones_told.clone(),
        addresses: upstreams.clone(),
        commands: commands.clone(),
        canary: deployer.is_some(),
    };
    parts.spawn("publisher of the service's own names", publisher.run());
    if let Some(Deployment { deployer, store, etcd }) = deployer {
        let (finding, canary) = watch::channel(None);
        let pods = DnsPods {
            platform: platform.clone(),
            namespace: deployer.namespace.clone(),
            zones: zones_told.clone(),
            commands: commands.clone(),
            finding,
            servers: pods_sender,
        };
        parts.spawn("canary of the DNS pods", leadership.clone().once_leading(pods.look_after()));
        let statuses = Statuses::new(platform.clone(), budget.clone());
        parts.spawn(
            "writer of the DNSServiceConfig's status",
            leadership.clone().once_leading(statuses.clone().write()),
        );
        let surroundings = Surroundings { store, etcd, zones: zones_told, canary, statuses };
        parts.spawn("deployment of the central DNS", deployer.run(surroundings, leadership.clone()));
    }
    let statuses = Statuses::new(platform.clone(), budget.clone());
    parts.spawn("writer of ClusterDNS", leadership.clone().once_leading(statuses.clone().write()));
    let of_policies = Statuses::new(platform.clone(), budget);
    let writer = leadership.clone().once_leading(of_policies.clone().write());
    parts.spawn("writer of policies' status", writer);

    if let Some(enrolment) = &enrolment {
        parts.spawn("enrolment of agents", enrolment.clone().keep(leadership.clone()));
    }
    let config = match config_name {
        Some(name) => {
            let (config, following) = ServiceConfig::follow(platform.clone(), name);
            parts.spawn("follower of the DNSServiceConfig", following);
            config
        }
        None => ServiceConfig::none(),
    };
    let settings = Settings {
        platform: platform.clone(),
        leadership: leadership.clone(),
        inventory,
        upstreams,
        config,
        take_back_after,
        leaving,
        openings: Openings::default(),
        rollout: SharedRollout::default(),
        enrolment,
        own_image,
        node_names: NodeNames::new(commands.clone()),
        zones,
        commands,
        agents,
        observations,
        statuses,
        prober,
        servers,
        journal,
        metrics,
        readiness,
        tasks: tasks.clone(),
        cancel: cancel.clone(),
    };
    let loader = ModuleLoader::new(engine, platform, sources);
    let started = LandscapeController::start(Arc::new(settings), loader, of_policies, wildcards);
    for (name, part) in started {
        parts.spawn(name, part);
    }

    let ended = tokio::select! {
        ended = parts.first_end() => ended.map(Ended::Part),
        lost = leadership.lost() => Some(Ended::Lead(lost)),
    };
    cancel.cancel();
    // The parts first: what they leave under way is a task.
    let all = async {
        parts.wait().await;
        tasks.ended().await;
    };
    if tokio::time::timeout(GRACE, all).await.is_err() {
        tracing::warn!("some tasks did not end in time");
    }
    leadership.release().await;
    ended.map_or(Ok(()), Err)
}

/// Whether the recorder answers a question, whatever the answer is.
async fn answers(commands: mpsc::WeakSender<Command>) -> bool {
    let Some(commands) = commands.upgrade() else { return false };
    let (sender, answer) = oneshot::channel();
    // No Cluster has an empty name.
    let question = Command::Summarise(ClusterId::new("", ""), sender);
    commands.send(question).await.is_ok() && answer.await.is_ok()
}
