//! The two stores, how each is written without us, and how each fails.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use async_trait::async_trait;
use etcd_client::{Client, Txn, TxnOp};
use futures::{StreamExt as _, TryStreamExt as _};
use openmcp_dns_core::leadership::{Leader, LeaderKey};
use openmcp_dns_core::plan::NamePlan;
use openmcp_dns_core::skydns::Prefix;
use openmcp_dns_store::{
    Commit, EtcdAddress, Fence, Keep, MAX_OPERATIONS, MemoryStore, Store, StoreError, StoreEvent,
    connect_etcd,
};
use openmcp_dns_tests::etcd::Etcd;
use tokio::sync::mpsc;

use crate::landscape::{Size, plans};

/// Transactions at once where nobody but the bench writes; more make it no faster.
const RAW_TRANSACTIONS: usize = 16;

/// Enough for a million names that are written three times, without a compaction.
const QUOTA: &str = "--quota-backend-bytes=8589934592";

/// Which store.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Memory,
    Etcd,
}

impl Kind {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Etcd => "etcd",
        }
    }
}

/// A store that can be stopped.
pub(crate) enum Place {
    Memory(Arc<MemoryStore>),
    // One of both for the whole run.
    Etcd(Box<Etcd>),
}

impl Place {
    /// An empty store.
    pub(crate) async fn open(kind: Kind, folder: &Path) -> anyhow::Result<Self> {
        Ok(match kind {
            Kind::Memory => Self::Memory(Arc::default()),
            Kind::Etcd => {
                std::fs::create_dir_all(folder)?;
                let etcd = Etcd::start_with("etcd", &[QUOTA], folder, folder).await?;
                Self::Etcd(Box::new(etcd))
            }
        })
    }

    /// For the service, with a count.
    pub(crate) async fn store(&self) -> anyhow::Result<Arc<Counted>> {
        let inner: Arc<dyn Store> = match self {
            Self::Memory(store) => store.clone(),
            Self::Etcd(etcd) => {
                let address =
                    EtcdAddress { endpoints: vec![etcd.endpoint.clone()], ..EtcdAddress::default() };
                connect_etcd(&address, Prefix::default()).await?
            }
        };
        Ok(Arc::new(Counted { inner, transactions: AtomicU64::new(0), names: AtomicU64::new(0) }))
    }

    /// It answers nobody any more.
    pub(crate) fn stop(&mut self) {
        match self {
            Self::Memory(store) => store.cut(true),
            Self::Etcd(etcd) => etcd.stop(),
        }
    }

    /// It answers again. What happened meanwhile the one in memory has forgotten, so that everything has to be
    /// read; etcd has not.
    pub(crate) async fn resume(&mut self) -> anyhow::Result<()> {
        match self {
            Self::Memory(store) => {
                store.compact();
                store.cut(false);
                Ok(())
            }
            Self::Etcd(etcd) => etcd.resume().await,
        }
    }

    /// Writes all keys in batches, as fast as the store takes them; gives the time and the transactions.
    pub(crate) async fn write_raw(&self, size: Size) -> anyhow::Result<(Duration, u64)> {
        let mut all = Vec::with_capacity(size.names);
        for cluster in size.clusters() {
            all.append(&mut plans(&cluster, size.names_per_cluster())?);
        }
        let batches: Vec<&[NamePlan]> = all.chunks(MAX_OPERATIONS).collect();
        let transactions = batches.len() as u64;
        let started = Instant::now();
        match self {
            Self::Memory(store) => {
                let (_, fence) = store.leader(&LeaderKey::of_platform("nobody")).await?;
                for batch in batches {
                    let commit = store.commit(&fence, batch).await?;
                    ensure!(matches!(commit, Commit::Done(_)), "the store was not empty");
                }
            }
            Self::Etcd(etcd) => {
                let client = etcd.client();
                let writes = futures::stream::iter(batches).map(|batch| write(client.clone(), batch));
                writes.buffer_unordered(RAW_TRANSACTIONS).try_collect::<Vec<()>>().await?;
            }
        }
        Ok((started.elapsed(), transactions))
    }
}

async fn write(mut client: Client, batch: &[NamePlan]) -> anyhow::Result<()> {
    let changes = batch.iter().flat_map(|plan| &plan.changes);
    let puts = changes.filter_map(|change| {
        let value = change.value.as_deref()?;
        Some(TxnOp::put(change.key.as_str(), value, None))
    });
    let puts: Vec<TxnOp> = puts.collect();
    client.txn(Txn::new().and_then(puts)).await?;
    Ok(())
}

/// A store that counts transactions.
pub(crate) struct Counted {
    inner: Arc<dyn Store>,
    transactions: AtomicU64,
    /// Names that were written, each as often as it was.
    names: AtomicU64,
}

impl Counted {
    /// Transactions since this was asked last.
    pub(crate) fn take(&self) -> u64 {
        self.transactions.swap(0, Ordering::Relaxed)
    }

    /// How many names have been written so far.
    pub(crate) fn names(&self) -> u64 {
        self.names.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Store for Counted {
    async fn leader(&self, key: &LeaderKey) -> Result<(Option<Leader>, Fence), StoreError> {
        self.inner.leader(key).await
    }

    async fn lead(&self, over: &Fence, leader: &Leader) -> Result<Fence, StoreError> {
        self.inner.lead(over, leader).await
    }

    async fn forget_leader(&self, fence: &Fence) -> Result<(), StoreError> {
        self.inner.forget_leader(fence).await
    }

    async fn commit(&self, fence: &Fence, plans: &[NamePlan]) -> Result<Commit, StoreError> {
        self.transactions.fetch_add(1, Ordering::Relaxed);
        let commit = self.inner.commit(fence, plans).await;
        if matches!(commit, Ok(Commit::Done(_))) {
            self.names.fetch_add(plans.len() as u64, Ordering::Relaxed);
        }
        commit
    }

    async fn kept(&self, below: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        self.inner.kept(below).await
    }

    async fn keep(&self, fence: &Fence, changes: &[Keep]) -> Result<(), StoreError> {
        self.inner.keep(fence, changes).await
    }

    async fn follow(&self, events: mpsc::Sender<StoreEvent>) {
        self.inner.follow(events).await;
    }
}
