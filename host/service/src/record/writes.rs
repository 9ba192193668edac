//! Carries out plans: several names at a time, each name by one transaction at a time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use openmcp_dns_core::name::HostName;
use openmcp_dns_core::plan::NamePlan;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use openmcp_dns_store::{Commit, Store};

/// Transactions under way at once. etcd commits in batches, so some tens keep it busy; more only
/// make each of them slower.
const CONCURRENCY: usize = 64;

/// How long to wait before a name is planned anew after a failed transaction.
const RETRY_INTERVAL: Duration = Duration::from_millis(500);

/// How long to wait before a name is planned anew after somebody else changed it. The watch needs
/// a moment to show that change.
const CONFLICT_INTERVAL: Duration = Duration::from_millis(10);

/// The end of a transaction.
pub(super) struct Written {
    pub(super) plan: NamePlan,
    pub(super) result: WriteResult,
}

pub(super) enum WriteResult {
    /// Done at this revision.
    Done(i64),
    /// Not done: plan anew. The message says why, unless it was only somebody else's change.
    Again(Option<String>),
}

/// Transactions under way.
pub(super) struct Writes {
    store: Arc<dyn Store>,
    permits: Arc<Semaphore>,
    running: JoinSet<Written>,
    names: HashMap<HostName, Phase>,
    /// The revision that the mirror shows.
    seen: i64,
}

/// A name is not planned anew before the effect of its last transaction is seen in the mirror:
/// the guards would be outdated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Writing,
    AwaitingEcho(i64),
}

impl Writes {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            permits: Arc::new(Semaphore::new(CONCURRENCY)),
            running: JoinSet::new(),
            names: HashMap::new(),
            seen: 0,
        }
    }

    /// Whether the name has to wait, because its last transaction has not been seen yet.
    pub(super) fn is_busy(&self, name: &HostName) -> bool {
        self.names.contains_key(name)
    }

    pub(super) fn count(&self) -> usize {
        self.names.len()
    }

    /// Starts a transaction.
    pub(super) fn start(&mut self, plan: NamePlan) {
        self.names.insert(plan.name.clone(), Phase::Writing);
        let (store, permits) = (Arc::clone(&self.store), Arc::clone(&self.permits));
        self.running.spawn(async move {
            let committed = {
                // The semaphore is never closed.
                let _permit = permits.acquire().await;
                store.commit(&plan).await
            };
            let result = match committed {
                Ok(Commit::Done(revision)) => WriteResult::Done(revision),
                Ok(Commit::Conflict) => {
                    tokio::time::sleep(CONFLICT_INTERVAL).await;
                    WriteResult::Again(None)
                }
                Err(error) => {
                    tokio::time::sleep(RETRY_INTERVAL).await;
                    WriteResult::Again(Some(openmcp_dns_core::chain(&error)))
                }
            };
            Written { plan, result }
        });
    }

    /// The next transaction that ends; waits for ever while none is under way.
    pub(super) async fn next(&mut self) -> Written {
        loop {
            match self.running.join_next().await {
                Some(Ok(written)) => {
                    match written.result {
                        // The watch may be faster than the answer to the transaction.
                        WriteResult::Done(revision) if revision <= self.seen => {
                            self.names.remove(&written.plan.name);
                        }
                        WriteResult::Done(revision) => {
                            self.names.insert(written.plan.name.clone(), Phase::AwaitingEcho(revision));
                        }
                        WriteResult::Again(_) => {
                            self.names.remove(&written.plan.name);
                        }
                    }
                    return written;
                }
                // A panic in a store is a bug of ours; its name stays busy, the others go on.
                Some(Err(error)) => tracing::error!(%error, "a transaction panicked"),
                None => std::future::pending().await,
            }
        }
    }

    /// The mirror shows the store as of this revision.
    pub(super) fn seen(&mut self, revision: i64) {
        self.seen = revision;
        self.names.retain(|_, phase| !matches!(phase, Phase::AwaitingEcho(written) if *written <= revision));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use openmcp_dns_store::MemoryStore;

    fn plan() -> NamePlan {
        let name = "a.openmcp.cluster".parse().unwrap();
        NamePlan { name, changes: Vec::new(), withdrawn_from: BTreeSet::new(), foreign: Vec::new() }
    }

    #[tokio::test]
    async fn a_name_is_free_again_when_its_change_was_seen_before_or_after_the_answer() {
        let name = plan().name;
        for seen_first in [true, false] {
            let mut writes = Writes::new(Arc::new(MemoryStore::default()));
            writes.start(plan());
            assert!(writes.is_busy(&name));
            if seen_first {
                writes.seen(1);
            }
            assert!(matches!(writes.next().await.result, WriteResult::Done(1)));
            if !seen_first {
                assert!(writes.is_busy(&name));
                writes.seen(1);
            }
            assert!(!writes.is_busy(&name), "seen first: {seen_first}");
        }
    }
}
