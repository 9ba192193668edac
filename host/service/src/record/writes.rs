//! Carries out plans: several names at a time.

use std::sync::Arc;
use std::time::Duration;

use openmcp_dns_core::plan::NamePlan;
use openmcp_dns_core::recording::{WriteResult, Written};
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

/// Transactions under way.
pub(super) struct Writes {
    store: Arc<dyn Store>,
    permits: Arc<Semaphore>,
    running: JoinSet<Written>,
}

impl Writes {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, permits: Arc::new(Semaphore::new(CONCURRENCY)), running: JoinSet::new() }
    }

    /// Starts a transaction.
    pub(super) fn start(&mut self, plan: NamePlan) {
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
                Some(Ok(written)) => return written,
                // A panic in a store is a bug of ours; its name stays busy, the others go on.
                Some(Err(error)) => tracing::error!(%error, "a transaction panicked"),
                None => std::future::pending().await,
            }
        }
    }
}
