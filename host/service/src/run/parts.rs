//! Parts without which nothing works: where one ends, the process has to end, and be started again.

use std::collections::HashMap;

use thiserror::Error;
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::tasks::said;

/// A part has ended that nothing works without.
#[derive(Debug, Error)]
#[error("the service has failed: its {part} has ended ({why}); start it again, and report this as a bug")]
pub struct PartEnded {
    part: &'static str,
    why: String,
}

/// Parts without which nothing works.
pub(super) struct Parts {
    tasks: JoinSet<()>,
    names: HashMap<Id, &'static str>,
    cancel: CancellationToken,
}

impl Parts {
    /// The parts end when this is cancelled.
    pub(super) fn new(cancel: CancellationToken) -> Self {
        Self { tasks: JoinSet::new(), names: HashMap::new(), cancel }
    }

    /// Starts one.
    pub(super) fn spawn(&mut self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        let cancel = self.cancel.clone();
        let task =
            self.tasks.spawn(async move { cancel.run_until_cancelled_owned(work).await.unwrap_or(()) });
        self.names.insert(task.id(), name);
    }

    /// Waits for the first part that ends by itself; `None` when all were cancelled.
    pub(super) async fn first_end(&mut self) -> Option<PartEnded> {
        tokio::select! {
            biased;
            () = self.cancel.cancelled() => None,
            Some(ended) = self.tasks.join_next_with_id() => {
                let (id, why) = match ended {
                    Ok((id, ())) => (id, "without a reason".to_owned()),
                    Err(error) => (error.id(), reason(error)),
                };
                Some(PartEnded { part: self.names.get(&id).copied().unwrap_or_default(), why })
            }
        }
    }

    /// Waits until all have ended.
    pub(super) async fn wait(&mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

/// What a part that panicked has said.
fn reason(error: JoinError) -> String {
    error.try_into_panic().map_or_else(|_| "aborted".to_owned(), |panic| format!("panic: {}", said(&panic)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts() -> (Parts, CancellationToken) {
        let cancel = CancellationToken::new();
        let mut parts = Parts::new(cancel.clone());
        parts.spawn("prober", std::future::pending());
        (parts, cancel)
    }

    #[tokio::test]
    async fn a_part_that_panics_or_ends_is_named_with_the_reason() {
        let (mut panics, _) = parts();
        panics.spawn("recorder", async { panic!("index {} is out of bounds", 7) });
        let ended = panics.first_end().await.unwrap().to_string();
        assert!(ended.contains("its recorder has ended (panic: index 7 is out of bounds)"), "{ended}");

        let (mut ends, _) = parts();
        ends.spawn("landscape controller", async {});
        let ended = ends.first_end().await.unwrap().to_string();
        assert!(ended.contains("its landscape controller has ended (without a reason)"), "{ended}");
    }

    #[tokio::test]
    async fn parts_that_are_cancelled_end_without_a_fault() {
        let (mut parts, cancel) = parts();
        cancel.cancel();
        assert!(parts.first_end().await.is_none());
        parts.wait().await;
    }
}
