//! Checks every recorded name with the central DNS server, and some of them again from time to time.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hickory_resolver::proto::rr::RecordType as WireType;
use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::record::RecordType;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;

use super::ask::{Answer, Asker};
use super::expectation::{Expectation, Verdict};

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

/// How one name was answered last.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Probe {
    expectation: Expectation,
    verdict: Option<Verdict>,
    answer: String,
}

/// What was answered last, by name.
#[derive(Clone, Debug, Default)]
pub struct Probes(Arc<Mutex<HashMap<HostName, Probe>>>);

/// How the names of a cluster are answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProbeCounts {
    /// Names that are answered as expected.
    pub matching: usize,
    /// Names that are answered otherwise.
    pub mismatching: usize,
    /// Names that got no answer.
    pub unanswered: usize,
    /// Names that have not been asked for yet.
    pub outstanding: usize,
    /// One of the names that are not answered as expected, and what was answered.
    pub example: Option<String>,
}

impl Probes {
    /// How the names of each cluster are answered.
    #[must_use]
    pub fn by_cluster(&self) -> BTreeMap<ClusterId, ProbeCounts> {
        let mut counts: BTreeMap<ClusterId, ProbeCounts> = BTreeMap::new();
        for probe in self.lock().values() {
            for cluster in &probe.expectation.clusters {
                let counts = counts.entry(cluster.clone()).or_default();
                match probe.verdict {
                    None => counts.outstanding += 1,
                    Some(Verdict::Match) => counts.matching += 1,
                    Some(Verdict::Mismatch) => counts.mismatching += 1,
                    Some(Verdict::NoAnswer) => counts.unanswered += 1,
                }
                if matches!(probe.verdict, Some(Verdict::Mismatch | Verdict::NoAnswer)) {
                    let Expectation { name, records, .. } = &probe.expectation;
                    let expected: Vec<&str> = records.values().flatten().map(String::as_str).collect();
                    let expected =
                        if expected.is_empty() { "nothing".to_owned() } else { expected.join(" ") };
                    counts.example = Some(format!("{name}: expected {expected}, got {}", probe.answer));
                }
            }
        }
        counts
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<HostName, Probe>> {
        // Every change is one insert or remove, so a panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the probe is still wanted: a newer expectation ends the old one's patience.
    fn is_current(&self, expectation: &Expectation) -> bool {
        self.lock().get(&expectation.name).is_some_and(|probe| probe.expectation == *expectation)
    }

    fn begin(&self, expectation: &Expectation) {
        let probe = Probe { expectation: expectation.clone(), verdict: None, answer: String::new() };
        self.lock().insert(expectation.name.clone(), probe);
    }

    fn end(&self, expectation: &Expectation, verdict: Verdict, answer: &Answer) {
        let mut probes = self.lock();
        let Some(probe) = probes.get_mut(&expectation.name) else { return };
        if probe.expectation != *expectation {
            return;
        }
        if verdict == Verdict::Match && expectation.records.is_empty() {
            // Withdrawn, and seen to be: nothing is left to ask for.
            probes.remove(&expectation.name);
        } else {
            probe.verdict = Some(verdict);
            probe.answer = answer.to_string();
        }
    }

    /// Names after `last` in some fixed order, for asking again.
    fn some_after(&self, last: Option<&HostName>) -> Vec<Expectation> {
        let probes = self.lock();
        let mut names: Vec<&HostName> = probes.keys().collect();
        names.sort_unstable();
        let start = last.map_or(0, |last| names.partition_point(|name| *name <= last));
        let names = names[start..].iter().chain(&names[..start]).take(AGAIN_NAMES);
        names
            .filter(|name| probes[**name].verdict.is_some())
            .map(|name| probes[*name].expectation.clone())
            .collect()
    }
}

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

/// Checks expectations against one DNS server.
pub struct Prober {
    asker: Asker,
    probes: Probes,
    permits: Arc<Semaphore>,
    results: mpsc::Sender<Probed>,
}

impl Prober {
    /// Prepares a prober; results are also sent one by one.
    #[must_use]
    pub fn new(asker: Asker, probes: Probes, results: mpsc::Sender<Probed>) -> Self {
        Self { asker, probes, permits: Arc::new(Semaphore::new(CONCURRENCY)), results }
    }

    /// Works until nobody sends expectations any more.
    pub async fn run(self, mut expectations: mpsc::Receiver<Expectation>) {
        let mut again = tokio::time::interval(AGAIN_INTERVAL);
        again.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let mut last_again = None;
        loop {
            tokio::select! {
                expectation = expectations.recv() => match expectation {
                    Some(expectation) => {
                        self.probes.begin(&expectation);
                        self.spawn(expectation);
                    }
                    None => return,
                },
                _ = again.tick() => {
                    for expectation in self.probes.some_after(last_again.as_ref()) {
                        last_again = Some(expectation.name.clone());
                        self.spawn(expectation);
                    }
                }
            }
        }
    }

    fn spawn(&self, expectation: Expectation) {
        let (asker, probes) = (self.asker.clone(), self.probes.clone());
        let (permits, results) = (Arc::clone(&self.permits), self.results.clone());
        tokio::spawn(async move {
            let started = Instant::now();
            // The semaphore is never closed.
            let _permit = permits.acquire().await;
            if let Some((verdict, answer)) = check(&asker, &probes, &expectation).await {
                probes.end(&expectation, verdict, &answer);
                let probed = Probed { expectation, verdict, answer, took: started.elapsed() };
                // Nobody may be listening any more.
                let _ = results.send(probed).await;
            }
        });
    }
}

/// Asks until the answers are as expected, or patience ends, or the expectation is outdated.
async fn check(asker: &Asker, probes: &Probes, expectation: &Expectation) -> Option<(Verdict, Answer)> {
    let deadline = Instant::now() + PATIENCE;
    let mut pause = FIRST_PAUSE;
    loop {
        if !probes.is_current(expectation) {
            return None;
        }
        let (verdict, answer) = check_once(asker, expectation).await;
        if verdict == Verdict::Match || Instant::now() >= deadline {
            return Some((verdict, answer));
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Asks every question once; gives the first answer that is not as expected.
pub(super) async fn check_once(asker: &Asker, expectation: &Expectation) -> (Verdict, Answer) {
    let mut last = (Verdict::Match, Answer::NoData);
    for record_type in expectation.questions() {
        let answer = asker.ask(expectation.name.as_str(), wire_type(record_type)).await;
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
