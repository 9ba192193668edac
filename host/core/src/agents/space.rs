//! The etcd that one agent sees: nothing but what it has written, in its own revisions.
//!
//! What external-dns does wrong with its keys is mended here, where it does not notice:
//! - A text of the registry that is written under another label takes the place of the one before, which would stay.
//! - A text of the registry that is deleted where it does not lie (v0.22) is found below.
//! - With the text of a record go all its keys: of several targets, external-dns deletes one.
//! - Where nobody asks for an order, hosts come before texts: a text that is read first hides the hosts of its name.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::key::{is_value_label, registered};
use super::request::{
    Compare, Compared, Interval, MAX_OPERATIONS, Operation, Order, Outcome, Pair, Read, Relation, Reply,
    Request, SortBy,
};
use super::{Meaning, Refusal};
use crate::name::HostName;

/// Most keys of an agent: a name has one for each target, and one of the registry for each type.
pub const MAX_KEYS: usize = 60_000;

/// Most bytes of an agent, keys and values together.
pub const MAX_BYTES: usize = 16 * 1024 * 1024;

/// Most targets of one name: a record set has room for 64.
pub const MAX_TARGETS: usize = 128;

#[derive(Clone, Debug)]
struct Held {
    pair: Pair,
    meaning: Meaning,
}

/// What one agent has written.
#[derive(Debug, Default)]
pub struct KeySpace {
    held: BTreeMap<Vec<u8>, Held>,
    /// Targets by name and key.
    names: BTreeMap<HostName, BTreeMap<Vec<u8>, String>>,
    /// Keys of the registry's texts by their name.
    registry: BTreeMap<String, BTreeSet<Vec<u8>>>,
    revision: i64,
    bytes: usize,
}

/// A key that changes.
#[derive(Clone, Debug)]
pub struct Edit {
    /// The key.
    pub key: Vec<u8>,
    /// What stands there from then on; `None`: nothing.
    pub written: Option<(Pair, Meaning)>,
}

/// What a request leads to, once it is taken.
#[derive(Debug)]
pub struct Draft {
    /// What the agent hears then.
    pub reply: Reply,
    /// What changes, each key once.
    pub edits: Vec<Edit>,
}

/// A target of a name that is there, or is not any more.
pub type Touched = (HostName, Option<String>);

impl KeySpace {
    /// With these pairs, as they were kept. Those that mean nothing any more are passed over.
    pub fn of(pairs: impl IntoIterator<Item = Pair>) -> Self {
        let mut space = Self { revision: 1, ..Self::default() };
        for pair in pairs {
            space.revision = space.revision.max(pair.mod_revision);
            if let Ok(meaning) = Meaning::read(&pair.key, &pair.value) {
                space.insert(pair, meaning);
            }
        }
        space
    }

    /// Whether the agent has nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// All keys.
    pub fn keys(&self) -> impl Iterator<Item = &[u8]> {
        self.held.keys().map(Vec::as_slice)
    }

    /// The names with hosts.
    pub fn names(&self) -> impl Iterator<Item = &HostName> {
        self.names.keys()
    }

    /// The targets of a name.
    pub fn targets(&self, name: &HostName) -> impl Iterator<Item = &String> {
        self.names.get(name).into_iter().flat_map(BTreeMap::values)
    }

    /// Whether this stands at the key already.
    #[must_use]
    pub fn has(&self, key: &[u8], value: &[u8]) -> bool {
        self.held.get(key).is_some_and(|held| held.pair.value == value)
    }

    /// What a request leads to. Nothing changes yet.
    ///
    /// # Errors
    /// When etcd would refuse it, it is not as external-dns writes, or the agent has as much as it may.
    pub fn draft(&self, request: &Request) -> Result<Draft, Refusal> {
        let Request { compares, success, failure } = request;
        if [compares.len(), success.len(), failure.len()].into_iter().any(|count| count > MAX_OPERATIONS) {
            return Err(Refusal::TooManyOperations);
        }
        let mut drafting =
            Drafting { space: self, edits: BTreeMap::new(), written: BTreeSet::new(), deleted: Vec::new() };
        let mut succeeded = true;
        for compare in compares {
            compare.interval.check()?;
            succeeded &= drafting.holds(compare);
        }
        let operations = if succeeded { success } else { failure };
        let outcomes: Result<Vec<Outcome>, Refusal> =
            operations.iter().map(|operation| drafting.operate(operation)).collect();
        let outcomes = outcomes?;
        let edits = drafting.finish()?;
        let revision = if edits.is_empty() { self.revision } else { self.revision + 1 };
        Ok(Draft { reply: Reply { revision, succeeded, outcomes }, edits })
    }

    /// Takes a draft, the newest one; gives the names that it touches, with the targets that are gone.
    pub fn take(&mut self, edits: Vec<Edit>) -> Vec<Touched> {
        if !edits.is_empty() {
            self.revision += 1;
        }
        let mut touched = Vec::new();
        for Edit { key, written } in edits {
            if let Some(Meaning::Host { name, target }) = self.remove(&key) {
                touched.push((name, Some(target)));
            }
            if let Some((pair, meaning)) = written {
                if let Meaning::Host { name, .. } = &meaning {
                    touched.push((name.clone(), None));
                }
                self.insert(pair, meaning);
            }
        }
        touched
    }

    fn insert(&mut self, pair: Pair, meaning: Meaning) {
        let key = pair.key.clone();
        self.bytes += key.len() + pair.value.len();
        match &meaning {
            Meaning::Host { name, target } => {
                self.names.entry(name.clone()).or_default().insert(key.clone(), target.clone());
            }
            Meaning::Registry { name } => {
                self.registry.entry(name.clone()).or_default().insert(key.clone());
            }
            Meaning::Text { .. } => {}
        }
        self.held.insert(key, Held { pair, meaning });
    }

    fn remove(&mut self, key: &[u8]) -> Option<Meaning> {
        let Held { pair, meaning } = self.held.remove(key)?;
        self.bytes -= pair.key.len() + pair.value.len();
        match &meaning {
            Meaning::Host { name, .. } => {
                if let Some(targets) = self.names.get_mut(name) {
                    targets.remove(key);
                    if targets.is_empty() {
                        self.names.remove(name);
                    }
                }
            }
            Meaning::Registry { name } => {
                if let Some(keys) = self.registry.get_mut(name) {
                    keys.remove(key);
                    if keys.is_empty() {
                        self.registry.remove(name);
                    }
                }
            }
            Meaning::Text { .. } => {}
        }
        Some(meaning)
    }

    fn scan<'s>(&'s self, interval: &'s Interval) -> impl Iterator<Item = (&'s Vec<u8>, &'s Held)> {
        let from = self.held.range::<[u8], _>((
            std::ops::Bound::Included(interval.key.as_slice()),
            std::ops::Bound::Unbounded,
        ));
        from.take_while(|(key, _)| interval.contains(key))
    }
}

/// A request that is being looked at.
struct Drafting<'s> {
    space: &'s KeySpace,
    /// `None`: deleted.
    edits: BTreeMap<Vec<u8>, Option<Held>>,
    written: BTreeSet<Vec<u8>>,
    deleted: Vec<Interval>,
}

impl Drafting<'_> {
    fn get(&self, key: &[u8]) -> Option<&Held> {
        match self.edits.get(key) {
            Some(edited) => edited.as_ref(),
            None => self.space.held.get(key),
        }
    }

    /// All in an interval, in order.
    fn scan<'d>(&'d self, interval: &'d Interval) -> Vec<&'d Held> {
        let old = self.space.scan(interval).filter(|(key, _)| !self.edits.contains_key(*key));
        let new = self.edits.iter().filter(|(key, _)| interval.contains(key));
        let new = new.filter_map(|(key, held)| Some((key, held.as_ref()?)));
        let mut all: Vec<(&Vec<u8>, &Held)> = old.chain(new).collect();
        if !self.edits.is_empty() {
            all.sort_by_key(|(key, _)| *key);
        }
        all.into_iter().map(|(_, held)| held).collect()
    }

    fn holds(&self, compare: &Compare) -> bool {
        let Compare { interval, compared, relation } = compare;
        let found = self.scan(interval);
        if found.is_empty() {
            // As in etcd: what is not there has revisions and a version of 0, and no value.
            return match compared {
                Compared::Version(to) | Compared::CreateRevision(to) | Compared::ModRevision(to) => {
                    relation.holds(&0, to)
                }
                Compared::Value(_) => false,
            };
        }
        found.into_iter().all(|Held { pair, .. }| match compared {
            Compared::Version(to) => relation.holds(&pair.version, to),
            Compared::CreateRevision(to) => relation.holds(&pair.create_revision, to),
            Compared::ModRevision(to) => relation.holds(&pair.mod_revision, to),
            Compared::Value(to) => relation.holds(&pair.value, to),
        })
    }

    fn operate(&mut self, operation: &Operation) -> Result<Outcome, Refusal> {
        match operation {
            Operation::Read(read) => self.read(read),
            Operation::Put { key, value, previous } => self.put(key, value, *previous),
            Operation::Delete { interval, previous } => self.delete(interval, *previous),
        }
    }

    fn read(&self, read: &Read) -> Result<Outcome, Refusal> {
        let Read { interval, limit, revision, order, keys_only, count_only, mod_revisions, create_revisions } =
            read;
        interval.check()?;
        if *revision > self.space.revision {
            return Err(Refusal::FutureRevision);
        }
        if *revision > 0 && *revision < self.space.revision {
            return Err(Refusal::Compacted);
        }
        let mut found = self.scan(interval);
        let count = found.len();
        let within = |(least, most): (i64, i64), revision: i64| {
            (least <= 0 || revision >= least) && (most <= 0 || revision <= most)
        };
        found.retain(|Held { pair, .. }| {
            within(*mod_revisions, pair.mod_revision) && within(*create_revisions, pair.create_revision)
        });
        match order {
            Some(order) => order.sort(&mut found),
            None if *limit == 0 => {
                found.sort_by_key(|held| !matches!(held.meaning, Meaning::Host { .. }));
            }
            None => {}
        }
        let more = *limit > 0 && found.len() > *limit;
        if *limit > 0 {
            found.truncate(*limit);
        }
        if *count_only {
            found.clear();
        }
        let pair = |held: &Held| match keys_only {
            true => Pair { value: Vec::new(), key: held.pair.key.clone(), ..held.pair },
            false => held.pair.clone(),
        };
        Ok(Outcome::Read { pairs: found.into_iter().map(pair).collect(), count, more })
    }

    fn put(&mut self, key: &[u8], value: &[u8], previous: bool) -> Result<Outcome, Refusal> {
        if key.is_empty() {
            return Err(Refusal::NoKey);
        }
        if self.deleted.iter().any(|interval| interval.contains(key)) || !self.written.insert(key.to_vec()) {
            return Err(Refusal::DuplicateKey);
        }
        let meaning = Meaning::read(key, value)?;
        match &meaning {
            Meaning::Host { name, .. } => {
                let targets = self.space.names.get(name);
                if targets.is_some_and(|keys| keys.len() >= MAX_TARGETS && !keys.contains_key(key)) {
                    return Err(Refusal::NoSpace(format!("{name} has {MAX_TARGETS} targets already")));
                }
            }
            Meaning::Registry { name } => {
                let others = self.space.registry.get(name).into_iter().flatten();
                let others: Vec<Vec<u8>> = others.filter(|other| *other != key).cloned().collect();
                self.edits.extend(others.into_iter().map(|other| (other, None)));
            }
            Meaning::Text { .. } => {}
        }
        let revision = self.space.revision + 1;
        let old = self.get(key).map(|held| &held.pair);
        let pair = Pair {
            key: key.to_vec(),
            value: value.to_vec(),
            create_revision: old.map_or(revision, |old| old.create_revision),
            mod_revision: revision,
            version: old.map_or(0, |old| old.version) + 1,
        };
        let old = old.filter(|_| previous).cloned();
        self.edits.insert(key.to_vec(), Some(Held { pair, meaning }));
        Ok(Outcome::Put(old))
    }

    fn delete(&mut self, interval: &Interval, previous: bool) -> Result<Outcome, Refusal> {
        interval.check()?;
        if self.written.iter().any(|key| interval.contains(key)) {
            return Err(Refusal::DuplicateKey);
        }
        self.deleted.push(interval.clone());
        let mut found: Vec<Held> = self.scan(interval).into_iter().cloned().collect();
        if found.is_empty() && interval.is_exact() {
            found = self.registry_below(&interval.key);
        }
        for Held { pair, meaning } in &found {
            self.edits.insert(pair.key.clone(), None);
            if let Meaning::Registry { name } = meaning {
                let rest = self.of_record(name);
                self.edits.extend(rest.into_iter().map(|key| (key, None)));
            }
        }
        let count = found.len();
        let pairs = found.into_iter().map(|held| held.pair);
        Ok(Outcome::Deleted { count, previous: if previous { pairs.collect() } else { Vec::new() } })
    }

    /// Texts of the registry under one label more.
    fn registry_below(&self, key: &[u8]) -> Vec<Held> {
        let below = Interval { key: [key, b"/"].concat(), end: [key, b"0"].concat() };
        let found = self.scan(&below).into_iter();
        let found = found.filter(|Held { pair, meaning }| {
            matches!(meaning, Meaning::Registry { .. }) && is_value_label(&pair.key[key.len()..])
        });
        found.cloned().collect()
    }

    /// The keys of the record that a name of the registry is about.
    fn of_record(&self, registry_name: &str) -> Vec<Vec<u8>> {
        let Some((kind, name)) = registered(registry_name) else { return Vec::new() };
        let targets = self.space.names.get(&name).into_iter().flatten();
        let targets = targets.filter(|(key, target)| kind_of(target) == kind && !self.written.contains(*key));
        targets.map(|(key, _)| key.clone()).collect()
    }

    fn finish(self) -> Result<Vec<Edit>, Refusal> {
        let size = |held: &Held| held.pair.key.len() + held.pair.value.len();
        let (mut keys, mut bytes) = (self.space.held.len(), self.space.bytes);
        for (key, edited) in &self.edits {
            if let Some(old) = self.space.held.get(key) {
                keys -= 1;
                bytes -= size(old);
            }
            if let Some(new) = edited {
                keys += 1;
                bytes += size(new);
            }
        }
        if keys > MAX_KEYS && keys > self.space.held.len() {
            return Err(Refusal::NoSpace(format!("at most {MAX_KEYS} keys")));
        }
        if bytes > MAX_BYTES && bytes > self.space.bytes {
            return Err(Refusal::NoSpace(format!("at most {MAX_BYTES} bytes")));
        }
        let edit = |(key, held): (Vec<u8>, Option<Held>)| Edit {
            key,
            written: held.map(|Held { pair, meaning }| (pair, meaning)),
        };
        // What was not there before need not be deleted.
        let edits = self.edits.into_iter();
        let edits = edits.filter(|(key, held)| held.is_some() || self.space.held.contains_key(key));
        Ok(edits.map(edit).collect())
    }
}

/// The registry's word for the type of a target.
fn kind_of(target: &str) -> &'static str {
    match target.parse() {
        Ok(IpAddr::V4(_)) => "a",
        Ok(IpAddr::V6(_)) => "aaaa",
        Err(_) => "cname",
    }
}

impl Relation {
    fn holds<T: Ord>(self, left: &T, right: &T) -> bool {
        match self {
            Self::Equal => left == right,
            Self::Greater => left > right,
            Self::Less => left < right,
            Self::NotEqual => left != right,
        }
    }
}

impl Order {
    fn sort(self, found: &mut [&Held]) {
        match self.by {
            SortBy::Key => found.sort_by(|a, b| a.pair.key.cmp(&b.pair.key)),
            SortBy::Version => found.sort_by_key(|held| held.pair.version),
            SortBy::CreateRevision => found.sort_by_key(|held| held.pair.create_revision),
            SortBy::ModRevision => found.sort_by_key(|held| held.pair.mod_revision),
            SortBy::Value => found.sort_by(|a, b| a.pair.value.cmp(&b.pair.value)),
        }
        if self.descending {
            found.reverse();
        }
    }
}

#[cfg(test)]
#[path = "space_tests.rs"]
mod tests;
