//! What the store holds, as the last read and the watch since then have shown it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::cluster::SourceRef;
use crate::name::HostName;
use crate::record::{RecordSet, RecordType, RecordValue};
use crate::skydns::{Entry, Owner, Prefix, parse_key};

/// One value in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Revision of the store at which the value was last written; guards our changes to it.
    pub mod_revision: i64,
    /// The value, or why it is none.
    pub entry: Result<Entry, String>,
}

impl Stored {
    /// Who of ours wrote it; `None` when it is not ours.
    #[must_use]
    pub fn owner(&self) -> Option<Owner> {
        self.entry.as_ref().ok()?.owner.as_deref()?.parse().ok()
    }

    fn source(&self) -> Option<&str> {
        self.entry.as_ref().ok()?.source.as_deref()
    }
}

/// One key with its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyValue {
    /// The key.
    pub key: String,
    /// The value; `None` when the key is gone.
    pub value: Option<Vec<u8>>,
    /// Revision of the store at which it was written.
    pub mod_revision: i64,
}

/// What following a store reports.
#[derive(Clone, Debug)]
pub enum StoreEvent {
    /// Everything the store holds: the first read, or a new one after an interruption.
    Replaced {
        /// Revision of the store.
        revision: i64,
        /// All keys below the prefix.
        entries: Vec<KeyValue>,
    },
    /// Some keys have changed.
    Changed {
        /// Revision of the store.
        revision: i64,
        /// The keys, in the order of their changes.
        changes: Vec<KeyValue>,
    },
    /// The store does not answer; following goes on by itself.
    Trouble(String),
}

/// The values at one name, by key.
pub type StoredName = BTreeMap<String, Stored>;

/// What the store holds. Fed by the watch only, so it never runs ahead of the store.
#[derive(Debug)]
pub struct Mirror {
    prefix: Prefix,
    names: HashMap<HostName, StoredName>,
    names_of_owner: HashMap<Owner, BTreeMap<HostName, usize>>,
    names_of_source: HashMap<(Owner, String), BTreeMap<HostName, usize>>,
}

impl Mirror {
    /// An empty mirror of what lies below `prefix`.
    #[must_use]
    pub fn new(prefix: Prefix) -> Self {
        Self {
            prefix,
            names: HashMap::new(),
            names_of_owner: HashMap::new(),
            names_of_source: HashMap::new(),
        }
    }

    /// Where the records lie in the store.
    #[must_use]
    pub const fn prefix(&self) -> &Prefix {
        &self.prefix
    }

    /// Forgets everything and takes in what the store holds.
    pub fn replace(&mut self, entries: &[KeyValue]) {
        *self = Self::new(self.prefix.clone());
        for entry in entries {
            self.update(entry);
        }
    }

    /// Takes in one key; gives the name that it belongs to, see [`Self::apply`].
    pub fn update(&mut self, entry: &KeyValue) -> Option<HostName> {
        self.apply(&entry.key, entry.value.as_deref().map(|value| (value, entry.mod_revision)))
    }

    /// Takes in one key; `value` is the value and its revision, or `None` when the key is gone.
    /// Gives the name that the key belongs to; `None` for a key that no name of ours can have.
    pub fn apply(&mut self, key: &str, value: Option<(&[u8], i64)>) -> Option<HostName> {
        let name = parse_key(&self.prefix, key)?.host_name().ok()?;
        let old = match value {
            Some((json, mod_revision)) => {
                let entry = Entry::decode(json).map_err(|error| error.to_string());
                let new = Stored { mod_revision, entry };
                self.count(&new, &name, 1);
                self.names.entry(name.clone()).or_default().insert(key.to_owned(), new)
            }
            None => self.names.get_mut(&name).and_then(|stored| stored.remove(key)),
        };
        if let Some(old) = old {
            self.count(&old, &name, -1);
        }
        if self.names.get(&name).is_some_and(BTreeMap::is_empty) {
            self.names.remove(&name);
        }
        Some(name)
    }

    /// What the store holds at a name.
    #[must_use]
    pub fn at(&self, name: &HostName) -> Option<&StoredName> {
        self.names.get(name)
    }

    /// The CNAME that we have published at a name.
    #[must_use]
    pub fn published_cname(&self, name: &HostName) -> Option<HostName> {
        self.names.get(name)?.values().filter(|stored| stored.owner().is_some()).find_map(|stored| {
            match stored.entry.as_ref().ok()?.value().ok()? {
                RecordValue::Cname(to) => Some(to),
                _ => None,
            }
        })
    }

    /// All names at which an owner has values.
    pub fn names_of(&self, owner: &Owner) -> impl Iterator<Item = &HostName> {
        self.names_of_owner.get(owner).into_iter().flat_map(BTreeMap::keys)
    }

    /// At how many names an owner has values.
    #[must_use]
    pub fn count_of(&self, owner: &Owner) -> usize {
        self.names_of_owner.get(owner).map_or(0, BTreeMap::len)
    }

    /// Everyone who has values in the store.
    pub fn owners(&self) -> impl Iterator<Item = &Owner> {
        self.names_of_owner.keys()
    }

    /// What stands published for one object of an owner.
    #[must_use]
    pub fn published(&self, owner: &Owner, source: &SourceRef) -> Vec<RecordSet> {
        let source = source.to_string();
        let mut sets: BTreeMap<(HostName, RecordType), RecordSet> = BTreeMap::new();
        let names = self.names_of_source.get(&(owner.clone(), source.clone()));
        for (name, stored) in
            names.into_iter().flat_map(BTreeMap::keys).filter_map(|name| self.names.get_key_value(name))
        {
            for stored in stored.values() {
                if stored.owner().as_ref() != Some(owner) || stored.source() != Some(&source) {
                    continue;
                }
                let Ok(entry) = &stored.entry else { continue };
                let Ok(value) = entry.value() else { continue };
                sets.entry((name.clone(), value.record_type()))
                    .or_insert_with(|| RecordSet {
                        name: name.clone(),
                        ttl_seconds: entry.ttl_seconds(),
                        values: BTreeSet::new(),
                    })
                    .values
                    .insert(value);
            }
        }
        sets.into_values().collect()
    }

    fn count(&mut self, stored: &Stored, name: &HostName, by: isize) {
        let Some(owner) = stored.owner() else { return };
        if let Some(source) = stored.source() {
            tally(&mut self.names_of_source, (owner.clone(), source.to_owned()), name, by);
        }
        tally(&mut self.names_of_owner, owner, name, by);
    }
}

/// Counts a name up or down, and forgets it when nothing is left.
fn tally<K: std::hash::Hash + Eq + Clone>(
    counts: &mut HashMap<K, BTreeMap<HostName, usize>>,
    key: K,
    name: &HostName,
    by: isize,
) {
    let names = counts.entry(key.clone()).or_default();
    let count = names.entry(name.clone()).or_default();
    *count = count.saturating_add_signed(by);
    if *count == 0 {
        names.remove(name);
    }
    if names.is_empty() {
        counts.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::ClusterId;
    use crate::kinds::Kind;
    use crate::skydns::{key_for, value_id};

    fn owner(cluster: &str) -> Owner {
        Owner { zone: "openmcp.cluster".parse().unwrap(), cluster: ClusterId::new("openmcp-system", cluster) }
    }

    fn source(name: &str) -> SourceRef {
        SourceRef { kind: Kind::HttpRoute, namespace: "default".into(), name: name.into() }
    }

    fn put(mirror: &mut Mirror, cluster: &str, route: &str, host: &str, address: &str) -> String {
        let name = host.parse().unwrap();
        let value = RecordValue::parse(RecordType::A, address).unwrap();
        let owner = owner(cluster);
        let key = key_for(mirror.prefix(), &name, &value_id(&owner, &value));
        let json = Entry::new(&name, &value, 60, &owner, &source(route)).encode();
        assert_eq!(mirror.apply(&key, Some((&json, 7))), Some(name));
        key
    }

    #[test]
    fn names_are_counted_by_owner_and_forgotten_with_their_last_value() {
        let mut mirror = Mirror::new(Prefix::default());
        let first = put(&mut mirror, "w1", "r", "a.openmcp.cluster", "10.0.0.1");
        let second = put(&mut mirror, "w1", "r", "a.openmcp.cluster", "10.0.0.2");
        put(&mut mirror, "w2", "r", "b.openmcp.cluster", "10.0.0.1");
        assert_eq!(mirror.count_of(&owner("w1")), 1);
        assert_eq!(mirror.published(&owner("w1"), &source("r"))[0].values.len(), 2);
        mirror.apply(&first, None);
        assert_eq!(mirror.count_of(&owner("w1")), 1);
        mirror.apply(&second, None);
        mirror.apply(&second, None);
        assert_eq!(mirror.count_of(&owner("w1")), 0);
        assert!(mirror.published(&owner("w1"), &source("r")).is_empty());
        assert_eq!(mirror.count_of(&owner("w2")), 1);
        assert_eq!(mirror.owners().count(), 1);
    }

    #[test]
    fn foreign_and_broken_values_are_kept_in_view_but_owned_by_nobody() {
        let mut mirror = Mirror::new(Prefix::default());
        let key = "/skydns/cluster/openmcp/a/3dc2be40";
        mirror.apply(key, Some((b"{\"host\":\"10.0.0.9\"}", 1)));
        mirror.apply("/skydns/cluster/openmcp/a", Some((b"not json", 2)));
        let name = "a.openmcp.cluster".parse().unwrap();
        let stored = mirror.at(&name).unwrap();
        assert_eq!(stored.len(), 2);
        assert!(stored.values().all(|stored| stored.owner().is_none()));
        assert_eq!(mirror.owners().count(), 0);
        assert_eq!(mirror.apply("/other/cluster/a", Some((b"{}", 3))), None);
        assert_eq!(mirror.apply("/skydns/cluster/in valid", Some((b"{}", 3))), None);
    }
}
