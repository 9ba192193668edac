//! Has the store know who leads, before anything else is written to it.

use std::sync::Arc;
use std::time::Duration;

use openmcp_dns_core::chain;
use openmcp_dns_core::leadership::{Claim, Leader, LeaderKey, claim};
use openmcp_dns_store::{Fence, Store, StoreError};

use super::{Leadership, Standing};

/// How long to wait before trying again what the store did not answer.
const RETRY: Duration = Duration::from_millis(250);

/// What came of an attempt to lead in the store.
enum Taken {
    /// Everything written with this fence is ours.
    Leads(Fence),
    /// Somebody of a later term stands there, or of the same.
    Behind(Leader),
}

/// Leads in the store as soon as we lead, and again when the store has forgotten it; never ends.
pub async fn hold(leadership: Leadership, store: Arc<dyn Store>, key: LeaderKey) {
    let mut standing = leadership.0.standing.subscribe();
    // Whether somebody of a later term has come after us, or was there before.
    let mut has_led = false;
    loop {
        let now = standing.borrow_and_update().clone();
        let Standing::Leading(leader) = now else {
            if standing.changed().await.is_err() {
                return std::future::pending().await;
            }
            continue;
        };
        let taken = tokio::select! {
            taken = patiently(&*store, &key, &leader) => taken,
            // We lead no more, or in another term.
            _ = standing.changed() => continue,
        };
        match taken {
            Taken::Leads(fence) => {
                tracing::info!(term = leader.term, "leading in the store");
                has_led = true;
                let mut fences = leadership.0.fence.subscribe();
                leadership.0.fence.send_replace(Some(fence));
                tokio::select! {
                    // Refused: who stands there now, is looked at. The sender is borrowed.
                    _ = fences.wait_for(Option::is_none) => {}
                    _ = standing.changed() => {}
                }
            }
            Taken::Behind(other) if has_led => {
                leadership.lose(format!("{other} writes to the store now"));
            }
            // From before our Lease, or after it: whether we still hold it, is seen when it gets the later term.
            Taken::Behind(other) => {
                leadership.raise(other.term, leader);
                if standing.changed().await.is_err() {
                    return std::future::pending().await;
                }
            }
        }
    }
}

/// Tries until the store answers.
async fn patiently(store: &dyn Store, key: &LeaderKey, leader: &Leader) -> Taken {
    let mut told = None;
    loop {
        match take(store, key, leader).await {
            Ok(taken) => return taken,
            // Two at once: the next look says who was first.
            Err(StoreError::Fenced) => {}
            Err(error) => {
                let why = chain(&error);
                if told.as_ref() != Some(&why) {
                    tracing::warn!(
                        error = why,
                        "unable to lead in the store, to which nothing is written until then"
                    );
                }
                told = Some(why);
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

async fn take(store: &dyn Store, key: &LeaderKey, leader: &Leader) -> Result<Taken, StoreError> {
    let (seen, fence) = store.leader(key).await?;
    Ok(match claim(seen, leader) {
        Claim::Behind(other) => Taken::Behind(other),
        Claim::Holds => Taken::Leads(fence),
        Claim::Write => Taken::Leads(store.lead(&fence, leader).await?),
    })
}
