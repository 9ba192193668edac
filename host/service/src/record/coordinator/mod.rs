//! Owns all state of recording and turns every input into the changes it leads to.

mod claims;
mod following;
mod govern;
mod planning;
mod shadow;
mod summary;
#[cfg(test)]
mod tests;

use openmcp_dns_core::cluster_policy::ClusterPolicy;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::index::Index;
use openmcp_dns_core::mirror::Mirror;
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::settle::Conflict;
use openmcp_dns_core::skydns::Prefix;
use tokio::sync::mpsc;

use super::cluster::Cluster;
use super::decider::{Answer, Deciders, Role};
use super::held::Guard;
use super::memo::Memo;
use super::messages::{Input, Inputs, Report};
use super::writes::Writes;
use openmcp_dns_store::{Store, StoreEvent};

/// Inputs that are taken together before anything is planned.
const BATCH: usize = 512;

/// How often held deletions are looked at.
const TICK: Duration = Duration::from_secs(1);

/// Settings of the coordinator.
pub struct Options {
    /// Where the records lie in the store.
    pub prefix: Prefix,
    /// Where to tell what happens.
    pub reports: mpsc::Sender<Report>,
}

/// Owns all state of recording.
pub struct Recorder {
    mirror: Mirror,
    /// `false` until the store has been read once: nothing is planned before.
    mirrored: bool,
    store_trouble: Option<String>,
    clusters: BTreeMap<ClusterId, Cluster>,
    guards: BTreeMap<ClusterId, Guard>,
    index: Index,
    memo: Memo,
    deciders: Deciders,
    answers: mpsc::UnboundedReceiver<Answer>,
    /// Names to plan; the flag says that the reason is an inference, see `Withdrawal::inferred`.
    pending: BTreeMap<HostName, bool>,
    conflicts: HashMap<HostName, Vec<Conflict>>,
    writes: Writes,
    reports: mpsc::Sender<Report>,
    /// Reports of the current round; sent at its end.
    outbox: Vec<Report>,
}

impl Recorder {
    /// Prepares the coordinator and starts to follow the store.
    pub fn new(store: Arc<dyn Store>, options: Options) -> (Self, mpsc::Receiver<StoreEvent>) {
        let Options { prefix, reports } = options;
        let (events, store_events) = mpsc::channel(256);
        let followed = Arc::clone(&store);
        tokio::spawn(async move { followed.follow(events).await });
        let (deciders, answers) = Deciders::new();
        let coordinator = Self {
            mirror: Mirror::new(prefix),
            mirrored: false,
            store_trouble: None,
            clusters: BTreeMap::new(),
            guards: BTreeMap::new(),
            index: Index::default(),
            memo: Memo::default(),
            deciders,
            answers,
            pending: BTreeMap::new(),
            conflicts: HashMap::new(),
            writes: Writes::new(store),
            reports,
            outbox: Vec::new(),
        };
        (coordinator, store_events)
    }

    /// Works until all senders of inputs are gone.
    pub async fn run(mut self, mut inputs: Inputs, mut store_events: mpsc::Receiver<StoreEvent>) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                biased;
                Some(event) = store_events.recv() => self.store_event(event),
                written = self.writes.next() => self.written(written),
                Some(answer) = self.answers.recv() => self.answered(answer),
                input = inputs.inputs.recv() => match input {
                    Some(input) => self.input(input),
                    None => return,
                },
                // What stands published has to be known first: it stays where a module does not decide.
                Some((cluster, observation)) = inputs.observations.recv(), if self.mirrored => {
                    self.observation(&cluster, observation);
                }
                _ = tick.tick() => self.tick(),
            }
            // Whatever else has arrived belongs to the same round.
            for _ in 0..BATCH {
                if let Ok(event) = store_events.try_recv() {
                    self.store_event(event);
                } else if let Ok(answer) = self.answers.try_recv() {
                    self.answered(answer);
                } else if let Ok(input) = inputs.inputs.try_recv() {
                    self.input(input);
                } else if self.mirrored
                    && let Ok((cluster, observation)) = inputs.observations.try_recv()
                {
                    self.observation(&cluster, observation);
                } else {
                    break;
                }
            }
            self.plan_pending();
            self.finish_releases();
            for report in std::mem::take(&mut self.outbox) {
                if self.reports.send(report).await.is_err() {
                    return;
                }
            }
        }
    }

    fn input(&mut self, input: Input) {
        match input {
            Input::Govern(cluster, governance) => self.govern(&cluster, *governance),
            Input::Ungovern(id) => self.ungovern(&id),
            Input::Release { cluster, zone, done } => self.release(&cluster, zone, done),
            Input::Confirm(cluster, token) => {
                let names = self.guards.entry(cluster).or_default().confirm(&token);
                self.pending.extend(names.into_iter().map(|name| (name, true)));
            }
            Input::Summarise(cluster, answer) => {
                // Nobody may be waiting any more.
                let _ = answer.send(self.summary(&cluster));
            }
        }
    }

    fn tick(&mut self) {
        self.release_held();
        let mut used = BTreeSet::new();
        for cluster in self.clusters.values() {
            if let Some(next) = &cluster.next {
                used.insert((next.governance.policy_name.as_str(), Role::Coming));
            }
            if let Some(ClusterPolicy { policy_name, candidate, .. }) = &cluster.governance {
                used.insert((policy_name.as_str(), Role::Standing));
                if candidate.is_some() {
                    used.insert((policy_name.as_str(), Role::Candidate));
                }
            }
        }
        self.deciders.keep(|policy, role| used.contains(&(policy, role)));
    }
}
