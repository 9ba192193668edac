//! Carries out plans: several transactions at a time, and several names in each where many wait.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use openmcp_dns_core::plan::NamePlan;
use openmcp_dns_core::recording::{WriteResult, Written};
use openmcp_dns_store::{Commit, Fence, MAX_OPERATIONS, Store, StoreError};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::leadership::Leadership;
use crate::tasks::Tasks;

/// Transactions under way at once. etcd commits what comes together in one batch, so some keep it busy;
/// more only make each of them slower.
const TRANSACTIONS: usize = 16;

/// How long to wait before a name is planned anew after a failed transaction.
const RETRY_INTERVAL: Duration = Duration::from_millis(500);

/// How long to wait before a name is planned anew after somebody else changed it. The watch needs
/// a moment to show that change.
const CONFLICT_INTERVAL: Duration = Duration::from_millis(10);

/// Transactions under way, and plans that wait for one.
pub(super) struct Writes {
    store: Arc<dyn Store>,
    leadership: Leadership,
    fences: watch::Receiver<Option<Fence>>,
    /// Waits for what is under way when this is dropped.
    tasks: Tasks,
    waiting: VecDeque<NamePlan>,
    running: JoinSet<Vec<Written>>,
    /// What failed, until it is time to plan it anew.
    resting: JoinSet<Vec<Written>>,
}

impl Writes {
    pub(super) fn new(store: Arc<dyn Store>, leadership: Leadership, tasks: Tasks) -> Self {
        Self {
            store,
            fences: leadership.fences(),
            leadership,
            tasks,
            waiting: VecDeque::new(),
            running: JoinSet::new(),
            resting: JoinSet::new(),
        }
    }

    /// Takes a plan; [`Self::begin`] has it carried out.
    pub(super) fn add(&mut self, plan: NamePlan) {
        self.waiting.push_back(plan);
    }

    /// Begins as many transactions as may be under way, if we may write. What waits is shared out among them: one name
    /// goes alone and at once, and a thousand take a few transactions.
    pub(super) fn begin(&mut self) {
        let Some(fence) = self.leadership.fence() else { return };
        while self.running.len() < TRANSACTIONS && !self.waiting.is_empty() {
            let share = self.waiting.len().div_ceil(TRANSACTIONS - self.running.len());
            let mut plans: Vec<NamePlan> = Vec::new();
            let mut operations = 0;
            while let Some(plan) = self.waiting.front()
                && (plans.is_empty()
                    || plans.len() < share && operations + plan.changes.len() <= MAX_OPERATIONS)
            {
                operations += plan.changes.len();
                plans.extend(self.waiting.pop_front());
            }
            let pen = Pen {
                store: Arc::clone(&self.store),
                leadership: self.leadership.clone(),
                fence: fence.clone(),
            };
            self.running.spawn(async move { pen.commit(plans).await });
        }
    }

    /// The next transactions that end. When we may write after we might not, also what waited meanwhile, as if somebody
    /// had written it: that is what the one did who led, and it is planned anew.
    pub(super) async fn next(&mut self) -> Vec<Written> {
        loop {
            let ended = tokio::select! {
                Some(ended) = self.running.join_next() => ended,
                Some(ended) = self.resting.join_next() => match ended {
                    Ok(written) => return written,
                    Err(_) => continue,
                },
                Ok(()) = self.fences.changed() => {
                    if self.fences.borrow_and_update().is_none() {
                        continue;
                    }
                    let stale = self.waiting.drain(..);
                    return stale.map(|plan| Written { plan, result: WriteResult::Conflict }).collect();
                }
            };
            let written = self.ended(ended);
            if !written.is_empty() {
                return written;
            }
        }
    }

    /// Transactions that have ended already.
    pub(super) fn try_next(&mut self) -> Option<Vec<Written>> {
        if let Some(Ok(rested)) = self.resting.try_join_next() {
            return Some(rested);
        }
        let ended = self.running.try_join_next()?;
        Some(self.ended(ended))
    }

    fn ended(&mut self, ended: Result<Vec<Written>, tokio::task::JoinError>) -> Vec<Written> {
        // Only a cancelled task fails: see `commit`.
        let (done, failed): (Vec<Written>, Vec<Written>) = ended
            .unwrap_or_default()
            .into_iter()
            .partition(|written| matches!(written.result, WriteResult::Done(_)));
        let (conflicts, failed): (Vec<Written>, Vec<Written>) =
            failed.into_iter().partition(|written| matches!(written.result, WriteResult::Conflict));
        for (those, time) in [(conflicts, CONFLICT_INTERVAL), (failed, RETRY_INTERVAL)] {
            if !those.is_empty() {
                self.resting.spawn(async move {
                    tokio::time::sleep(time).await;
                    those
                });
            }
        }
        self.begin();
        done
    }
}

impl Drop for Writes {
    /// Nothing new begins, and what is under way ends before somebody else may lead.
    fn drop(&mut self) {
        let running = std::mem::take(&mut self.running);
        if !running.is_empty() {
            self.tasks.spawn(running.join_all());
        }
    }
}

/// What one transaction is written with.
struct Pen {
    store: Arc<dyn Store>,
    leadership: Leadership,
    fence: Fence,
}

impl Pen {
    /// Carries out plans in one transaction; each in one of its own where that is refused.
    async fn commit(&self, plans: Vec<NamePlan>) -> Vec<Written> {
        let result = self.attempt(&plans).await;
        let is_refused = matches!(result, WriteResult::Conflict | WriteResult::Refused(_));
        if !is_refused || plans.len() == 1 {
            return plans.into_iter().map(|plan| Written { plan, result: result.clone() }).collect();
        }
        let mut written = Vec::with_capacity(plans.len());
        for plan in plans {
            let result = self.attempt(std::slice::from_ref(&plan)).await;
            written.push(Written { plan, result });
        }
        written
    }

    async fn attempt(&self, plans: &[NamePlan]) -> WriteResult {
        // The store would refuse it. Who was stopped for long enough need not even ask.
        if self.leadership.fence().as_ref() != Some(&self.fence) {
            return WriteResult::Conflict;
        }
        // A panic in a store is a bug of ours; its names are tried again, and nobody else suffers.
        match AssertUnwindSafe(self.store.commit(&self.fence, plans)).catch_unwind().await {
            Ok(Ok(Commit::Done(revision))) => WriteResult::Done(revision),
            Ok(Ok(Commit::Conflict)) => WriteResult::Conflict,
            Ok(Err(StoreError::Fenced)) => {
                self.leadership.refused(&self.fence);
                WriteResult::Conflict
            }
            Ok(Err(error)) if error.is_refusal() => WriteResult::Refused(openmcp_dns_core::chain(&error)),
            Ok(Err(error)) => WriteResult::Unavailable(openmcp_dns_core::chain(&error)),
            Err(_) => {
                WriteResult::Unavailable("the service failed while it wrote; its log says why".to_owned())
            }
        }
    }
}
