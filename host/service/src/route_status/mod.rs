//! Route status: writes into the status of routes what has become of their names.
//!
//! ```text
//! Recorder ──RouteNews──┐                              ┌──► status.parents of a route
//! Prober ──NameAnswers──┼──► RouteStatuses (core) ─────┤
//! DNS servers ──────────┘           ▲                  └──► every DNS server, once for a name
//!                                   └── what came of it
//! ```
//! One loop for a cluster, beside its controller: nobody waits for it, and what it writes wakes nobody but itself.

mod entries;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::expectation::Expectation;
use openmcp_dns_core::kinds::Kind;
use openmcp_dns_core::route_status::{RouteStatuses, Todo, WriteEnd, Writing};
use tokio::sync::{Notify, mpsc, oneshot, watch};

use crate::leadership::Leadership;
use crate::probe::{ProberHandle, Servers};
use crate::record::Command;
use crate::tasks::until;
use crate::watch::tell;
use entries::Entries;

pub use entries::{remove, with_entries};

/// Routes that the recorder is asked for at once.
const PAGE: usize = 256;

/// Says in the status of the routes of one cluster what has become of their names.
pub struct RouteStatusWriter {
    /// The cluster.
    pub cluster: ClusterId,
    /// The way into it, if there is one.
    pub client: watch::Receiver<Option<kube::Client>>,
    /// Who leads writes.
    pub leadership: Leadership,
    /// To the recorder, which knows the routes.
    pub commands: mpsc::Sender<Command>,
    /// Knows how names are answered; `None` where nobody asks.
    pub prober: Option<ProberHandle>,
    /// All DNS servers.
    pub servers: Servers,
    /// Something is known that was not.
    pub news: Arc<Notify>,
    /// Told why routes cannot be written; `None` when they can.
    pub trouble: watch::Sender<Option<String>>,
}

/// What came of something that there was to do.
enum Done {
    Written(Writing, WriteEnd, Option<String>),
    Asked(Arc<Expectation>, Result<(), String>),
}

impl RouteStatusWriter {
    /// Writes as long as it is polled.
    pub async fn run(mut self) {
        self.leadership.leading().await;
        let mut statuses = RouteStatuses::new(self.prober.is_some());
        let mut under_way: FuturesUnordered<BoxFuture<'static, Done>> = FuturesUnordered::new();
        let (mut entries, mut forbidden) = (None, BTreeMap::new());
        let mut has_more = true;
        loop {
            if has_more {
                has_more = self.learn(&mut statuses).await;
                if statuses.is_empty() {
                    forbidden.clear();
                    self.tell(&forbidden);
                }
            }
            self.begin(&mut statuses, &mut entries, &under_way);
            let wakes_at = entries.as_ref().and_then(|_| statuses.wakes_at(Instant::now()));
            tokio::select! {
                () = self.news.notified() => has_more = true,
                Some(done) = under_way.next() => self.done(&mut statuses, &mut forbidden, done),
                // An error says that there will never be another way.
                Ok(()) = self.client.changed() => {
                    entries = self.client.borrow_and_update().clone().map(Entries::new);
                }
                () = until(wakes_at) => {}
                () = std::future::ready(()), if has_more => {}
            }
        }
    }

    /// Asks what has changed; gives whether there may be more.
    async fn learn(&self, statuses: &mut RouteStatuses) -> bool {
        let (sender, news) = oneshot::channel();
        let asked = self.commands.send(Command::Routes(self.cluster.clone(), PAGE, sender)).await;
        // The recorder ends only with the service.
        let news = if asked.is_ok() { news.await.unwrap_or_default() } else { Vec::new() };
        let has_more = news.len() == PAGE;
        for news in news {
            statuses.news(news, Instant::now());
        }
        if let Some(prober) = self.prober.as_ref().filter(|_| !statuses.is_empty()) {
            for (name, answer) in prober.answers(&self.cluster, statuses.take_unknown_names()).await {
                statuses.answered(&name, answer);
            }
        }
        has_more
    }

    /// Begins what there is to do, as far as there is a way into the cluster.
    fn begin(
        &mut self,
        statuses: &mut RouteStatuses,
        entries: &mut Option<Entries>,
        under_way: &FuturesUnordered<BoxFuture<'static, Done>>,
    ) {
        if entries.is_none() {
            *entries = self.client.borrow_and_update().clone().map(Entries::new);
        }
        let Some(entries) = entries else { return };
        while let Some(todo) = statuses.next(Instant::now()) {
            under_way.push(match todo {
                Todo::Write(writing) => {
                    let entries = entries.clone();
                    async move {
                        let (end, why) = entries.write(&writing).await;
                        Done::Written(writing, end, why)
                    }
                    .boxed()
                }
                Todo::Ask(expectation) => {
                    let servers = self.servers.clone();
                    async move {
                        let result = servers.all_answer(&expectation).await;
                        Done::Asked(expectation, result)
                    }
                    .boxed()
                }
            });
        }
    }

    fn done(&self, statuses: &mut RouteStatuses, forbidden: &mut BTreeMap<Kind, String>, done: Done) {
        let now = Instant::now();
        let (writing, end, why) = match done {
            Done::Asked(expectation, result) => return statuses.asked(&expectation, result, now),
            Done::Written(writing, end, why) => (writing, end, why),
        };
        let kind = writing.source.kind;
        match (&end, why) {
            (WriteEnd::Forbidden, Some(why)) => drop(forbidden.entry(kind).or_insert(why)),
            (WriteEnd::Stands(_), _) => drop(forbidden.remove(&kind)),
            // It is tried again, after ever longer pauses.
            (_, Some(why)) => {
                tracing::debug!(cluster = %self.cluster, route = %writing.source, why, "unable to write a status");
            }
            (_, None) => {}
        }
        self.tell(forbidden);
        statuses.written(&writing, &end, now);
    }

    /// The same trouble is told once, whichever routes have it.
    fn tell(&self, forbidden: &BTreeMap<Kind, String>) {
        tell(&self.trouble, forbidden.values().next().cloned());
    }
}

impl Drop for RouteStatusWriter {
    fn drop(&mut self) {
        if let Some(prober) = &self.prober {
            prober.unfollow(&self.cluster);
        }
    }
}
