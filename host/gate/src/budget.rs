//! What one agent may ask for, so that no other one waits for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use openmcp_dns_core::Bucket;
use openmcp_dns_core::agents::Refusal;
use openmcp_dns_core::cluster::ClusterId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Connections of one agent. external-dns has one; while it is replaced there are two.
pub(crate) const CONNECTIONS: usize = 8;

/// Requests under way of one agent, over all of its connections, until the last byte of the answer is sent. external-dns
/// asks one thing at a time; while it is replaced there are two. An answer has at most as many bytes as an agent may have.
const UNDER_WAY: usize = 2;

/// Small requests per second of one agent, on average: a new external-dns writes 10,000 names in less than a minute.
const PER_SECOND: u32 = 500;

/// What counts as one more request, in bytes asked and answered: a large answer takes us as long as many small ones. An
/// agent may have 2 MB a second of them, as much as 10,000 names are.
const BYTES: usize = 4 * 1024;

/// How many at once, as a multiple of those per second.
const BURST_SECONDS: u32 = 2;

/// How long a request may wait for its turn; external-dns gives up after 5 seconds.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Budgets of all agents that are connected.
#[derive(Default)]
pub(crate) struct Budgets(Mutex<HashMap<ClusterId, Arc<Budget>>>);

/// What is left for one agent.
pub(crate) struct Budget {
    connections: Arc<Semaphore>,
    under_way: Arc<Semaphore>,
    requests: Mutex<Bucket>,
}

/// A connection of an agent, as long as it is open.
pub(crate) struct Place {
    pub(crate) budget: Arc<Budget>,
    _permit: OwnedSemaphorePermit,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing here panics while it holds the lock.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Budgets {
    /// A place for one more connection; `None` when the agent has as many as it may. There are as many budgets as
    /// clusters that have ever been let in.
    pub(crate) fn connect(&self, cluster: &ClusterId) -> Option<Place> {
        let budget = Arc::clone(lock(&self.0).entry(cluster.clone()).or_insert_with(|| {
            Arc::new(Budget {
                connections: Arc::new(Semaphore::new(CONNECTIONS)),
                under_way: Arc::new(Semaphore::new(UNDER_WAY)),
                requests: Mutex::new(Bucket::full(PER_SECOND, BURST_SECONDS)),
            })
        }));
        let permit = Arc::clone(&budget.connections).try_acquire_owned().ok()?;
        Some(Place { budget, _permit: permit })
    }
}

impl Budget {
    /// Waits for its turn; the request is under way until the permit is dropped.
    pub(crate) async fn turn(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        let turn = async {
            let permit = Arc::clone(&self.under_way).acquire_owned().await;
            loop {
                let due = {
                    let (mut requests, now) = (lock(&self.requests), Instant::now());
                    if requests.take(now) {
                        break;
                    }
                    requests.due(now)
                };
                tokio::time::sleep_until(due.into()).await;
            }
            permit
        };
        let permit = tokio::time::timeout(LONGEST_WAIT, turn).await;
        // It is never closed.
        permit.ok().and_then(Result::ok).ok_or(Refusal::TooManyRequests)
    }

    /// So many bytes were asked or answered. Who had much waits before the next request.
    pub(crate) fn spend(&self, bytes: usize) {
        let requests = u32::try_from(bytes / BYTES).unwrap_or(u32::MAX);
        lock(&self.requests).owe(requests, Instant::now());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn an_agent_that_uses_up_what_it_may_waits_and_no_other_one_does() {
        let budgets = Budgets::default();
        let (noisy, quiet) = (ClusterId::new("c", "noisy"), ClusterId::new("c", "quiet"));
        let places: Vec<Place> = std::iter::from_fn(|| budgets.connect(&noisy)).collect();
        assert_eq!(places.len(), CONNECTIONS);
        let of_quiet = budgets.connect(&quiet).unwrap();
        let budget = &places[0].budget;
        let mut held = Vec::new();
        for _ in 0..UNDER_WAY {
            held.push(budget.turn().await.unwrap());
        }
        assert!(budget.turn().now_or_never().is_none(), "it waits");
        drop(of_quiet.budget.turn().await.unwrap());
        held.pop();
        drop(budget.turn().await.unwrap());
        drop(places);
        assert!(budgets.connect(&noisy).is_some());
    }

    #[tokio::test]
    async fn who_has_had_much_waits_before_the_next_request() {
        let (budgets, cluster) = (Budgets::default(), ClusterId::new("c", "greedy"));
        let place = budgets.connect(&cluster).unwrap();
        let burst = usize::try_from(PER_SECOND * BURST_SECONDS).unwrap();
        place.budget.spend(BYTES * burst / 2);
        drop(place.budget.turn().await.unwrap());
        place.budget.spend(BYTES * burst);
        assert!(place.budget.turn().now_or_never().is_none(), "it waits");
    }
}
