//! Open reports: what is denied or given up, as objects of OpenReports in the namespaces concerned.
//!
//! ```text
//! Recorder ──FindingsNews──► OpenReports (core) ──► Report in a namespace
//!                                 ▲      └────────► which of ours stand there, now and then
//!                                 └── what came of it
//! ```
//! One loop for a cluster, beside its controller, as for the status of routes: nobody waits for it.

mod reports;

use std::sync::Arc;
use std::time::Instant;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::open_reports::{FindingsNews, LookEnd, OpenReports, Standing, Todo, WriteEnd, Writing};
use openmcp_dns_core::recording::ReportsStanding;
use tokio::sync::{Notify, mpsc, oneshot, watch};

use crate::leadership::Leadership;
use crate::record::Command;
use crate::tasks::until;
use crate::watch::tell;
use reports::Reports;

pub use reports::{all, remove};

/// Reports what is found in the namespaces of one cluster.
pub struct ReportWriter {
    /// The cluster.
    pub cluster: ClusterId,
    /// The way into the cluster, if there is one.
    pub client: watch::Receiver<Option<kube::Client>>,
    /// Who leads writes.
    pub leadership: Leadership,
    /// To the recorder, which knows what is found.
    pub commands: mpsc::Sender<Command>,
    /// Something is known that was not.
    pub news: Arc<Notify>,
    /// Told how it stands.
    pub standing: watch::Sender<ReportsStanding>,
}

/// What came of something that there was to do.
enum Done {
    LookedOver(LookEnd, Option<String>),
    Written(Writing, WriteEnd, Option<String>),
}

impl ReportWriter {
    /// Writes as long as it is polled.
    pub async fn run(mut self) {
        self.leadership.leading().await;
        let mut machine = OpenReports::new(Instant::now());
        let mut under_way: FuturesUnordered<BoxFuture<'static, Done>> = FuturesUnordered::new();
        // Kept when the way is given up: what stands there has to go even then.
        let mut reports = self.client.borrow_and_update().clone().map(Reports::new);
        let (mut forbidden, mut is_news, mut has_more) = (None, true, false);
        loop {
            if std::mem::take(&mut is_news) || machine.room() > 0 && (has_more || machine.asks_again()) {
                has_more = self.learn(&mut machine).await;
            }
            if let Some(reports) = &reports {
                begin(&mut machine, reports, &under_way);
            }
            self.tell(&machine, forbidden.as_ref());
            let wakes_at = reports.as_ref().and_then(|_| machine.wakes_at(Instant::now()));
            tokio::select! {
                () = self.news.notified() => is_news = true,
                Some(done) = under_way.next() => self.done(&mut machine, &mut forbidden, done),
                // An error says that there will never be another way.
                Ok(()) = self.client.changed() => {
                    if let Some(client) = self.client.borrow_and_update().clone() {
                        reports = Some(Reports::new(client));
                        machine.is_reached_anew(Instant::now());
                    }
                }
                () = until(wakes_at) => {}
                () = std::future::ready(()), if machine.room() > 0 && (has_more || machine.asks_again()) => {}
            }
        }
    }

    /// Asks what has changed; gives whether there is more.
    async fn learn(&self, machine: &mut OpenReports) -> bool {
        let (answer, news) = oneshot::channel();
        let (cluster, known_epoch) = (self.cluster.clone(), machine.epoch());
        let (again, most) = (machine.take_again(), machine.room());
        let asked = Command::Findings { cluster, known_epoch, again, most, answer };
        let asked = self.commands.send(asked).await;
        // The recorder ends only with the service.
        let news = if asked.is_ok() { news.await.unwrap_or_default() } else { FindingsNews::default() };
        let has_more = news.has_more;
        machine.news(news, Instant::now());
        has_more
    }

    fn done(&self, machine: &mut OpenReports, forbidden: &mut Option<String>, done: Done) {
        let now = Instant::now();
        let (is_forbidden, is_good, why) = match done {
            Done::LookedOver(end, why) => {
                let told = (end == LookEnd::Forbidden, matches!(end, LookEnd::Found(_)), why);
                machine.looked_over(end, now);
                told
            }
            Done::Written(writing, end, why) => {
                let is_good = matches!(end, WriteEnd::Stands(_) | WriteEnd::Gone);
                let told = (end == WriteEnd::Forbidden, is_good, why);
                machine.written(&writing, end, now);
                told
            }
        };
        if is_good {
            *forbidden = None;
        }
        if let Some(why) = why {
            // It is tried again, after ever longer pauses.
            tracing::debug!(cluster = %self.cluster, why, "unable to write reports");
            if is_forbidden {
                forbidden.get_or_insert(why);
            }
        }
    }

    /// The same trouble is told once, whichever report has it.
    fn tell(&self, machine: &OpenReports, forbidden: Option<&String>) {
        let standing = match (machine.standing(), forbidden) {
            (_, Some(why)) if machine.are_wanted() => ReportsStanding::Incomplete(format!(
                "apply deploy/cluster-access.yaml to the cluster again, or set spec.report.openReports of the DNSPolicy \
                 to false ({why})"
            )),
            (Standing::NotServed, _) => ReportsStanding::NotServed,
            (Standing::TooMany, _) => ReportsStanding::Incomplete(
                "too many namespaces have names that are denied or given up, and some of them have no report"
                    .to_owned(),
            ),
            (Standing::Fine, _) => ReportsStanding::Fine,
        };
        tell(&self.standing, standing);
    }
}

/// Begins what there is to do.
fn begin(
    machine: &mut OpenReports,
    reports: &Reports,
    under_way: &FuturesUnordered<BoxFuture<'static, Done>>,
) {
    while let Some(todo) = machine.next(Instant::now()) {
        let reports = reports.clone();
        under_way.push(match todo {
            Todo::LookOver => async move {
                let (end, why) = reports.look_over().await;
                Done::LookedOver(end, why)
            }
            .boxed(),
            Todo::Write(writing) => async move {
                let (end, why) = reports.write(&writing).await;
                Done::Written(writing, end, why)
            }
            .boxed(),
        });
    }
}
