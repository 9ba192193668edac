//! Serve: hands what the store holds to the built-in DNS server.

use std::sync::Arc;
use std::time::Duration;

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
        StoreEvent::Read { revision, restored } => {
            if restored {
                tracing::warn!("the store was restored from a backup, or is another one than before");
            }
            // Before the first answer, which comes with the end of the first read.
            records.reached(revision);
            records.end_read();
        }
        StoreEvent::Changed { revision, changes } => {
            for change in changes {
                records.apply(&change.key, change.value.as_deref());
            }
            records.reached(revision);
        }
        StoreEvent::Trouble(message) => {
            tracing::warn!(%message, "unable to follow the store; the last known records are served");
        }
    }
}

/// Why nobody should ask the server that answers from these records; `None` while there is no reason.
///
/// It answers all the same: for whoever asks, an answer that may be outdated is better than none, and
/// where other servers are up to date, they are to be asked instead.
#[must_use]
pub fn why_not_ready(records: &Records, max_stale: Duration) -> Option<String> {
    if !records.is_filled() {
        return Some("the records have not been read completely yet".to_owned());
    }
    let age = records.age().filter(|age| *age > max_stale)?;
    Some(format!(
        "the store has been silent for {} s, longer than {} s: what is served may be outdated",
        age.as_secs(),
        max_stale.as_secs()
    ))
}

#[cfg(test)]
mod tests {
    use openmcp_dns_core::skydns::Prefix;

    use super::*;

    #[test]
    fn it_is_ready_once_all_is_read_and_as_long_as_the_store_speaks() {
        let records = Records::new("openmcp.cluster".parse().unwrap(), Prefix::default());
        let not_read = Some("the records have not been read completely yet".to_owned());
        let patient = Duration::from_secs(60);
        assert_eq!(why_not_ready(&records, patient), not_read);
        apply(&records, StoreEvent::Reading);
        apply(&records, StoreEvent::Page(Vec::new()));
        assert_eq!(why_not_ready(&records, patient), not_read);
        apply(&records, StoreEvent::Read { revision: 1, restored: false });
        assert_eq!(why_not_ready(&records, patient), None);
        let why = why_not_ready(&records, Duration::ZERO).unwrap();
        assert!(why.starts_with("the store has been silent for 0 s"), "{why}");
        // Trouble is no sign of life.
        let before = records.age().unwrap();
        apply(&records, StoreEvent::Trouble("no route".to_owned()));
        assert!(records.age().unwrap() >= before);
    }
}
