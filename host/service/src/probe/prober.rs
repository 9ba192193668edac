//! Checks every recorded name with the central DNS server, and all of them again from time to time.
//!
//! ```text
//! Expectation ──ProberHandle──► Prober: probing says which name is due ──► DNS server
//!                                  │ ◄────────────── answer ───────────────┘
//!                                  └──► Probed, ProbeCounts
//! ```
//! The loop around [`openmcp_dns_core::probing`]: it has the clock and the sockets.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::expectation::{Answer, Expectation, Verdict};
use openmcp_dns_core::probing::{Outcome, Pace, ProbeCounts, Probing, Question};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::ask::wire_type;
use super::central::Central;

/// Commands that may wait.
const BACKLOG: usize = 1024;

/// The result of one check.
#[derive(Debug)]
pub struct Probed {
    /// What was checked.
    pub expectation: Arc<Expectation>,
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

/// Checks expectations against the central DNS server.
pub struct Prober {
    central: Central,
    commands: mpsc::Receiver<Command>,
    results: mpsc::Sender<Probed>,
    probing: Probing,
    /// From where the machine's time counts.
    began: Instant,
}

impl Prober {
    /// Prepares a prober and what reaches it; results are also sent one by one.
    #[must_use]
    pub fn new(central: Central, pace: Pace, results: mpsc::Sender<Probed>) -> (Self, ProberHandle) {
        let (sender, commands) = mpsc::channel(BACKLOG);
        let (probing, began) = (Probing::new(pace), Instant::now());
        (Self { central, commands, results, probing, began }, ProberHandle(sender))
    }

    /// Works until nobody can reach it any more.
    pub async fn run(mut self) {
        let mut checks = FuturesUnordered::new();
        loop {
            while let Some(question) = self.probing.next(self.began.elapsed()) {
                checks.push(checked(self.central.clone(), question));
            }
            let due = self.due();
            tokio::select! {
                command = self.commands.recv() => match command {
                    Some(Command::Expect(expectation)) => {
                        self.probing.expect(expectation, self.began.elapsed());
                    }
                    Some(Command::Count(cluster, counts)) => {
                        // Nobody may be waiting any more.
                        let _ = counts.send(self.probing.counts(&cluster));
                    }
                    None => return,
                },
                Some((question, verdict, answer)) = checks.next() => {
                    let outcome =
                        self.probing.answered(&question, verdict, &answer, self.began.elapsed());
                    if let Outcome::Said { verdict, took } = outcome {
                        let Question { expectation, .. } = question;
                        // Nobody may be listening any more.
                        let _ = self.results.send(Probed { expectation, verdict, answer, took }).await;
                    }
                },
                () = due => {}
            }
        }
    }

    /// Waits until a question may be due.
    fn due(&self) -> impl Future<Output = ()> + use<> {
        let at = self.probing.wakes_at().map(|at| self.began + at);
        async move {
            match at {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        }
    }
}

async fn checked(central: Central, question: Question) -> (Question, Verdict, Answer) {
    let (verdict, answer) = check_once(&central, &question.expectation).await;
    (question, verdict, answer)
}

/// Asks every question once; gives the first answer that is not as expected.
async fn check_once(central: &Central, expectation: &Expectation) -> (Verdict, Answer) {
    let mut last = (Verdict::Match, Answer::NoData);
    for record_type in expectation.questions() {
        let answer = central.ask_through(expectation.name.as_str(), wire_type(record_type)).await;
        let verdict = expectation.judge(record_type, &answer);
        if verdict != Verdict::Match {
            return (verdict, answer);
        }
        last = (verdict, answer);
    }
    last
}
