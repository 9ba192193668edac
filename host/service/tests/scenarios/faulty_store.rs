//! A store that can be away.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use openmcp_dns_core::leadership::{Leader, LeaderKey};
use openmcp_dns_core::plan::NamePlan;
use openmcp_dns_store::{Commit, Fence, Keep, MemoryStore, Store, StoreError, StoreEvent};
use tokio::sync::mpsc;

/// The store in memory as the service reaches it.
#[derive(Debug, Default)]
pub(crate) struct FaultyStore {
    pub(crate) memory: Arc<MemoryStore>,
    is_away: AtomicBool,
}

impl FaultyStore {
    /// Has it be away from now on, or be back.
    pub(crate) fn go_away(&self, is_away: bool) {
        self.is_away.store(is_away, Ordering::Relaxed);
        self.memory.cut(is_away);
    }

    fn store(&self) -> Result<&MemoryStore, StoreError> {
        if self.is_away.load(Ordering::Relaxed) {
            return Err(StoreError::Unavailable { source: "the test wants it".into() });
        }
        Ok(&self.memory)
    }
}

#[async_trait]
impl Store for FaultyStore {
    async fn leader(&self, key: &LeaderKey) -> Result<(Option<Leader>, Fence), StoreError> {
        self.store()?.leader(key).await
    }

    async fn lead(&self, over: &Fence, leader: &Leader) -> Result<Fence, StoreError> {
        self.store()?.lead(over, leader).await
    }

    async fn forget_leader(&self, fence: &Fence) -> Result<(), StoreError> {
        self.store()?.forget_leader(fence).await
    }

    async fn commit(&self, fence: &Fence, plans: &[NamePlan]) -> Result<Commit, StoreError> {
        self.store()?.commit(fence, plans).await
    }

    async fn kept(&self, below: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        self.store()?.kept(below).await
    }

    async fn keep(&self, fence: &Fence, changes: &[Keep]) -> Result<(), StoreError> {
        self.store()?.keep(fence, changes).await
    }

    async fn follow(&self, events: mpsc::Sender<StoreEvent>) {
        self.memory.follow(events).await;
    }
}
