//! Serve: hands what the store holds to the built-in DNS server.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use openmcp_dns_server::Records;
use tokio::sync::mpsc;
use tokio::time::sleep;

use openmcp_dns_store::{Store, StoreEvent};

/// Events that may wait: the store reports faster than anybody changes names.
const BACKLOG: usize = 256;

/// Everything is read again at some moment in the second half of this time, because a watch can lose events
/// without a word (etcd#20573): what it lost is served wrongly for no longer than this.
const READ_INTERVAL: Duration = Duration::from_secs(300);

/// How long what a restored store lacks is served on. The service fills such a store again from the clusters, within
/// seconds: until then, a name that the store has lost is not gone.
const REFILL: Duration = Duration::from_secs(30);

/// Follows the store and keeps `records` as it is, for as long as the future is polled.
///
/// `seen` is told of every event just before the DNS server answers accordingly. While the store does
/// not answer, the last known records stay. Every few minutes everything is read again, and what differs
/// is taken over, while the answers go on.
pub async fn feed(store: Arc<dyn Store>, records: Records, mut seen: impl FnMut(&StoreEvent)) {
    let pace = || Pace { after_read: until_next_read(fastrand::f64()), after_restore: REFILL };
    while follow(&*store, &records, &mut seen, pace()).await {}
}

/// When everything is read again.
struct Pace {
    after_read: Duration,
    /// After a read that has shown that the store was restored.
    after_restore: Duration,
}

/// How long after a read the next one begins, by a random number from 0 to 1: servers that were started
/// together do not read together.
fn until_next_read(random: f64) -> Duration {
    READ_INTERVAL.mul_f64(f64::midpoint(random, 1.0))
}

/// Follows the store until it is time to read everything again. `false` when it cannot be followed any more.
async fn follow(
    store: &dyn Store,
    records: &Records,
    seen: &mut impl FnMut(&StoreEvent),
    pace: Pace,
) -> bool {
    let (events, mut received) = mpsc::channel(BACKLOG);
    let take_over = async {
        // Begins with the end of a read, so that none is broken off, however long it takes.
        let mut next_read = pin!(sleep(Duration::MAX));
        loop {
            let event = tokio::select! {
                event = received.recv() => event,
                () = &mut next_read => return true,
            };
            let Some(event) = event else { return false };
            match event {
                StoreEvent::Read { restored: true, .. } => next_read.set(sleep(pace.after_restore)),
                StoreEvent::Read { restored: false, .. } => next_read.set(sleep(pace.after_read)),
                _ => {}
            }
            seen(&event);
            apply(records, event);
        }
    };
    let followed = async {
        store.follow(events).await;
        // What was told last is still to be taken over.
        std::future::pending().await
    };
    tokio::select! {
        is_time_to_read = take_over => is_time_to_read,
        never = followed => never,
    }
}

/// Takes over one event.
fn apply(records: &Records, event: StoreEvent) {
    match event {
        StoreEvent::Reading => records.begin_read(),
        StoreEvent::Page(page) => {
            records.take_page(page.into_iter().filter_map(|entry| Some((entry.key, entry.value?))));
        }
        StoreEvent::Read { revision, restored: true } => {
            tracing::warn!(
                "the store was restored from a backup, or is another one than before; what it lacks is served for {} s more, \
                 until it is filled again",
                REFILL.as_secs()
            );
            records.reached(revision);
        }
        StoreEvent::Read { revision, restored: false } => {
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
    if records.has_none_of_the_store() {
        return Some(
            "the store holds records, and none of this zone: is it the right zone, or the right store?"
                .to_owned(),
        );
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
    use async_trait::async_trait;
    use openmcp_dns_core::leadership::{Leader, LeaderKey};
    use openmcp_dns_core::plan::NamePlan;
    use openmcp_dns_core::skydns::Prefix;
    use openmcp_dns_store::{Commit, Fence, Keep, KeyValue, StoreError};

    use super::*;

    const SOON: Pace = Pace { after_read: Duration::from_millis(1), after_restore: Duration::from_millis(1) };

    /// A store that tells this and then nothing more.
    struct Told(Vec<StoreEvent>);

    #[async_trait]
    impl Store for Told {
        async fn leader(&self, _: &LeaderKey) -> Result<(Option<Leader>, Fence), StoreError> {
            Err(StoreError::Fenced)
        }

        async fn lead(&self, _: &Fence, _: &Leader) -> Result<Fence, StoreError> {
            Err(StoreError::Fenced)
        }

        async fn forget_leader(&self, _: &Fence) -> Result<(), StoreError> {
            Err(StoreError::Fenced)
        }

        async fn commit(&self, _: &Fence, _: &[NamePlan]) -> Result<Commit, StoreError> {
            Err(StoreError::Fenced)
        }

        async fn kept(&self, _: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
            Err(StoreError::Fenced)
        }

        async fn keep(&self, _: &Fence, _: &[Keep]) -> Result<(), StoreError> {
            Err(StoreError::Fenced)
        }

        async fn follow(&self, events: mpsc::Sender<StoreEvent>) {
            for event in self.0.clone() {
                events.send(event).await.unwrap();
            }
            events.closed().await;
        }
    }

    fn entries(names: &[&str]) -> StoreEvent {
        let entry = |name: &&str| KeyValue {
            key: format!("/skydns/cluster/openmcp/{name}"),
            value: Some(br#"{"host":"10.0.0.1"}"#.to_vec()),
            mod_revision: 1,
        };
        StoreEvent::Page(names.iter().map(entry).collect())
    }

    const fn read(restored: bool) -> StoreEvent {
        StoreEvent::Read { revision: 1, restored }
    }

    /// A store that holds this and whose watch tells nothing.
    fn stored(names: &[&str]) -> Told {
        Told(vec![StoreEvent::Reading, entries(names), read(false)])
    }

    #[tokio::test]
    async fn what_the_watch_lost_is_found_by_the_next_read_without_a_gap() {
        let records = Records::new("openmcp.cluster".parse().unwrap(), Prefix::default());
        let served = records.clone();
        let mut fewest = usize::MAX;
        let mut seen = |_: &StoreEvent| {
            if served.is_filled() {
                fewest = fewest.min(served.len());
            }
        };
        assert!(follow(&stored(&["a", "b"]), &records, &mut seen, SOON).await);
        assert_eq!(records.len(), 2);
        // `a` goes and two come, and no event says so.
        assert!(follow(&stored(&["b", "c", "d"]), &records, &mut seen, SOON).await);
        assert_eq!((records.len(), fewest), (3, 2));
    }

    #[tokio::test]
    async fn a_name_that_a_restored_store_has_lost_is_served_until_there_was_time_to_fill_it_again() {
        let records = Records::new("openmcp.cluster".parse().unwrap(), Prefix::default());
        let Told(mut events) = stored(&["lost", "kept"]);
        events.extend([StoreEvent::Reading, entries(&["kept"]), read(true)]);
        let store = Told(events);
        let soon = Pace { after_read: Duration::MAX, after_restore: Duration::from_millis(1) };
        assert!(follow(&store, &records, &mut |_| {}, soon).await);
        assert_eq!(records.len(), 2);
        // Nobody has filled it again.
        assert!(follow(&stored(&["kept"]), &records, &mut |_| {}, SOON).await);
        assert_eq!(records.len(), 1);
    }

    #[test]
    fn reads_are_minutes_apart_and_not_at_the_same_moment_everywhere() {
        assert_eq!(until_next_read(0.0), Duration::from_secs(150));
        assert_eq!(until_next_read(0.5), Duration::from_secs(225));
        assert_eq!(until_next_read(1.0), READ_INTERVAL);
    }

    #[tokio::test]
    async fn it_is_not_ready_while_the_store_holds_records_and_it_has_none() {
        let records = Records::new("other.cluster".parse().unwrap(), Prefix::default());
        assert!(follow(&stored(&["a"]), &records, &mut |_| (), SOON).await);
        let why = why_not_ready(&records, Duration::from_secs(60)).unwrap();
        assert!(why.starts_with("the store holds records, and none of this zone"), "{why}");
        // An empty store is no reason, and neither is one that has something for it.
        assert!(follow(&stored(&[]), &records, &mut |_| (), SOON).await);
        assert_eq!(why_not_ready(&records, Duration::from_secs(60)), None);
    }

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
