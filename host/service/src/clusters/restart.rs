//! Starts again what looks after a cluster when it fails.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt as _;
use openmcp_dns_core::cluster::ClusterId;
use tokio::time::Instant;

use crate::tasks::said;

/// How long to wait after a failure; doubles with each that follows soon.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// Has a life end, and begins another one where it panicked: a fault of ours that one cluster brings out
/// must not end the service for all others, nor leave that one without anybody.
pub(super) async fn again_after_panics<L: Future<Output = ()>>(
    cluster: &ClusterId,
    mut life: impl FnMut() -> L,
) {
    let mut pause = FIRST_PAUSE;
    loop {
        let began = Instant::now();
        let Err(panic) = AssertUnwindSafe(life()).catch_unwind().await else { return };
        if began.elapsed() > LONGEST_PAUSE {
            pause = FIRST_PAUSE;
        }
        tracing::error!(%cluster, panic = said(&panic), again_in_seconds = pause.as_secs(),
            "the controller of a cluster has failed, and is started again; report this as a bug");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_panics_is_started_again_and_who_ends_is_not() {
        let mut lives = 0;
        again_after_panics(&ClusterId::new("s", "w1"), || {
            lives += 1;
            let life = lives;
            async move { assert!(life > 1, "a bug") }
        })
        .await;
        assert_eq!(lives, 2);
    }
}
