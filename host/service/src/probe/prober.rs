//! Checks every recorded name with the central DNS server, and some of them again from time to time.
//!
//! ```text
//! Expectation ──ProberHandle──► Prober ──a task for each name──► DNS server
//!                                  │ ◄── verdict ──┘
//!                                  └──► Probed, ProbeCounts
//! ```
//! One loop owns what was answered last, so that counts and verdicts never disagree.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::proto::rr::RecordType as WireType;
use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::expectation::{Answer, Expectation, Verdict};
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::record::RecordType;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use super::ask::Asker;
use super::probes::{ProbeCounts, Probes};

/// How long a DNS server may take to answer with a new record before that counts as wrong. CoreDNS
/// needs a millisecond without its cache, and up to the negative TTL with it.
const PATIENCE: Duration = Duration::from_secs(10);

/// First pause between two questions for the same name; doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(2);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

/// Names that are asked for at once.
const CONCURRENCY: usize = 32;

/// How often names are asked for again, and how many of them each time: a server that lost its
/// store is noticed within seconds, and a hundred thousand names cost it seven questions a second.
const AGAIN_INTERVAL: Duration = Duration::from_secs(15);
const AGAIN_NAMES: usize = 100;

/// Commands that may wait.
const BACKLOG: usize = 1024;

/// The result of one check.
#[derive(Debug)]
pub struct Probed {
    /// What was checked.
    pub expectation: Expectation,
    /// Whether the answer is the expected one.
    pub verdict: Verdict,
    /// The last answer.
    pub answer: Answer,
    /// From the request to check until the verdict.
    pub took: Duration,
}

/// What the prober is told, and asked.
enum Command {
    Expect(Expectation),
    Count(ClusterId, oneshot::Sender<ProbeCounts>),
}

/// Reaches a prober. Clones reach the same one.
#[derive(Clone)]
pub struct ProberHandle(mpsc::Sender<Command>);

impl ProberHandle {
    /// From now on this is expected of the name. Waits while the prober has too much to do.
    pub async fn expect(&self, expectation: Expectation) {
        // The prober ends only with the service.
        let _ = self.0.send(Command::Expect(expectation)).await;
    }

    /// How the names of a cluster are answered.
    pub async fn counts(&self, cluster: &ClusterId) -> ProbeCounts {
        let (sender, counts) = oneshot::channel();
        // As above.
        let _ = self.0.send(Command::Count(cluster.clone(), sender)).await;
        counts.await.unwrap_or_default()
    }
}

/// Checks expectations against one DNS server.
pub struct Prober {
    asker: Asker,
    commands: mpsc::Receiver<Command>,
    results: mpsc::Sender<Probed>,
    probes: Probes,
    permits: Arc<Semaphore>,
    checks: JoinSet<Probed>,
    under_way: HashMap<HostName, AbortHandle>,
}

impl Prober {
    /// Prepares a prober and what reaches it; results are also sent one by one.
    #[must_use]
    pub fn new(asker: Asker, results: mpsc::Sender<Probed>) -> (Self, ProberHandle) {
        let (sender, commands) = mpsc::channel(BACKLOG);
        let prober = Self {
            asker,
            commands,
            results,
            probes: Probes::default(),
            permits: Arc::new(Semaphore::new(CONCURRENCY)),
            checks: JoinSet::new(),
            under_way: HashMap::new(),
        };
        (prober, ProberHandle(sender))
    }

    /// Works until nobody can reach it any more.
    pub async fn run(mut self) {
        let mut again = tokio::time::interval(AGAIN_INTERVAL);
        again.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let mut last_again = None;
        loop {
            tokio::select! {
                command = self.commands.recv() => match command {
                    Some(Command::Expect(expectation)) => {
                        self.probes.begin(&expectation);
                        self.check(expectation);
                    }
                    Some(Command::Count(cluster, counts)) => {
                        // Nobody may be waiting any more.
                        let _ = counts.send(self.probes.of_cluster(&cluster));
                    }
                    None => return,
                },
                // An error says that the check was ended for a newer one.
                Some(checked) = self.checks.join_next() => if let Ok(probed) = checked {
                    self.under_way.remove(&probed.expectation.name);
                    self.probes.end(&probed.expectation, probed.verdict, &probed.answer);
                    // Nobody may be listening any more.
                    let _ = self.results.send(probed).await;
                },
                _ = again.tick() => {
                    for expectation in self.probes.some_after(last_again.as_ref(), AGAIN_NAMES) {
                        last_again = Some(expectation.name.clone());
                        self.check(expectation);
                    }
                }
            }
        }
    }

    /// Begins a check; one of the same name that is under way is outdated.
    fn check(&mut self, expectation: Expectation) {
        let (asker, permits, name) =
            (self.asker.clone(), Arc::clone(&self.permits), expectation.name.clone());
        let started = Instant::now();
        let check = self.checks.spawn(async move {
            // The semaphore is never closed.
            let _permit = permits.acquire().await;
            let (verdict, answer) = check(&asker, &expectation).await;
            Probed { expectation, verdict, answer, took: started.elapsed() }
        });
        if let Some(outdated) = self.under_way.insert(name, check) {
            outdated.abort();
        }
    }
}

/// Asks until the answers are as expected, or patience ends.
async fn check(asker: &Asker, expectation: &Expectation) -> (Verdict, Answer) {
    let deadline = Instant::now() + PATIENCE;
    let mut pause = FIRST_PAUSE;
    loop {
        let (verdict, answer) = check_once(asker, expectation).await;
        if verdict == Verdict::Match || Instant::now() >= deadline {
            return (verdict, answer);
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Asks every question once; gives the first answer that is not as expected.
async fn check_once(asker: &Asker, expectation: &Expectation) -> (Verdict, Answer) {
    let mut last = (Verdict::Match, Answer::NoData);
    for record_type in expectation.questions() {
        let answer = asker.ask_through(expectation.name.as_str(), wire_type(record_type)).await;
        let verdict = expectation.judge(record_type, &answer);
        if verdict != Verdict::Match {
            return (verdict, answer);
        }
        last = (verdict, answer);
    }
    last
}

fn wire_type(record_type: RecordType) -> WireType {
    match record_type {
        RecordType::A => WireType::A,
        RecordType::Aaaa => WireType::AAAA,
        RecordType::Cname => WireType::CNAME,
        RecordType::Txt => WireType::TXT,
    }
}
