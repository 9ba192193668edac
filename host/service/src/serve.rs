//! Serve: hands what the store holds to the built-in DNS server.

use std::sync::Arc;

use openmcp_dns_server::Records;
use tokio::sync::mpsc;

use openmcp_dns_store::{Store, StoreEvent};

/// Events that may wait: the store reports faster than anybody changes names.
const BACKLOG: usize = 256;

/// Follows the store and keeps `records` as it is, for as long as the future is polled.
///
/// `seen` is told of every event just before the DNS server answers accordingly. While the store does
/// not answer, the last known records stay.
pub async fn feed(store: Arc<dyn Store>, records: Records, mut seen: impl FnMut(&StoreEvent)) {
    let (events, mut received) = mpsc::channel(BACKLOG);
    let follow = store.follow(events);
    let take_over = async {
        while let Some(event) = received.recv().await {
            seen(&event);
            apply(&records, event);
        }
    };
    tokio::join!(follow, take_over);
}

/// Takes over one event.
fn apply(records: &Records, event: StoreEvent) {
    match event {
        StoreEvent::Reading => records.begin_read(),
        StoreEvent::Page(page) => {
            records.take_page(page.into_iter().filter_map(|entry| Some((entry.key, entry.value?))));
        }
        StoreEvent::Read { revision: _, restored } => {
            if restored {
                tracing::warn!("the store was restored from a backup, or is another one than before");
            }
            records.end_read();
        }
        StoreEvent::Changed { revision: _, changes } => {
            records.sign_of_life();
            for change in changes {
                records.apply(&change.key, change.value.as_deref());
            }
        }
        StoreEvent::Trouble(message) => {
            tracing::warn!(%message, "unable to follow the store; the last known records are served");
        }
    }
}
