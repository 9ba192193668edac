//! What went wrong with a request, and whether it was refused or not answered.

use std::error::Error as _;
use std::time::Duration;

use thiserror::Error;

use crate::connect::ConnectError;
use crate::{Refusal, StoreError};

/// What etcd says when a revision to read or watch is gone, or has not come yet.
const LOST_REVISIONS: [&str; 2] = ["required revision has been compacted", "required revision is a future"];

/// Why a request failed.
#[derive(Debug, Error)]
pub(super) enum Failure {
    /// etcd, or the way to it.
    #[error(transparent)]
    Etcd(#[from] etcd_client::Error),
    /// Nothing came.
    #[error("no answer within {} s", .0.as_secs())]
    NoAnswer(Duration),
    /// The connection could not be prepared again.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The revision to go on from is gone: everything has to be read.
    #[error("revisions were compacted before they could be read")]
    Compacted,
    /// The store is another one, or an older state of it.
    #[error("the store is another one than before, or was restored from a backup")]
    Restored,
    /// etcd ended the watch.
    #[error("etcd ended the watch: {0}")]
    WatchEnded(String),
}

/// An answer of etcd, or why there was none in time.
pub(super) async fn in_time<T>(
    limit: Duration,
    request: impl Future<Output = Result<T, etcd_client::Error>>,
) -> Result<T, Failure> {
    let answer = tokio::time::timeout(limit, request).await.map_err(|_| Failure::NoAnswer(limit))?;
    answer.map_err(|error| if is_lost(&error) { Failure::Compacted } else { Failure::Etcd(error) })
}

// tonic is no dependency of ours, so codes are compared by their numbers:
// https://grpc.github.io/grpc/core/md_doc_statuscodes.html
const INVALID_ARGUMENT: i32 = 3;
const PERMISSION_DENIED: i32 = 7;
const RESOURCE_EXHAUSTED: i32 = 8;
const FAILED_PRECONDITION: i32 = 9;
const OUT_OF_RANGE: i32 = 11;
const UNAUTHENTICATED: i32 = 16;

fn is_lost(error: &etcd_client::Error) -> bool {
    matches!(error, etcd_client::Error::GRpcStatus(status)
        if LOST_REVISIONS.iter().any(|lost| status.message().contains(lost)))
}

impl Failure {
    fn status(&self) -> Option<(i32, &str)> {
        match self {
            Self::Etcd(etcd_client::Error::GRpcStatus(status)) => {
                Some((i32::from(status.code()), status.message()))
            }
            _ => None,
        }
    }

    /// Whether an answer was larger than a message may be.
    pub(super) fn is_too_large(&self) -> bool {
        matches!(self.status(), Some((OUT_OF_RANGE | RESOURCE_EXHAUSTED, message)) if message.contains("larg"))
    }

    /// Whether no connection could be made, so that nothing was sent.
    pub(super) fn is_without_connection(&self) -> bool {
        let Self::Etcd(etcd_client::Error::GRpcStatus(status)) = self else { return false };
        let mut source = status.source();
        while let Some(error) = source {
            let refused = error
                .downcast_ref::<std::io::Error>()
                .is_some_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused);
            if refused {
                return true;
            }
            source = error.source();
        }
        false
    }

    /// Why etcd refuses a transaction; `None` where it is not known what became of it.
    fn refusal(&self) -> Option<Refusal> {
        let (code, message) = self.status()?;
        match code {
            INVALID_ARGUMENT if message.contains("too many operations") => Some(Refusal::TooManyOperations),
            INVALID_ARGUMENT | RESOURCE_EXHAUSTED | OUT_OF_RANGE if message.contains("large") => {
                Some(Refusal::TooLarge)
            }
            RESOURCE_EXHAUSTED if message.contains("space exceeded") => Some(Refusal::NoSpace),
            // Too many requests: it is not of this transaction.
            RESOURCE_EXHAUSTED => None,
            PERMISSION_DENIED | UNAUTHENTICATED => Some(Refusal::Permission),
            INVALID_ARGUMENT | FAILED_PRECONDITION => Some(Refusal::Other),
            _ => None,
        }
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure.refusal() {
            Some(refusal) => Self::Refused { refusal, source: failure.into() },
            None => Self::Unavailable { source: failure.into() },
        }
    }
}
