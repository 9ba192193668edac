//! Reads everything in pages, which shrink until they fit into a message.

use std::time::Duration;

use etcd_client::{GetOptions, GetResponse, KvClient, SortOrder, SortTarget};
use tokio::sync::mpsc;

use super::error::{Failure, in_time};
use super::witness::Witness;
use crate::{KeyValue, StoreEvent};

/// Keys in one page: 0.6 MB with the longest values that we write.
const PAGE_KEYS: i64 = 500;

/// How long one page may take: the largest of them in ten seconds are 13 MBit/s.
const PAGE_TIMEOUT: Duration = Duration::from_secs(10);

/// What the client takes in one message: ten times the largest value that etcd holds by default.
pub(super) const MAX_MESSAGE_BYTES: usize = 16 << 20;

/// Sends all keys from `root` on that are below it, as they are at a revision. Gives the one that was written last, or
/// `None` when nobody listens.
///
/// # Errors
/// When etcd does not answer, or has forgotten the revision.
pub(super) async fn send(
    client: KvClient,
    root: &[u8],
    revision: i64,
    events: &mpsc::Sender<StoreEvent>,
) -> Result<Option<Option<Witness>>, Failure> {
    let mut newest: Option<Witness> = None;
    let mut client = client.max_decoding_message_size(MAX_MESSAGE_BYTES);
    let end = end_of(root);
    let mut from = root.to_vec();
    let mut limit = PAGE_KEYS;
    loop {
        let options = GetOptions::new()
            .with_range(end.clone())
            .with_limit(limit)
            .with_revision(revision)
            .with_sort(SortTarget::Key, SortOrder::Ascend);
        let mut page = match get(&mut client, &from, options.clone()).await {
            Ok(page) => page,
            Err(failure) if failure.is_too_large() && limit > 1 => {
                limit /= 2;
                continue;
            }
            // One value alone: its key says where to go on.
            Err(failure) if failure.is_too_large() => {
                let keys = get(&mut client, &from, options.with_keys_only()).await?;
                let Some(key) = keys.kvs().first().map(|kv| kv.key().to_vec()) else {
                    return Ok(Some(newest));
                };
                let trouble = format!(
                    "unable to read the value of {}, which is passed over; delete it in etcd: {}",
                    String::from_utf8_lossy(&key),
                    openmcp_dns_core::chain(&failure)
                );
                if events.send(StoreEvent::Trouble(trouble)).await.is_err() {
                    return Ok(None);
                }
                from = after(key);
                continue;
            }
            Err(failure) => return Err(failure),
        };
        let more = page.more();
        let mut entries = Vec::new();
        for kv in page.take_kvs() {
            from = after(kv.key().to_vec());
            let mod_revision = kv.mod_revision();
            let (key, value) = kv.into_key_value();
            // Keys of ours are ASCII; others are none of our business.
            if let Ok(key) = String::from_utf8(key) {
                if newest.as_ref().is_none_or(|newest| newest.revision < mod_revision) {
                    let key = key.clone().into_bytes();
                    newest = Some(Witness { key, revision: mod_revision, is_put: true });
                }
                entries.push(KeyValue { key, value: Some(value), mod_revision });
            }
        }
        if !entries.is_empty() && events.send(StoreEvent::Page(entries)).await.is_err() {
            return Ok(None);
        }
        if !more {
            return Ok(Some(newest));
        }
        limit = (limit * 2).min(PAGE_KEYS);
    }
}

async fn get(client: &mut KvClient, from: &[u8], options: GetOptions) -> Result<GetResponse, Failure> {
    in_time(PAGE_TIMEOUT, client.get(from, Some(options))).await
}

/// The smallest key after this one.
fn after(mut key: Vec<u8>) -> Vec<u8> {
    key.push(0);
    key
}

/// The first key after all keys with this prefix.
fn end_of(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    // The prefix ends with `/`, so the last byte can always be counted up.
    if let Some(last) = end.last_mut() {
        *last += 1;
    }
    end
}
