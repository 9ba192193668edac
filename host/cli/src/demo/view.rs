//! View: what the store holds, for people.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::mirror::{Mirror, Stored, StoredName};
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::record::RecordType;
use openmcp_dns_core::skydns::Prefix;

use openmcp_dns_store::StoreEvent;

/// One value in the store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Value {
    /// Its type.
    pub record_type: RecordType,
    /// The value as text.
    pub text: String,
    /// Time to live in seconds.
    pub ttl_seconds: u32,
    /// The cluster that published it.
    pub cluster: ClusterId,
    /// The object it comes from, for example `HTTPRoute/default/example-route`.
    pub source: String,
}

/// What the store holds. Clones are the same view.
#[derive(Clone)]
pub struct View(Arc<Mutex<Mirror>>);

impl View {
    /// An empty view.
    pub fn new(prefix: Prefix) -> Self {
        Self(Arc::new(Mutex::new(Mirror::new(prefix))))
    }

    /// Takes over what the store reports.
    pub fn take_in(&self, event: &StoreEvent) {
        self.lock().take_in(event, |_| None);
    }

    /// The values at a name, sorted.
    pub fn at(&self, name: &HostName) -> BTreeSet<Value> {
        values(&self.lock(), name)
    }

    /// Everything.
    pub fn all(&self) -> BTreeMap<HostName, BTreeSet<Value>> {
        let mirror = self.lock();
        let names = mirror.owners().flat_map(|owner| mirror.names_of(owner));
        names.map(|name| (name.clone(), values(&mirror, name))).collect()
    }

    /// How many names there are.
    pub fn names(&self) -> usize {
        let mirror = self.lock();
        mirror.owners().map(|owner| mirror.names_of(owner).count()).sum()
    }

    fn lock(&self) -> MutexGuard<'_, Mirror> {
        // A panic while the lock is held is a bug of ours; what is shown may then lack a value.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn values(mirror: &Mirror, name: &HostName) -> BTreeSet<Value> {
    mirror.at(name).into_iter().flat_map(StoredName::iter).filter_map(value).collect()
}

fn value(stored: &Stored) -> Option<Value> {
    let value = stored.value()?;
    Some(Value {
        record_type: value.record_type(),
        text: value.to_string(),
        ttl_seconds: stored.ttl_seconds()?,
        cluster: stored.owner()?.cluster.clone(),
        source: stored.source().unwrap_or_default().to_owned(),
    })
}
