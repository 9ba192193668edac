//! The objects of one kind and their history.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::managers::Manager;
use crate::refusal::Refusal;
use crate::resource::{Resource, Validator};

/// Namespace and name; the namespace is empty for objects that belong to none.
pub(crate) type Key = (String, String);

pub(crate) struct Kind {
    pub(crate) resource: Resource,
    pub(crate) validator: Option<Validator>,
    /// Another one each time that a kind is registered: what watched it before does not see it again.
    pub(crate) registration: u64,
    objects: BTreeMap<Key, Stored>,
    history: VecDeque<Change>,
    /// What happened up to this revision may be forgotten.
    floor: u64,
}

#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) object: Arc<Value>,
    pub(crate) managers: Vec<Manager>,
}

/// An object became another.
#[derive(Clone)]
pub(crate) struct Change {
    pub(crate) revision: u64,
    key: Key,
    pub(crate) before: Option<Arc<Value>>,
    pub(crate) after: Option<Arc<Value>>,
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

    pub(crate) fn get(&self, key: &Key) -> Option<&Stored> {
        self.objects.get(key)
    }

    pub(crate) fn found(&self, key: &Key) -> Result<&Stored, Refusal> {
        self.get(key).ok_or_else(|| Refusal::not_found(&self.resource, &key.1))
    }

    pub(crate) fn objects(&self) -> impl Iterator<Item = (&Key, &Arc<Value>)> {
        self.objects.iter().map(|(key, stored)| (key, &stored.object))
    }

    /// All objects as they were at a revision.
    pub(crate) fn at(&self, revision: u64) -> Result<BTreeMap<Key, Arc<Value>>, Refusal> {
        if revision < self.floor {
            return Err(Refusal::expired(revision, self.floor));
        }
        let mut objects: BTreeMap<Key, Arc<Value>> =
            self.objects().map(|(key, object)| (key.clone(), object.clone())).collect();
        for change in self.history.iter().rev().take_while(|change| change.revision > revision) {
            match &change.before {
                Some(before) => objects.insert(change.key.clone(), before.clone()),
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

    /// Sets or removes an object; an object gets the revision as its version.
    pub(crate) fn commit(
        &mut self,
        revision: u64,
        key: Key,
        after: Option<(Value, Vec<Manager>)>,
        limit: usize,
    ) {
        let after = after.map(|(mut object, managers)| {
            object["metadata"]["resourceVersion"] = json!(revision.to_string());
            Stored { object: Arc::new(object), managers }
        });
        let object = after.as_ref().map(|stored| stored.object.clone());
        let before = match after {
            Some(stored) => self.objects.insert(key.clone(), stored),
            None => self.objects.remove(&key),
        };
        let before = before.map(|stored| stored.object);
        self.history.push_back(Change { revision, key, before, after: object });
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
