//! The recorder as the service runs it, with the machine of probing behind it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::expectation::{Answer, Verdict};
use openmcp_dns_core::kinds::{Kind, Watched};
use openmcp_dns_core::leadership::LeaderKey;
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::objects::Change;
use openmcp_dns_core::probing::{Pace, Probing};
use openmcp_dns_core::recording::{Observation, WatchState};
use openmcp_dns_core::skydns::Prefix;
use openmcp_dns_service::leadership::{Leadership, hold};
use openmcp_dns_service::record::{Command, Options, Received, Recorder, Report, Summary, observations};
use openmcp_dns_service::tasks::Tasks;
use openmcp_dns_store::Store;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::landscape::{Size, TTL_SECONDS, policy};
use crate::stores::Counted;

/// After this long, something is broken, and no figure would mean anything.
const TOO_LONG: Duration = Duration::from_secs(1800);

/// The same for one change.
const TOO_LONG_FOR_ONE: Duration = Duration::from_secs(60);

/// Between two looks at a cluster that has not settled: seldom enough to cost nothing.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

type Observations = openmcp_dns_service::observe::Observations;

/// Who waits until a name is recorded.
type Waiting = Arc<Mutex<HashMap<HostName, oneshot::Sender<Instant>>>>;

/// A running recorder.
pub(crate) struct Running {
    pub(crate) store: Arc<Counted>,
    commands: mpsc::Sender<Command>,
    observations: Observations,
    waiting: Waiting,
    /// How often somebody has waited until all is settled.
    marks: AtomicU64,
    recorder: JoinHandle<()>,
}

impl Running {
    pub(crate) fn start(store: Arc<Counted>) -> Self {
        let (reports, told) = mpsc::channel::<Report>(1024);
        let (commands, received_commands) = mpsc::channel(256);
        let (observations, received) = observations();
        let waiting = Waiting::default();
        tokio::spawn(listen(told, Arc::clone(&waiting)));
        let kept: Arc<dyn Store> = store.clone();
        let (store_events, events) = mpsc::channel(64);
        let followed = Arc::clone(&kept);
        tokio::spawn(async move { followed.follow(store_events).await });
        let leadership = Leadership::alone("bench".to_owned());
        let key = LeaderKey::of_platform("bench");
        tokio::spawn(hold(leadership.clone(), Arc::clone(&kept), key));
        let options = Options {
            prefix: Prefix::default(),
            reports,
            leadership,
            tasks: Tasks::new().0,
            tells_decisions: false,
        };
        let recorder = Recorder::new(kept, options);
        let received = Received { commands: received_commands, observations: received };
        let recorder = tokio::spawn(recorder.run(received, events));
        Self { store, commands, observations, waiting, marks: AtomicU64::new(0), recorder }
    }

    /// Ends it, as a restart of the service does.
    pub(crate) async fn end(self) -> anyhow::Result<()> {
        let Self { commands, recorder, .. } = self;
        drop(commands);
        recorder.await.context("the recorder failed")
    }

    /// Puts all clusters under one policy.
    pub(crate) async fn govern(&self, size: Size, digest: &str, ttl_seconds: u32) -> anyhow::Result<()> {
        for cluster in size.clusters() {
            let policy = policy(&cluster, digest, ttl_seconds)?;
            self.command(Command::Govern(cluster, Box::new(policy))).await?;
        }
        Ok(())
    }

    /// Takes a cluster out of the names that others have as well, or brings it back.
    pub(crate) async fn evacuate(&self, cluster: &ClusterId, is_evacuated: bool) -> anyhow::Result<()> {
        let mut policy = policy(cluster, "first", TTL_SECONDS)?;
        policy.precedence.is_evacuated = is_evacuated;
        self.command(Command::Govern(cluster.clone(), Box::new(policy))).await
    }

    /// Waits until so many names have been written in all.
    pub(crate) async fn written(&self, names: u64) -> anyhow::Result<()> {
        let started = Instant::now();
        while self.store.names() < names {
            ensure!(started.elapsed() < TOO_LONG, "{} of {names} names are written", self.store.names());
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
        Ok(())
    }

    /// These are all objects of a cluster.
    pub(crate) async fn list(&self, cluster: &ClusterId, ingresses: Vec<Watched>) -> anyhow::Result<()> {
        let mut ingresses = Some(ingresses);
        for kind in Kind::ALL {
            let all = if kind == Kind::Ingress { ingresses.take().unwrap_or_default() } else { Vec::new() };
            self.observe(cluster, Change::Replaced(kind, all)).await?;
        }
        Ok(())
    }

    pub(crate) async fn observe(&self, cluster: &ClusterId, change: Change) -> anyhow::Result<()> {
        let sent = self.observations.send((cluster.clone(), Observation::Change(change))).await;
        ensure!(sent.is_ok(), "the recorder has ended");
        Ok(())
    }

    /// Where somebody else reports.
    pub(crate) fn observations(&self) -> Observations {
        self.observations.clone()
    }

    /// Changes an object, and gives how long it took until its name was recorded.
    pub(crate) async fn change(
        &self,
        cluster: &ClusterId,
        object: Watched,
        name: HostName,
    ) -> anyhow::Result<Duration> {
        let (sender, recorded) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(name, sender);
        let started = Instant::now();
        self.observe(cluster, Change::Set(object)).await?;
        let recorded = tokio::time::timeout(TOO_LONG_FOR_ONE, recorded).await;
        let recorded = recorded.with_context(|| format!("a change in {cluster} is never recorded"))?;
        Ok(recorded.context("the recorder has ended")?.duration_since(started))
    }

    /// Waits until every cluster has published all of its names, nothing is open, and nothing that was observed before
    /// has still to be looked at: what a cluster reports rests now and then.
    pub(crate) async fn settled(&self, size: Size) -> anyhow::Result<()> {
        let started = Instant::now();
        let mark = format!("mark {}", self.marks.fetch_add(1, Ordering::Relaxed));
        for cluster in size.clusters() {
            // Ingresses do not depend on Gateways, so nothing follows from this but that it is told.
            let trouble = Observation::Trouble(Kind::Gateway, mark.clone());
            ensure!(self.observations.send((cluster, trouble)).await.is_ok(), "the recorder has ended");
        }
        let mark = WatchState::Trouble(mark);
        for cluster in size.clusters() {
            loop {
                let summary = self.summary(&cluster).await?;
                if summary.watches.get(&Kind::Gateway) == Some(&mark)
                    && summary.published == size.names_per_cluster()
                    && summary.pending == 0
                {
                    break;
                }
                ensure!(started.elapsed() < TOO_LONG, "{cluster} does not settle: {summary:#?}");
                tokio::time::sleep(LOOK_INTERVAL).await;
            }
        }
        Ok(())
    }

    async fn summary(&self, cluster: &ClusterId) -> anyhow::Result<Summary> {
        let (sender, answer) = oneshot::channel();
        self.command(Command::Summarise(cluster.clone(), sender)).await?;
        answer.await.context("the recorder has ended")
    }

    async fn command(&self, command: Command) -> anyhow::Result<()> {
        let sent = self.commands.send(command).await;
        ensure!(sent.is_ok(), "the recorder has ended");
        Ok(())
    }
}

/// Has every recorded name probed, by a server that answers rightly at once.
async fn listen(mut told: mpsc::Receiver<Report>, waiting: Waiting) {
    let (mut probing, began) = (Probing::new(Pace::default()), Instant::now());
    loop {
        let wakes_at = probing.wakes_at().map(|at| tokio::time::Instant::from_std(began + at));
        tokio::select! {
            report = told.recv() => match report {
                Some(Report::Recorded { expectation, revision }) => {
                    let waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
                    if revision.is_some() && let Some(waiting) = { waiting }.remove(&expectation.name) {
                        // Whoever waited has given up.
                        let _ = waiting.send(Instant::now());
                    }
                    probing.expect(expectation, began.elapsed());
                }
                Some(_) => {}
                None => return,
            },
            () = async {
                match wakes_at {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            } => {}
        }
        while let Some(question) = probing.next(began.elapsed()) {
            probing.answered(&question, Verdict::Match, &Answer::NoData, began.elapsed());
        }
    }
}
