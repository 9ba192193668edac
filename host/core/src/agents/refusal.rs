//! Why the gate refuses what an agent asks, in etcd's own terms.

use thiserror::Error;

/// Why something is refused. The texts are etcd's (`api/v3rpc/rpctypes/error.go`), with a reason behind them where one
/// helps: external-dns logs them as they are.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// A request without a key.
    #[error("etcdserver: key is not provided")]
    NoKey,
    /// The agent may not do that.
    #[error("etcdserver: permission denied: {0}")]
    Permission(String),
    /// The request makes no sense, or what is written is not as external-dns writes it.
    #[error("etcdserver: invalid request: {0}")]
    Invalid(String),
    /// A key or a value is too long.
    #[error("etcdserver: request is too large")]
    TooLarge,
    /// The agent has as many keys, or bytes in them, as it may.
    #[error("etcdserver: mvcc: database space exceeded: {0}")]
    NoSpace(String),
    /// The agent asks more than it may.
    #[error("etcdserver: too many requests")]
    TooManyRequests,
    /// A transaction has too many operations.
    #[error("etcdserver: too many operations in txn request")]
    TooManyOperations,
    /// A transaction writes a key twice.
    #[error("etcdserver: duplicate key given in txn request")]
    DuplicateKey,
    /// An earlier state is asked for.
    #[error("etcdserver: mvcc: required revision has been compacted")]
    Compacted,
    /// A later state is asked for.
    #[error("etcdserver: mvcc: required revision is a future revision")]
    FutureRevision,
    /// A value shall end with a lease. No agent has one.
    #[error("etcdserver: requested lease not found")]
    NoLease,
    /// Not now, but perhaps later.
    #[error("etcdserver: unavailable: {0}")]
    NotNow(String),
}

impl Refusal {
    /// Whether it has nothing to do with what was asked: the same may be taken in a moment.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::NotNow(_) | Self::TooManyRequests)
    }
}
