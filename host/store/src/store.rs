//! What a store does.

use std::sync::Arc;

use async_trait::async_trait;
use openmcp_dns_core::leadership::{Leader, LeaderKey};
use openmcp_dns_core::mirror::{KeyValue, StoreEvent};
use openmcp_dns_core::plan::NamePlan;
use thiserror::Error;
use tokio::sync::mpsc;

/// etcd's default bound of operations in a transaction, and of what it compares (`--max-txn-ops`), without the leader
/// key that every transaction compares.
pub const MAX_OPERATIONS: usize = 127;

/// Who leads, as a token: what is written with it is refused as soon as somebody else does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fence {
    /// Where that stands.
    pub(crate) key: LeaderKey,
    /// At which revision it was written; 0: nobody has ever led.
    pub(crate) revision: i64,
}

/// What became of the plans of one transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commit {
    /// All changes were made, at this revision.
    Done(i64),
    /// A key was not at the revision that its plan expected; nothing was changed.
    Conflict,
}

/// Why a store refuses a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// See [`MAX_OPERATIONS`].
    #[error("it has too many operations; publish fewer values at the name")]
    TooManyOperations,
    /// See etcd's `--max-request-bytes`.
    #[error("it is too large; publish fewer or shorter values at the name")]
    TooLarge,
    /// See etcd's `--quota-backend-bytes`.
    #[error("the store has no space left; compact and defragment etcd, raise its quota, disarm the alarm")]
    NoSpace,
    /// Our user may not write there.
    #[error("it is not permitted; check the certificate, the user and the user's roles in etcd")]
    Permission,
    /// What the source says.
    #[error("see what the store says")]
    Other,
}

/// What the source of an error says.
pub(crate) type Source = Box<dyn std::error::Error + Send + Sync>;

/// Why plans could not be carried out.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The store answers, and refuses this transaction; nothing was changed.
    #[error("unable to write to the store, which refuses the transaction: {refusal}")]
    Refused {
        /// Why, as far as it is known.
        refusal: Refusal,
        /// What the store says.
        #[source]
        source: Source,
    },
    /// Somebody else leads than the fence says; nothing was changed.
    #[error("the store refuses the transaction: another leader writes to it now")]
    Fenced,
    /// It does not answer in time, or has no leader; it is not known whether the changes were made.
    #[error("unable to write to the store, which does not answer")]
    Unavailable {
        /// What was seen of it.
        #[source]
        source: Source,
    },
}

impl StoreError {
    /// Whether the store answers, and refuses this transaction.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused { .. })
    }
}

/// A change outside of all records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Where.
    pub key: String,
    /// What stands there from then on; `None`: nothing.
    pub value: Option<Vec<u8>>,
}

/// Keeps records.
#[async_trait]
pub trait Store: Send + Sync + 'static {
    /// Who leads, and the fence that holds as long as nobody else does.
    ///
    /// # Errors
    /// When the store refuses, or does not answer.
    async fn leader(&self, key: &LeaderKey) -> Result<(Option<Leader>, Fence), StoreError>;

    /// Writes who leads, if that has not changed since the fence was got; gives the new fence, and no other one holds
    /// any more.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when it has changed; when the store refuses, or does not answer.
    async fn lead(&self, over: &Fence, leader: &Leader) -> Result<Fence, StoreError>;

    /// Removes what says who leads, as if nobody ever had: the last that a service leaves behind.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when somebody else leads than the fence says; when the store refuses, or does not answer.
    async fn forget_leader(&self, fence: &Fence) -> Result<(), StoreError>;

    /// Makes all changes of all plans in one transaction, or none. The sum of changes is to be at most
    /// [`MAX_OPERATIONS`].
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when the fence does not hold any more; when the store refuses, or does not answer.
    async fn commit(&self, fence: &Fence, plans: &[NamePlan]) -> Result<Commit, StoreError>;

    /// What stands below a path outside of all records, which no DNS server reads; in order.
    ///
    /// # Errors
    /// When the store refuses, or does not answer.
    async fn kept(&self, below: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError>;

    /// Makes all of these changes there in one transaction, or none; at most [`MAX_OPERATIONS`].
    ///
    /// # Errors
    /// [`StoreError::Fenced`] when the fence does not hold any more; when the store refuses, or does not answer.
    async fn keep(&self, fence: &Fence, changes: &[Keep]) -> Result<(), StoreError>;

    /// Reports what the store holds and what changes, until nobody listens any more.
    async fn follow(&self, events: mpsc::Sender<StoreEvent>);
}

/// Reads everything once: the revision, and all keys in their order.
///
/// # Errors
/// With the first trouble. It waits for as long as the store does, so bound it in time.
pub async fn read_once(store: Arc<dyn Store>) -> Result<(i64, Vec<KeyValue>), String> {
    let (sender, mut events) = mpsc::channel(4);
    let read = async move {
        let mut entries = Vec::new();
        while let Some(event) = events.recv().await {
            match event {
                StoreEvent::Reading => entries.clear(),
                StoreEvent::Page(mut page) => entries.append(&mut page),
                StoreEvent::Read { revision, .. } => return Ok((revision, entries)),
                StoreEvent::Changed { .. } => {}
                StoreEvent::Trouble(message) => return Err(message),
            }
        }
        Err("following has ended".to_owned())
    };
    tokio::select! {
        read = read => read,
        // Never ends before `read`, which listens.
        () = store.follow(sender) => Err("following has ended".to_owned()),
    }
}
