//! The members of an etcd, and what is asked of it as a whole.

use async_trait::async_trait;

use crate::StoreError;

/// A member of etcd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its number.
    pub id: u64,
    /// Where the others reach it.
    pub peer_urls: Vec<String>,
    /// Whether it has no vote yet.
    pub is_learner: bool,
    /// Whether it has ever begun: it has told where clients reach it.
    pub has_begun: bool,
    /// How it is; `None` while it does not answer.
    pub status: Option<MemberStatus>,
}

/// What a member says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberStatus {
    /// Whether it leads.
    pub is_leader: bool,
    /// The size of its file.
    pub bytes: u64,
    /// How many of them are used.
    pub used_bytes: u64,
}

/// Looks after the members of an etcd.
#[async_trait]
pub trait Membership: Send + Sync + 'static {
    /// All members, each asked how it is.
    ///
    /// # Errors
    /// When etcd refuses, or does not answer.
    async fn list(&self) -> Result<Vec<Member>, StoreError>;

    /// A learner is to join, which the others reach at this URL.
    ///
    /// # Errors
    /// When etcd refuses, or does not answer.
    async fn add_learner(&self, peer_url: &str) -> Result<(), StoreError>;

    /// A learner gets a vote. Refused while it does not have all records.
    ///
    /// # Errors
    /// When etcd refuses, or does not answer.
    async fn promote(&self, id: u64) -> Result<(), StoreError>;

    /// A member leaves. Where it leads, another one does before.
    ///
    /// # Errors
    /// When etcd refuses, or does not answer.
    async fn remove(&self, id: u64) -> Result<(), StoreError>;

    /// A member gives back the space that it does not use. It does not answer meanwhile.
    ///
    /// # Errors
    /// When it refuses, or does not answer.
    async fn defragment(&self, id: u64) -> Result<(), StoreError>;
}
