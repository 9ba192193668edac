//! Checks every recorded name with the central DNS server, and some of them again from time to time.

use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::proto::rr::RecordType as WireType;
use openmcp_dns_core::expectation::{Answer, Expectation, Verdict};
use openmcp_dns_core::record::RecordType;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;

use super::ask::Asker;
use super::probes::Probes;

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
                    for expectation in self.probes.some_after(last_again.as_ref(), AGAIN_NAMES) {
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
