//! The objects of one kind and their history.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

use crate::kept::Kept;
use crate::refusal::Refusal;
use crate::resource::{Resource, Validator};

/// Namespace and name; the namespace is empty for objects that belong to none.
pub(crate) type Key = (String, String);

pub(crate) struct Kind {
    pub(crate) resource: Resource,
    pub(crate) validator: Option<Validator>,
    /// Another one each time that a kind is registered: what watched it before does not see it again.
    pub(crate) registration: u64,
    objects: BTreeMap<Key, Kept>,
    history: VecDeque<Change>,
    /// What happened up to this revision may be forgotten.
    floor: u64,
}

/// An object became another.
#[derive(Clone)]
pub(crate) struct Change {
    pub(crate) revision: u64,
    pub(crate) key: Key,
    pub(crate) before: Option<Kept>,
    pub(crate) after: Option<Kept>,
}

impl Kind {
    pub(crate) fn new(
        resource: Resource,
        validator: Option<Validator>,
        registration: u64,
        floor: u64,
    ) -> Self {
        Self { resource, validator, registration, objects: BTreeMap::new(), history: VecDeque::new(), floor }
    }

    pub(crate) fn get(&self, key: &Key) -> Option<&Kept> {
        self.objects.get(key)
    }

    pub(crate) fn found(&self, key: &Key) -> Result<&Kept, Refusal> {
        self.get(key).ok_or_else(|| Refusal::not_found(&self.resource, &key.1))
    }

    pub(crate) fn objects(&self) -> impl Iterator<Item = (&Key, &Kept)> {
        self.objects.iter()
    }

    /// The objects behind a key as they were at a revision.
    pub(crate) fn at(&self, revision: u64, after: Option<&Key>) -> Result<BTreeMap<&Key, &Kept>, Refusal> {
        if revision < self.floor {
            return Err(Refusal::expired(revision, self.floor));
        }
        let behind = (after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded);
        let mut objects: BTreeMap<&Key, &Kept> = self.objects.range::<Key, _>(behind).collect();
        let newer = self.history.iter().rev().take_while(|change| change.revision > revision);
        for change in newer.filter(|change| after.is_none_or(|after| change.key > *after)) {
            match &change.before {
                Some(before) => objects.insert(&change.key, before),
                None => objects.remove(&change.key),
            };
        }
        Ok(objects)
    }

    /// What happened after a revision.
    pub(crate) fn since(&self, revision: u64) -> Result<impl Iterator<Item = &Change>, Refusal> {
        if revision < self.floor {
            return Err(Refusal::expired(revision, self.floor));
        }
        let start = self.history.partition_point(|change| change.revision <= revision);
        Ok(self.history.range(start..))
    }

    /// Sets or removes an object.
    pub(crate) fn commit(&mut self, revision: u64, key: Key, after: Option<Kept>, limit: usize) {
        let before = match &after {
            Some(object) => self.objects.insert(key.clone(), object.clone()),
            None => self.objects.remove(&key),
        };
        self.history.push_back(Change { revision, key, before, after });
        while self.history.len() > limit {
            self.floor = self.history.pop_front().map_or(self.floor, |change| change.revision);
        }
    }

    /// Forgets what happened up to a revision.
    pub(crate) fn expire(&mut self, revision: u64) {
        self.floor = self.floor.max(revision);
        self.history.retain(|change| change.revision > revision);
    }
}
