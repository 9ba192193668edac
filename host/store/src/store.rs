//! Where the records are kept: etcd, or memory for the demo.

use async_trait::async_trait;
use openmcp_dns_core::mirror::StoreEvent;
use openmcp_dns_core::plan::NamePlan;
use thiserror::Error;
use tokio::sync::mpsc;

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
