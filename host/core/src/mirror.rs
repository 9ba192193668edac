//! What the store holds, as the last read and the watch since then have shown it.

mod stored;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::cluster::{ClusterId, SourceRef};
use crate::details::NameCounts;
use crate::few::Few;
use crate::name::HostName;
use crate::record::{RecordSet, RecordType, RecordValue, Values};
use crate::skydns::{Entry, Owner, Prefix, ValueId, parse_key};

pub use crate::store_event::{KeyValue, StoreEvent};
use stored::{Content, Other};
pub use stored::{Stored, StoredName};

/// What the store holds. Fed by the watch only, so it never runs ahead of the store.
#[derive(Debug)]
pub struct Mirror {
    prefix: Prefix,
    names: HashMap<HostName, StoredName>,
    owners: HashMap<Arc<Owner>, Owned>,
    /// The same by their texts, so that they need not be read again and again.
    owners_by_text: HashMap<Box<str>, Arc<Owner>>,
    /// Keys that the read under way has not shown yet; `None` while nothing is read.
    unread: Option<BTreeSet<(HostName, ValueId)>>,
    /// Clusters of which more or fewer names stand here than when that was asked last.
    changed_owners: BTreeSet<ClusterId>,
}

/// What the store holds of one owner.
#[derive(Debug, Default)]
struct Owned {
    names: BTreeSet<HostName>,
    /// How many of them are those of addresses.
    reverse: usize,
    /// Names by the object that led there.
    by_source: HashMap<Arc<str>, Few<HostName>>,
    /// At how many of the names something stands that nobody of ours has written.
    foreign: usize,
}

/// Who has something at a name.
#[derive(Default)]
struct Standing {
    owners: BTreeMap<Arc<Owner>, BTreeSet<Arc<str>>>,
    foreign: bool,
}

impl Mirror {
    /// An empty mirror of what lies below `prefix`.
    #[must_use]
    pub fn new(prefix: Prefix) -> Self {
        Self {
            prefix,
            names: HashMap::new(),
            owners: HashMap::new(),
            owners_by_text: HashMap::new(),
            unread: None,
            changed_owners: BTreeSet::new(),
        }
    }

    /// Where the records lie in the store.
    #[must_use]
    pub const fn prefix(&self) -> &Prefix {
        &self.prefix
    }

    /// Takes in what the store tells; gives the names at which something has changed, one after the other, and the
    /// revision if the store has told of the change itself. What a read shows as it was costs nothing more.
    /// `known` gives a name as others have it, to share its text.
    pub fn take_in<'k>(
        &mut self,
        event: &StoreEvent,
        known: impl Fn(&HostName) -> Option<&'k HostName>,
    ) -> Vec<(HostName, Option<i64>)> {
        let mut changed = Vec::new();
        match event {
            StoreEvent::Reading => {
                let all = self.names.iter();
                let keys =
                    all.flat_map(|(name, stored)| stored.iter().map(|stored| (name.clone(), stored.id)));
                self.unread = Some(keys.collect());
            }
            StoreEvent::Page(entries) => {
                let names = entries.iter().filter_map(|entry| self.update(entry, &known));
                changed.extend(names.map(|name| (name, None)));
            }
            StoreEvent::Read { .. } => {
                for (name, id) in self.unread.take().unwrap_or_default() {
                    self.put(&name, id, None);
                    changed.push((name, None));
                }
            }
            StoreEvent::Changed { changes, .. } => {
                let names = changes
                    .iter()
                    .filter_map(|change| Some((self.update(change, &known)?, Some(change.mod_revision))));
                changed.extend(names);
            }
            StoreEvent::Trouble(_) => {}
        }
        changed
    }

    fn update<'k>(
        &mut self,
        entry: &KeyValue,
        known: &impl Fn(&HostName) -> Option<&'k HostName>,
    ) -> Option<HostName> {
        self.take(&entry.key, entry.value.as_deref().map(|value| (value, entry.mod_revision)), known)
    }

    /// Takes in one key; `value` is the value and its revision, or `None` when the key is gone.
    /// Gives the name at which that changes something; `None` also for a key that no name of ours can
    /// have.
    pub fn apply(&mut self, key: &str, value: Option<(&[u8], i64)>) -> Option<HostName> {
        self.take(key, value, &|_| None)
    }

    fn take<'k>(
        &mut self,
        key: &str,
        value: Option<(&[u8], i64)>,
        known: &impl Fn(&HostName) -> Option<&'k HostName>,
    ) -> Option<HostName> {
        let parts = parse_key(&self.prefix, key)?;
        let name = parts.host_name().ok()?;
        let id = ValueId::parse(parts.value_id)?;
        let name = self.known(&name).or_else(|| known(&name)).map_or(name, HostName::clone);
        let stored = value.map(|(json, mod_revision)| self.read(&name, id, json, mod_revision));
        if let Some(unread) = &mut self.unread {
            unread.remove(&(name.clone(), id));
        }
        let known = self.names.get(&name).and_then(|stored| stored.get(id));
        if known == stored.as_ref() {
            return None;
        }
        self.put(&name, id, stored);
        Some(name)
    }

    fn read(&self, name: &HostName, id: ValueId, json: &[u8], mod_revision: i64) -> Stored {
        let entry = Entry::decode(json).map_err(|error| error.to_string());
        let owner = entry.as_ref().ok().and_then(|entry| self.owner(entry.owner.as_deref()?));
        let content = match (&entry, &owner) {
            (Ok(entry), Some(owner)) => self.written(name, entry, owner, json),
            _ => None,
        };
        let content = content.unwrap_or_else(|| {
            let value = entry.as_ref().ok().and_then(|entry| entry.value_at(name).ok());
            Content::Other(Box::new(Other { entry, value, owner }))
        });
        Stored { id, mod_revision, content }
    }

    fn owner(&self, text: &str) -> Option<Arc<Owner>> {
        if let Some(known) = self.owners_by_text.get(text) {
            return Some(Arc::clone(known));
        }
        let owner = text.parse::<Owner>().ok()?;
        let known = self.owners.get_key_value(&owner).map(|(known, _)| Arc::clone(known));
        Some(known.unwrap_or_else(|| Arc::new(owner)))
    }

    /// The value, if it is exactly what this service writes.
    fn written(&self, name: &HostName, entry: &Entry, owner: &Arc<Owner>, json: &[u8]) -> Option<Content> {
        let value = entry.value_at(name).ok()?;
        let source = entry.source.as_deref()?;
        let ttl_seconds = entry.ttl?;
        if Entry::of_text(name, &value, ttl_seconds, owner, source).encode() != json {
            return None;
        }
        let known = self.owners.get(owner).and_then(|owned| owned.by_source.get_key_value(source));
        let source = known.map_or_else(|| source.into(), |(known, _)| Arc::clone(known));
        Some(Content::Written { owner: Arc::clone(owner), source, value, ttl_seconds })
    }

    fn put(&mut self, name: &HostName, id: ValueId, stored: Option<Stored>) {
        let before = self.standing(name);
        let values = self.names.entry(name.clone()).or_default();
        values.set(id, stored);
        if values.is_empty() {
            self.names.remove(name);
        }
        let after = self.standing(name);
        self.recount(name, &before, &after);
    }

    fn standing(&self, name: &HostName) -> Standing {
        let mut standing = Standing::default();
        let Some(values) = self.names.get(name) else { return standing };
        standing.foreign = values.has_foreign();
        let is_reverse = name.address().is_some();
        for stored in values.iter() {
            let Some(owner) = stored.shared_owner() else { continue };
            let sources = standing.owners.entry(Arc::clone(owner)).or_default();
            match &stored.content {
                // It comes of an address record, and of that one's object only for that.
                _ if is_reverse => {}
                Content::Written { source, .. } => drop(sources.insert(Arc::clone(source))),
                Content::Other(_) => sources.extend(stored.source().map(Arc::from)),
            }
        }
        standing
    }

    fn recount(&mut self, name: &HostName, before: &Standing, after: &Standing) {
        let reverse = usize::from(name.address().is_some());
        for (owner, old) in &before.owners {
            let Some(owned) = self.owners.get_mut(owner) else { continue };
            let new = after.owners.get(owner);
            owned.foreign -= usize::from(before.foreign);
            for source in old.iter().filter(|source| new.is_none_or(|new| !new.contains(*source))) {
                owned.forget(source, name);
            }
            if new.is_none() {
                self.changed_owners.insert(owner.cluster.clone());
                owned.names.remove(name);
                owned.reverse -= reverse;
                if owned.names.is_empty() {
                    self.owners.remove(owner);
                    self.owners_by_text.remove(owner.to_string().as_str());
                }
            }
        }
        for (owner, new) in &after.owners {
            let owned = self.owners.entry(Arc::clone(owner)).or_insert_with(|| {
                self.owners_by_text.insert(owner.to_string().into(), Arc::clone(owner));
                Owned::default()
            });
            owned.foreign += usize::from(after.foreign);
            if owned.names.insert(name.clone()) {
                owned.reverse += reverse;
                self.changed_owners.insert(owner.cluster.clone());
            }
            for source in new {
                owned.remember(source, name);
            }
        }
    }

    /// Clusters of which more or fewer names stand here than when this was asked last.
    pub fn take_changed_owners(&mut self) -> BTreeSet<ClusterId> {
        std::mem::take(&mut self.changed_owners)
    }

    /// What the store holds at a name.
    #[must_use]
    pub fn at(&self, name: &HostName) -> Option<&StoredName> {
        self.names.get(name)
    }

    /// All names at which something stands, in no order.
    pub fn names(&self) -> impl Iterator<Item = &HostName> {
        self.names.keys()
    }

    /// A name as it is kept here, if anything stands there.
    #[must_use]
    pub fn known(&self, name: &HostName) -> Option<&HostName> {
        self.names.get_key_value(name).map(|(known, _)| known)
    }

    /// The CNAME that we have published at a name.
    #[must_use]
    pub fn published_cname(&self, name: &HostName) -> Option<HostName> {
        let ours = self.names.get(name)?.iter().filter(|stored| stored.owner().is_some());
        ours.filter_map(Stored::value).find_map(|value| match value {
            RecordValue::Cname(to) => Some(to),
            _ => None,
        })
    }

    /// All names at which an owner has values, those of addresses too.
    pub fn names_of(&self, owner: &Owner) -> impl Iterator<Item = &HostName> {
        self.owners.get(owner).into_iter().flat_map(|owned| &owned.names)
    }

    /// At how many host names, and names of their SRV records, an owner has values.
    #[must_use]
    pub fn count_of(&self, owner: &Owner) -> usize {
        self.owners.get(owner).map_or(0, |owned| owned.names.len() - owned.reverse)
    }

    /// The reverse names of addresses at which an owner has values.
    pub fn reverse_names_of(&self, owner: &Owner) -> impl Iterator<Item = &HostName> {
        let owned = self.owners.get(owner).filter(|owned| owned.reverse > 0);
        owned.into_iter().flat_map(|owned| &owned.names).filter(|name| name.address().is_some())
    }

    /// At how many names the objects of an owner have values.
    #[must_use]
    pub fn names_by_object(&self, owner: &Owner) -> NameCounts {
        let mut counts = NameCounts::default();
        for (source, names) in self.owners.get(owner).into_iter().flat_map(|owned| &owned.by_source) {
            // Kind, namespace and name, with slashes between them.
            counts.add(source.split('/').nth(1).unwrap_or_default(), names.len());
        }
        counts
    }

    /// At how many of an owner's names something stands that nobody of ours has written.
    #[must_use]
    pub fn foreign_of(&self, owner: &Owner) -> usize {
        self.owners.get(owner).map_or(0, |owned| owned.foreign)
    }

    /// Everyone who has values in the store.
    pub fn owners(&self) -> impl Iterator<Item = &Owner> {
        self.owners.keys().map(|owner| &**owner)
    }

    /// What stands published for one object of an owner.
    #[must_use]
    pub fn published(&self, owner: &Owner, source: &SourceRef) -> Vec<RecordSet> {
        let source = source.to_string();
        let names = self.owners.get(owner).and_then(|owned| owned.by_source.get(source.as_str()));
        let mut sets: BTreeMap<(HostName, RecordType), RecordSet> = BTreeMap::new();
        for name in names.into_iter().flatten() {
            for stored in self.names.get(name).into_iter().flat_map(StoredName::iter) {
                if stored.owner() != Some(owner) || stored.source() != Some(&source) {
                    continue;
                }
                let (Some(value), Some(ttl_seconds)) = (stored.value(), stored.ttl_seconds()) else {
                    continue;
                };
                sets.entry((name.clone(), value.record_type()))
                    .or_insert_with(|| RecordSet {
                        name: name.clone(),
                        ttl_seconds,
                        values: Values::default(),
                    })
                    .values
                    .insert(value);
            }
        }
        sets.into_values().collect()
    }
}

impl Owned {
    fn remember(&mut self, source: &Arc<str>, name: &HostName) {
        self.by_source.entry(Arc::clone(source)).or_default().insert(name.clone());
    }

    fn forget(&mut self, source: &str, name: &HostName) {
        let Some(names) = self.by_source.get_mut(source) else { return };
        names.remove(name);
        if names.is_empty() {
            self.by_source.remove(source);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::Kind;
    use crate::skydns::{Source, key_for, value_id};

    fn owner(cluster: &str) -> Owner {
        Owner { zone: "openmcp.cluster".parse().unwrap(), cluster: ClusterId::new("openmcp-system", cluster) }
    }

    fn source(name: &str) -> SourceRef {
        SourceRef::new(Kind::HttpRoute, "default", name)
    }

    fn put(mirror: &mut Mirror, cluster: &str, route: &str, host: &str, address: &str) -> String {
        let name = host.parse().unwrap();
        let value = RecordValue::parse(RecordType::A, address).unwrap();
        let owner = owner(cluster);
        let key = key_for(mirror.prefix(), &name, &value_id(&owner, &value));
        let json = Entry::new(&name, &value, 60, &owner, Source::Object(&source(route))).encode();
        mirror.apply(&key, Some((&json, 7)));
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
        assert!(stored.iter().all(|stored| stored.owner().is_none()));
        assert_eq!(mirror.owners().count(), 0);
        assert_eq!(mirror.apply("/other/cluster/a", Some((b"{}", 3))), None);
        assert_eq!(mirror.apply("/skydns/cluster/in valid", Some((b"{}", 3))), None);
    }
}
