//! Follows the store: reads everything once, then watches, and goes on where a watch broke.

use std::time::Duration;

use etcd_client::{Client, EventType, GetOptions, ResponseHeader, WatchOptions, WatchResponse, WatchStream};
use tokio::sync::mpsc;

use super::error::{Failure, in_time};
use super::witness::{Witness, was_empty};
use super::{EtcdStore, pages};
use crate::{KeyValue, StoreEvent};

/// How long a read of the header, or the beginning of a watch, may take.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a watch may be silent before it is asked for its progress, and then until it is given up.
const SILENCE: Duration = Duration::from_secs(3);

/// How long to wait before going on after trouble.
const RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// From this size on, a message of the watch may be a part of what changed at its last revision: etcd cuts
/// where a message gets larger than a request may be (1.5 MiB by default), and the client does not
/// see its mark. What belongs to the last revision is then told when etcd says that it is whole.
const MAYBE_CUT_BYTES: usize = 64 << 10;

/// Up to where everything is told.
#[derive(Clone, Copy)]
struct Told {
    cluster: u64,
    revision: i64,
}

/// What following knows beyond one connection.
#[derive(Default)]
struct Following {
    told: Option<Told>,
    /// The last change up to there.
    witness: Option<Witness>,
    /// Going on from there is not possible.
    must_read: bool,
    /// The store was restored since the last read that was told as a whole.
    restored: bool,
}

/// Reports until nobody listens.
pub(super) async fn follow(store: &EtcdStore, events: &mpsc::Sender<StoreEvent>) {
    let mut following = Following::default();
    while !events.is_closed() {
        let ended = tokio::select! {
            ended = following.once(store, events) => ended,
            () = events.closed() => return,
        };
        let Err(failure) = ended else { return };
        match failure {
            // They are no trouble: what is there is read at once.
            Failure::Compacted => following.must_read = true,
            Failure::Restored => following.restored = true,
            failure => {
                let message = openmcp_dns_core::chain(&failure);
                if events.send(StoreEvent::Trouble(message)).await.is_err() {
                    return;
                }
                tokio::time::sleep(RETRY_INTERVAL).await;
            }
        }
    }
}

impl Following {
    /// Until the connection breaks (an error), or nobody listens.
    async fn once(&mut self, store: &EtcdStore, events: &mpsc::Sender<StoreEvent>) -> Result<(), Failure> {
        let client = store.connection.client().await?;
        let root = store.root();
        let now = now(&client, &root).await?;
        if let Some(told) = self.told {
            self.restored |= told.cluster != now.cluster || told.revision > now.revision;
            match &self.witness {
                _ if self.must_read || self.restored => {}
                Some(witness) => self.restored = !witness.is_confirmed(&client).await?,
                // It was empty.
                None => self.must_read = !was_empty(&client, &root, told.revision).await?,
            }
        }
        let told = match self.told {
            Some(told) if !self.must_read && !self.restored => told,
            _ => {
                if events.send(StoreEvent::Reading).await.is_err() {
                    return Ok(());
                }
                let read = pages::send(client.kv_client(), &root, now.revision, events).await?;
                let Some(newest) = read else { return Ok(()) };
                let read = StoreEvent::Read { revision: now.revision, restored: self.restored };
                if events.send(read).await.is_err() {
                    return Ok(());
                }
                (self.must_read, self.restored, self.witness) = (false, false, newest);
                now
            }
        };
        self.told = Some(told);
        self.watch(&client, &root, told, events).await
    }

    async fn watch(
        &mut self,
        client: &Client,
        root: &[u8],
        told: Told,
        events: &mpsc::Sender<StoreEvent>,
    ) -> Result<(), Failure> {
        let options = WatchOptions::new()
            .with_prefix()
            // What this revision changed comes again, and is left out below: etcd says nothing of the progress of a
            // watch that begins in the future, which on a store at rest would look like a dead connection.
            .with_start_revision(told.revision)
            .with_progress_notify()
            .with_fragment();
        let mut watching = client.watch_client().max_decoding_message_size(pages::MAX_MESSAGE_BYTES);
        let mut watch = in_time(ANSWER_TIMEOUT, watching.watch(root, Some(options))).await?;
        // What may not be whole, of one revision.
        let mut held: Vec<KeyValue> = Vec::new();
        let (mut told, began) = (told, told.revision);
        while let Some(response) = next(&mut watch).await? {
            let header = response.header().map(seen_in);
            if header.is_some_and(|header| header.cluster != told.cluster) {
                return Err(Failure::Restored);
            }
            if response.canceled() {
                return Err(match response.compact_revision() {
                    0 => Failure::WatchEnded(response.cancel_reason().to_owned()),
                    _ => Failure::Compacted,
                });
            }
            let revision = header.map_or(0, |header| header.revision);
            if response.created() {
                // The member lags behind, or the store was restored after its header was read.
                if revision < told.revision && now(client, root).await?.revision < told.revision {
                    return Err(Failure::Restored);
                }
            }
            let (mut changes, bytes) = changes_in(&response, began);
            // A response without changes is about progress: all up to its revision has come before it.
            let mut up_to = revision.max(told.revision);
            if response.created() {
                up_to = told.revision;
            } else if !response.events().is_empty() {
                up_to = response
                    .events()
                    .iter()
                    .filter_map(|event| Some(event.kv()?.mod_revision()))
                    .max()
                    .unwrap_or(up_to);
            }
            held.append(&mut changes);
            if bytes >= MAYBE_CUT_BYTES {
                up_to -= 1;
                watch.request_progress().await?;
            }
            let whole = held.partition_point(|change| change.mod_revision <= up_to);
            let rest = held.split_off(whole);
            let changes = std::mem::replace(&mut held, rest);
            told.revision = told.revision.max(up_to);
            let witness = changes.last().map(|change| Witness {
                key: change.key.clone().into_bytes(),
                revision: change.mod_revision,
                is_put: change.value.is_some(),
            });
            if events.send(StoreEvent::Changed { revision: told.revision, changes }).await.is_err() {
                return Ok(());
            }
            self.told = Some(told);
            self.witness = witness.or(self.witness.take());
        }
        Err(Failure::WatchEnded("the connection was closed".to_owned()))
    }
}

/// The next response; asks for the progress of a watch that is silent.
async fn next(watch: &mut WatchStream) -> Result<Option<WatchResponse>, Failure> {
    if let Ok(response) = tokio::time::timeout(SILENCE, watch.message()).await {
        return Ok(response?);
    }
    watch.request_progress().await?;
    in_time(SILENCE, watch.message()).await
}

/// Where the store is now, by the majority of its members.
async fn now(client: &Client, root: &[u8]) -> Result<Told, Failure> {
    let options = GetOptions::new().with_keys_only();
    let answer = in_time(ANSWER_TIMEOUT, client.kv_client().get(root, Some(options))).await?;
    Ok(answer.header().map_or(Told { cluster: 0, revision: 0 }, seen_in))
}

fn seen_in(header: &ResponseHeader) -> Told {
    Told { cluster: header.cluster_id(), revision: header.revision() }
}

/// The changes of a response after a revision, and about how many bytes they have.
fn changes_in(response: &WatchResponse, after: i64) -> (Vec<KeyValue>, usize) {
    let mut bytes = 0;
    let changes = response.events().iter().filter_map(|event| {
        let kv = event.kv().filter(|kv| kv.mod_revision() > after)?;
        bytes += kv.key().len() + kv.value().len();
        let value = (event.event_type() == EventType::Put).then(|| kv.value().to_vec());
        let key = kv.key_str().ok()?.to_owned();
        Some(KeyValue { key, value, mod_revision: kv.mod_revision() })
    });
    (changes.collect(), bytes)
}
