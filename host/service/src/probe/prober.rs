//! Checks every recorded name with the central DNS server, and all of them again from time to time.
//!
//! ```text
//! Expectation ──ProberHandle──► Prober: probing says which name is due ──► DNS server
//!                                  │ ◄────────────── answer ───────────────┘
//!                                  └──► Probed, ProbeCounts
//! ```
//! The loop around [`openmcp_dns_core::probing`]: it has the clock and the sockets.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::expectation::{Answer, Expectation, Verdict};
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::probing::{Outcome, Pace, ProbeCounts, Probing, Question};
use openmcp_dns_core::route_status::NameAnswer;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

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
    Answers(ClusterId, BTreeSet<HostName>, oneshot::Sender<NameAnswers>),
    Unfollow(ClusterId),
}

/// How names are answered; `None` where nobody knows.
pub type NameAnswers = Vec<(HostName, Option<NameAnswer>)>;

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

    /// How names are answered: these, and those of a cluster of which that has changed since this was asked last for it.
    pub async fn answers(&self, cluster: &ClusterId, names: BTreeSet<HostName>) -> NameAnswers {
        let (sender, answers) = oneshot::channel();
        // As above.
        let _ = self.0.send(Command::Answers(cluster.clone(), names, sender)).await;
        answers.await.unwrap_or_default()
    }

    /// Nobody asks any more how the names of a cluster are answered.
    pub fn unfollow(&self, cluster: &ClusterId) {
        // Where it does not hear it, it keeps some names that it might forget.
        let _ = self.0.try_send(Command::Unfollow(cluster.clone()));
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
                    Some(Command::Answers(cluster, mut names, answers)) => {
                        names.append(&mut self.probing.take_news(&cluster));
                        // As above.
                        let _ = answers.send(names.into_iter().map(|name| self.answer(name)).collect());
                    }
                    Some(Command::Unfollow(cluster)) => self.probing.unfollow(&cluster),
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

    fn answer(&self, name: HostName) -> (HostName, Option<NameAnswer>) {
        let standing = self.probing.standing(&name);
        (name, standing.map(|(expectation, standing)| NameAnswer { expectation, standing }))
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
    let (verdict, answer) = central.check(&question.expectation).await;
    (question, verdict, answer)
}
