//! Whether the store still has the history that was told: a store that was restored from a backup, and has come past
//! its old revision since, shows nothing of it in its revisions.

use etcd_client::{Client, GetOptions, GetResponse};

use super::error::{Failure, in_time};
use super::follow::ANSWER_TIMEOUT;

/// The last change that was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Witness {
    pub(super) key: Vec<u8>,
    /// The revision that it made.
    pub(super) revision: i64,
    /// A put, or a deletion.
    pub(super) is_put: bool,
}

impl Witness {
    /// Whether the store has this change in its history. Where that cannot be known any more, it has not.
    pub(super) async fn is_confirmed(&self, client: &Client) -> Result<bool, Failure> {
        let now = self.get(client, None).await?;
        if self.is_put && mod_revision(&now) == Some(self.revision) {
            return Ok(true);
        }
        let then = match self.get(client, Some(self.revision)).await {
            Ok(then) => mod_revision(&then),
            // Also a revision that has not come yet.
            Err(Failure::Compacted) => return Ok(false),
            Err(failure) => return Err(failure),
        };
        if self.is_put || then.is_some() {
            return Ok(self.is_put && then == Some(self.revision));
        }
        match self.get(client, Some(self.revision - 1)).await {
            Ok(before) => Ok(mod_revision(&before).is_some()),
            Err(Failure::Compacted) => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    async fn get(&self, client: &Client, revision: Option<i64>) -> Result<GetResponse, Failure> {
        let options = GetOptions::new().with_keys_only();
        let options = revision.map_or(options.clone(), |revision| options.with_revision(revision));
        in_time(ANSWER_TIMEOUT, client.kv_client().get(self.key.as_slice(), Some(options))).await
    }
}

/// Whether the store had nothing below `root` at a revision. Where that cannot be known any more, it had.
pub(super) async fn was_empty(client: &Client, root: &[u8], revision: i64) -> Result<bool, Failure> {
    let options = GetOptions::new().with_prefix().with_count_only().with_revision(revision);
    match in_time(ANSWER_TIMEOUT, client.kv_client().get(root, Some(options))).await {
        Ok(then) => Ok(then.count() == 0),
        Err(Failure::Compacted) => Ok(false),
        Err(failure) => Err(failure),
    }
}

fn mod_revision(answer: &GetResponse) -> Option<i64> {
    answer.kvs().first().map(etcd_client::KeyValue::mod_revision)
}
