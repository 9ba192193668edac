//! The loop around the machines of recording.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::recording::{
    self, Answer, ClusterCommand, Effect, Observation, Recording, Report, Summary, WriteResult, Written,
};
use openmcp_dns_core::skydns::Prefix;
use openmcp_dns_store::{Store, StoreEvent};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::deciders::Deciders;
use super::messages::{Command, Received};
use super::writes::Writes;
use crate::leadership::Leadership;
use crate::observe::{ObservationsReceiver, Taken};
use crate::tasks::{Tasks, until};

/// How much is taken together before anything is planned.
const BATCH: usize = 512;

/// For how long more is taken together: a cluster that reports large objects without end must not make a round long,
/// because every change of the others waits for some rounds.
const ROUND: Duration = Duration::from_millis(2);

/// How often the threads that ask modules are looked after.
const LOOK_AFTER: Duration = Duration::from_secs(1);

/// Settings of the recorder.
pub struct Options {
    /// Where the records lie in the store.
    pub prefix: Prefix,
    /// Where to tell what happens.
    pub reports: mpsc::Sender<Report>,
    /// While we do not lead, what would be written waits.
    pub leadership: Leadership,
    /// Waits for transactions that are under way at the end.
    pub tasks: Tasks,
    /// Whether somebody keeps a log of decisions, and is to be told of each.
    pub tells_decisions: bool,
}

/// Hands to the machines of recording what arrives, and carries out what follows.
pub struct Recorder {
    recording: Recording,
    deciders: Deciders,
    answers: mpsc::UnboundedReceiver<Answer>,
    writes: Writes,
    /// Who waits until a cluster is released.
    releases: HashMap<ClusterId, oneshot::Sender<()>>,
    reports: mpsc::Sender<Report>,
    /// Reports of the current round; sent at its end.
    outbox: Vec<Report>,
    /// Who asks for a summary; answered at the end of the round, when all that is known has been planned.
    asked: Vec<(ClusterId, oneshot::Sender<Summary>)>,
}

impl Recorder {
    /// Nothing is known yet.
    pub fn new(store: Arc<dyn Store>, options: Options) -> Self {
        let Options { prefix, reports, leadership, tasks, tells_decisions } = options;
        let (deciders, answers) = Deciders::new();
        let recording = Recording::new(prefix);
        Self {
            recording: if tells_decisions { recording.telling_decisions() } else { recording },
            deciders,
            answers,
            writes: Writes::new(store, leadership, tasks),
            releases: HashMap::new(),
            reports,
            outbox: Vec::new(),
            asked: Vec::new(),
        }
    }

    /// Works until all senders of commands are gone.
    pub async fn run(mut self, mut received: Received, mut store_events: mpsc::Receiver<StoreEvent>) {
        let mut look_after = tokio::time::interval(LOOK_AFTER);
        look_after.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            let due = self.recording.due(Instant::now().into_std());
            tokio::select! {
                biased;
                Some(event) = store_events.recv() => self.store_event(event),
                written = self.writes.next() => self.written(written),
                Some(answer) = self.answers.recv() => self.handle(recording::Input::Answer(answer)),
                command = received.commands.recv() => match command {
                    Some(command) => self.command(command),
                    None => return,
                },
                taken = received.observations.recv(), if self.recording.knows_the_store() => {
                    self.observation(taken, &mut received.observations);
                }
                () = until(due) => self.handle(recording::Input::Tick),
                _ = look_after.tick() => {
                    let used = self.recording.modules();
                    self.deciders.keep(|policy, role| used.contains(&(policy, role)));
                }
            }
            // Whatever else has arrived belongs to the same round, unless it takes long.
            let began = Instant::now();
            for _ in 0..BATCH {
                if began.elapsed() >= ROUND {
                    break;
                }
                if let Ok(event) = store_events.try_recv() {
                    self.store_event(event);
                } else if let Some(written) = self.writes.try_next() {
                    self.written(written);
                } else if let Ok(answer) = self.answers.try_recv() {
                    self.handle(recording::Input::Answer(answer));
                } else if let Ok(command) = received.commands.try_recv() {
                    self.command(command);
                } else if self.recording.knows_the_store()
                    && let Some(taken) = received.observations.try_recv()
                {
                    self.observation(taken, &mut received.observations);
                } else {
                    break;
                }
            }
            if due.is_some_and(|due| due <= Instant::now().into_std()) {
                // Whoever arrives all the time keeps nobody from what the time brings.
                self.handle(recording::Input::Tick);
            }
            let effects = self.recording.round(Instant::now().into_std());
            self.carry_out(effects);
            self.writes.begin();
            for (cluster, answer) in self.asked.drain(..) {
                // Nobody may be waiting any more.
                let _ = answer.send(self.recording.summary(&cluster, Instant::now().into_std()));
            }
            for report in std::mem::take(&mut self.outbox) {
                if self.reports.send(report).await.is_err() {
                    return;
                }
            }
        }
    }

    fn handle(&mut self, input: recording::Input) {
        let effects = self.recording.handle(input, Instant::now().into_std());
        self.carry_out(effects);
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Ask(job) => self.deciders.ask(job),
                Effect::Cancel(cluster, role) => self.deciders.cancel(&cluster, role),
                Effect::Write(plan) => self.writes.add(plan),
                Effect::Tell(report) => self.outbox.push(report),
                Effect::Released(cluster) => {
                    self.deciders.forget(&cluster);
                    if let Some(done) = self.releases.remove(&cluster) {
                        // Nobody may be waiting any more.
                        let _ = done.send(());
                    }
                }
            }
        }
    }

    fn command(&mut self, command: Command) {
        let (cluster, command) = match command {
            Command::Govern(cluster, policy) => (cluster, ClusterCommand::Govern(policy)),
            Command::LeaveZones(cluster, zones) => (cluster, ClusterCommand::LeaveZones(zones)),
            Command::Ungovern(cluster) => (cluster, ClusterCommand::Ungovern),
            Command::Release { cluster, zone, done } => {
                self.releases.insert(cluster.clone(), done);
                (cluster, ClusterCommand::Release { zone })
            }
            Command::Confirm(cluster, token) => (cluster, ClusterCommand::Confirm(token)),
            Command::Serve(wanted) => {
                self.handle(recording::Input::Serve(wanted));
                return;
            }
            Command::Expectation(name, answer) => {
                if self.recording.knows_the_store() {
                    // Nobody may be waiting any more.
                    let _ = answer.send(self.recording.expectation(&name));
                }
                return;
            }
            Command::Hosts { zone, patterns, answer } => {
                if let Some(hosts) = self.recording.hosts(&zone, &patterns) {
                    // Nobody may be waiting any more.
                    let _ = answer.send(hosts);
                }
                return;
            }
            Command::Owners(answer) => {
                if let Some(owners) = self.recording.owners() {
                    // Nobody may be waiting any more.
                    let _ = answer.send(owners);
                }
                return;
            }
            Command::Deciding(cluster, answer) => {
                // Nobody may be waiting any more.
                let _ = answer.send(self.recording.deciding(&cluster));
                return;
            }
            Command::Routes(cluster, most, answer) => {
                // As above.
                let _ = answer.send(self.recording.take_changed_routes(&cluster, most));
                return;
            }
            Command::Findings { cluster, known_epoch, again, most, answer } => {
                // As above.
                let _ = answer.send(self.recording.take_findings(&cluster, known_epoch, again, most));
                return;
            }
            Command::Look(look, answer) => {
                // As above.
                let _ = answer.send(self.recording.look(&look));
                return;
            }
            Command::Way(place, answer) => {
                // As above.
                let _ = answer.send(self.recording.way(&place));
                return;
            }
            Command::Held(most, answer) => {
                // As above.
                let _ = answer.send(self.recording.held(most));
                return;
            }
            Command::Summarise(cluster, answer) => {
                self.asked.push((cluster, answer));
                return;
            }
        };
        self.handle(recording::Input::Command(cluster, command));
    }

    fn observation(&mut self, taken: Taken, observations: &mut ObservationsReceiver) {
        let Taken { cluster, observation, is_free } = taken;
        if let Observation::Trouble(kind, message) = &observation {
            tracing::warn!(%cluster, kind = kind.as_str(), %message, "unable to watch");
        }
        let _ = self.recording.take_claims();
        self.handle(recording::Input::Observation(cluster.clone(), observation));
        if !is_free {
            observations.rest(&cluster, self.recording.take_claims());
        }
    }

    fn store_event(&mut self, event: StoreEvent) {
        if let StoreEvent::Trouble(message) = &event {
            tracing::warn!(%message, "unable to follow the store");
        }
        self.handle(recording::Input::Store(event));
    }

    fn written(&mut self, written: Vec<Written>) {
        for written in written {
            if let WriteResult::Refused(message) | WriteResult::Unavailable(message) = &written.result {
                tracing::warn!(name = %written.plan.name, %message, "unable to record");
            }
            self.handle(recording::Input::Written(written));
        }
    }
}
