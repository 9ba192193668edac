//! A store in memory, for the demo: the same guarded transactions and the same watch as etcd.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use openmcp_dns_core::plan::NamePlan;
use tokio::sync::{broadcast, mpsc};

use crate::{Commit, KeyValue, Store, StoreError, StoreEvent};

/// How many changes a slow follower may lag behind before it reads everything anew.
const BACKLOG: usize = 1024;

/// Holds records as long as the process lives.
#[derive(Debug)]
pub struct MemoryStore {
    state: Mutex<State>,
    changes: broadcast::Sender<(i64, Vec<KeyValue>)>,
}

#[derive(Debug, Default)]
struct State {
    revision: i64,
    entries: BTreeMap<String, (Vec<u8>, i64)>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self { state: Mutex::default(), changes: broadcast::channel(BACKLOG).0 }
    }
}

impl MemoryStore {
    fn apply(&self, plan: &NamePlan) -> Commit {
        // A panic while the lock was held cannot have left half a transaction: see below.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let as_expected = plan.changes.iter().all(|change| {
            state.entries.get(&change.key).map_or(0, |(_, revision)| *revision)
                == change.expected_mod_revision
        });
        if !as_expected {
            return Commit::Conflict;
        }
        let revision = state.revision + 1;
        state.revision = revision;
        let mut changes = Vec::with_capacity(plan.changes.len());
        for change in &plan.changes {
            match &change.value {
                Some(value) => state.entries.insert(change.key.clone(), (value.clone(), revision)),
                None => state.entries.remove(&change.key),
            };
            changes.push(KeyValue {
                key: change.key.clone(),
                value: change.value.clone(),
                mod_revision: revision,
            });
        }
        // Sent under the lock, so that followers see changes in the order of their revisions.
        // An error only says that nobody follows yet.
        let _ = self.changes.send((revision, changes));
        Commit::Done(revision)
    }

    fn read(&self) -> (StoreEvent, broadcast::Receiver<(i64, Vec<KeyValue>)>) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let entries = state
            .entries
            .iter()
            .map(|(key, (value, revision))| KeyValue {
                key: key.clone(),
                value: Some(value.clone()),
                mod_revision: *revision,
            })
            .collect();
        (StoreEvent::Replaced { revision: state.revision, entries }, self.changes.subscribe())
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn commit(&self, plan: &NamePlan) -> Result<Commit, StoreError> {
        Ok(self.apply(plan))
    }

    async fn follow(&self, events: mpsc::Sender<StoreEvent>) {
        loop {
            let (everything, mut changes) = self.read();
            if events.send(everything).await.is_err() {
                return;
            }
            loop {
                match changes.recv().await {
                    Ok((revision, changes)) => {
                        if events.send(StoreEvent::Changed { revision, changes }).await.is_err() {
                            return;
                        }
                    }
                    Err(broadcast::error::RecvError::Lagged(_)) => break,
                    Err(broadcast::error::RecvError::Closed) => return,
                }
            }
        }
    }
}
