//! Where the records are kept: etcd, or memory for the demo.

use async_trait::async_trait;
use openmcp_dns_core::plan::NamePlan;
use thiserror::Error;
use tokio::sync::mpsc;

/// One key with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyValue {
    /// The key.
    pub key: String,
    /// The value; `None` when the key is gone.
    pub value: Option<Vec<u8>>,
    /// Revision of the store at which it was written.
    pub mod_revision: i64,
}

/// What following a store reports.
#[derive(Clone, Debug)]
pub enum StoreEvent {
    /// Everything the store holds: the first read, or a new one after an interruption.
    Replaced {
        /// Revision of the store.
        revision: i64,
        /// All keys below the prefix.
        entries: Vec<KeyValue>,
    },
    /// Some keys have changed.
    Changed {
        /// Revision of the store.
        revision: i64,
        /// The keys, in the order of their changes.
        changes: Vec<KeyValue>,
    },
    /// The store does not answer; following goes on by itself.
    Trouble(String),
}

/// What became of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commit {
    /// All changes were made, at this revision.
    Done(i64),
    /// A key was not at the revision that the plan expected; nothing was changed.
    Conflict,
}

/// Why a plan could not be carried out.
#[derive(Debug, Error)]
pub enum StoreError {
    /// etcd did not answer, or refused.
    #[error("unable to write to etcd")]
    Etcd(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// etcd did not answer in time.
    #[error("unable to write to etcd: no answer within {0} s")]
    Timeout(u64),
}

/// Keeps records. Changes one name at a time, in one transaction that is guarded by revisions.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Makes all changes of a plan, or none.
    ///
    /// # Errors
    /// When the store does not answer or refuses; it is then not known whether the changes were made.
    async fn commit(&self, plan: &NamePlan) -> Result<Commit, StoreError>;

    /// Reports what the store holds and what changes, until nobody listens any more.
    async fn follow(&self, events: mpsc::Sender<StoreEvent>);
}
