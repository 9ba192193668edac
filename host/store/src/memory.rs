//! A store in memory, for the demo and tests: guarded transactions, revisions, a bound of operations and
//! a watch that is resumed, as etcd has them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use openmcp_dns_core::leadership::{Leader, LeaderKey};
use openmcp_dns_core::plan::NamePlan;
use thiserror::Error;
use tokio::sync::{mpsc, watch};

use crate::{Commit, Fence, Keep, KeyValue, MAX_OPERATIONS, Refusal, Store, StoreError, StoreEvent};

/// How many revisions a slow follower may lag behind before it reads everything anew.
const BACKLOG: usize = 1024;

/// Keys in one page of a read.
const PAGE_KEYS: usize = 500;

/// How often followers hear of a store in which nothing changes.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(3);

/// Holds records as long as the process lives.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Mutex<State>,
    /// Something is different: followers look.
    stirred: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct State {
    /// How often it was restored.
    life: u64,
    content: Backup,
    /// What has changed lately, by revision.
    backlog: VecDeque<(i64, Vec<KeyValue>)>,
    is_cut: bool,
}

/// What a store held at some time.
#[derive(Clone, Debug, Default)]
pub struct Backup {
    revision: i64,
    entries: BTreeMap<String, (Vec<u8>, i64)>,
    /// Who leads, and since which revision.
    leaders: BTreeMap<LeaderKey, (Leader, i64)>,
    /// What stands outside of all records.
    kept: BTreeMap<String, Vec<u8>>,
}

#[derive(Debug, Error)]
#[error("{0} operations, of at most {MAX_OPERATIONS}")]
struct TooManyOperations(usize);

/// What a follower has been told.
#[derive(Clone, Copy)]
struct Told {
    life: u64,
    revision: i64,
}

/// What comes next for a follower.
enum Next {
    Tell(Vec<StoreEvent>, Told),
    /// All is told.
    Wait,
    Cut,
}

impl MemoryStore {
    /// What it holds now.
    #[must_use]
    pub fn back_up(&self) -> Backup {
        self.lock().content.clone()
    }

    /// Goes back to what it held at that time, as etcd does when it is restored from a backup.
    pub fn restore_backup(&self, backup: Backup) {
        let mut state = self.lock();
        *state = State { life: state.life + 1, content: backup, is_cut: state.is_cut, ..State::default() };
        drop(state);
        self.stirred.send_replace(());
    }

    /// Forgets what changed before now: who has not been told reads everything.
    pub fn compact(&self) {
        self.lock().backlog.clear();
    }

    /// Whether following is interrupted from now on. Transactions are not.
    pub fn cut(&self, is_cut: bool) {
        self.lock().is_cut = is_cut;
        self.stirred.send_replace(());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while the lock was held cannot have left half a transaction: nothing in it panics.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lead_over(&self, over: &Fence, leader: &Leader) -> Result<Fence, StoreError> {
        let mut state = self.lock();
        state.content.check(over)?;
        let changed = state.change(Vec::new());
        state.content.leaders.insert(over.key.clone(), (leader.clone(), changed));
        drop(state);
        self.stirred.send_replace(());
        Ok(Fence { key: over.key.clone(), revision: changed })
    }

    fn apply(&self, fence: &Fence, plans: &[NamePlan]) -> Result<Commit, StoreError> {
        let operations = plans.iter().map(|plan| plan.changes.len()).sum();
        check_operations(operations)?;
        let mut state = self.lock();
        state.content.check(fence)?;
        let entries = &state.content.entries;
        let mut planned = plans.iter().flat_map(|plan| &plan.changes);
        let as_expected = planned.all(|change| {
            entries.get(&change.key).map_or(0, |(_, revision)| *revision) == change.expected_mod_revision
        });
        if !as_expected {
            return Ok(Commit::Conflict);
        }
        let changes = plans.iter().flat_map(|plan| &plan.changes);
        let changes = changes.map(|change| (change.key.clone(), change.value.clone()));
        let revision = state.change(changes.collect());
        drop(state);
        self.stirred.send_replace(());
        Ok(Commit::Done(revision))
    }

    fn next(&self, told: Option<Told>) -> Next {
        let state = self.lock();
        if state.is_cut {
            return Next::Cut;
        }
        let now = Told { life: state.life, revision: state.content.revision };
        if let Some(told) = told.filter(|told| told.life == now.life) {
            if told.revision == now.revision {
                return Next::Wait;
            }
            let is_kept = state.backlog.front().is_some_and(|(first, _)| *first <= told.revision + 1);
            if is_kept {
                let missed = state.backlog.iter().filter(|(revision, _)| *revision > told.revision);
                let missed =
                    missed.cloned().map(|(revision, changes)| StoreEvent::Changed { revision, changes });
                return Next::Tell(missed.collect(), now);
            }
        }
        let entries: Vec<KeyValue> = state
            .content
            .entries
            .iter()
            .map(|(key, (value, revision))| KeyValue {
                key: key.clone(),
                value: Some(value.clone()),
                mod_revision: *revision,
            })
            .collect();
        let restored = told.is_some_and(|told| told.life != now.life);
        let mut events = vec![StoreEvent::Reading];
        events.extend(entries.chunks(PAGE_KEYS).map(|page| StoreEvent::Page(page.to_vec())));
        events.push(StoreEvent::Read { revision: now.revision, restored });
        Next::Tell(events, now)
    }
}

fn check_operations(count: usize) -> Result<(), StoreError> {
    if count <= MAX_OPERATIONS {
        return Ok(());
    }
    let source = TooManyOperations(count).into();
    Err(StoreError::Refused { refusal: Refusal::TooManyOperations, source })
}

impl Backup {
    /// Whether the fence holds.
    fn check(&self, fence: &Fence) -> Result<(), StoreError> {
        let revision = self.leaders.get(&fence.key).map_or(0, |(_, revision)| *revision);
        if revision == fence.revision { Ok(()) } else { Err(StoreError::Fenced) }
    }
}

impl State {
    /// Makes these changes; gives the revision that they are made at.
    fn change(&mut self, changes: Vec<(String, Option<Vec<u8>>)>) -> i64 {
        let Backup { revision, entries, .. } = &mut self.content;
        *revision += 1;
        let mod_revision = *revision;
        let mut told = Vec::with_capacity(changes.len());
        for (key, value) in changes {
            match &value {
                Some(value) => entries.insert(key.clone(), (value.clone(), mod_revision)),
                None => entries.remove(&key),
            };
            told.push(KeyValue { key, value, mod_revision });
        }
        self.backlog.push_back((mod_revision, told));
        if self.backlog.len() > BACKLOG {
            self.backlog.pop_front();
        }
        mod_revision
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn leader(&self, key: &LeaderKey) -> Result<(Option<Leader>, Fence), StoreError> {
        let found = self.lock().content.leaders.get(key).cloned();
        let (leader, revision) = found.map_or((None, 0), |(leader, revision)| (Some(leader), revision));
        Ok((leader, Fence { key: key.clone(), revision }))
    }

    async fn lead(&self, over: &Fence, leader: &Leader) -> Result<Fence, StoreError> {
        self.lead_over(over, leader)
    }

    async fn forget_leader(&self, fence: &Fence) -> Result<(), StoreError> {
        let mut state = self.lock();
        state.content.check(fence)?;
        if state.content.leaders.remove(&fence.key).is_some() {
            state.change(Vec::new());
            drop(state);
            self.stirred.send_replace(());
        }
        Ok(())
    }

    async fn commit(&self, fence: &Fence, plans: &[NamePlan]) -> Result<Commit, StoreError> {
        self.apply(fence, plans)
    }

    async fn kept(&self, below: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let state = self.lock();
        let from = state.content.kept.range(below.to_owned()..);
        let found = from.take_while(|(key, _)| key.starts_with(below));
        Ok(found.map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    async fn keep(&self, fence: &Fence, changes: &[Keep]) -> Result<(), StoreError> {
        check_operations(changes.len())?;
        let mut state = self.lock();
        state.content.check(fence)?;
        for Keep { key, value } in changes.iter().cloned() {
            match value {
                Some(value) => state.content.kept.insert(key, value),
                None => state.content.kept.remove(&key),
            };
        }
        Ok(())
    }

    async fn follow(&self, events: mpsc::Sender<StoreEvent>) {
        let mut stirred = self.stirred.subscribe();
        let (mut told, mut was_cut, mut is_late) = (None, false, false);
        loop {
            stirred.mark_unchanged();
            let tell = match self.next(told) {
                Next::Tell(tell, now) => {
                    told = Some(now);
                    tell
                }
                Next::Cut if !was_cut => vec![StoreEvent::Trouble("following is interrupted".to_owned())],
                Next::Wait if was_cut || is_late => vec![progress(told)],
                Next::Cut | Next::Wait => {
                    tokio::select! {
                        // An error says that the store is gone, which we borrow.
                        _ = stirred.changed() => {}
                        () = tokio::time::sleep(PROGRESS_INTERVAL) => is_late = true,
                        () = events.closed() => return,
                    }
                    continue;
                }
            };
            is_late = false;
            was_cut = matches!(tell.as_slice(), [StoreEvent::Trouble(_)]);
            for event in tell {
                if events.send(event).await.is_err() {
                    return;
                }
            }
        }
    }
}

fn progress(told: Option<Told>) -> StoreEvent {
    StoreEvent::Changed { revision: told.map_or(0, |told| told.revision), changes: Vec::new() }
}
