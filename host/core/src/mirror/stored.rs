//! Values as the mirror keeps them.

use std::sync::Arc;

use crate::record::RecordValue;
use crate::skydns::{Entry, Owner, Source, ValueId};

/// One value in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Where below the name it lies.
    pub id: ValueId,
    /// Revision of the store at which the value was last written; guards our changes to it.
    pub mod_revision: i64,
    pub(super) content: Content,
}

/// There may be a million values, nearly all of them as this service writes them: those are kept
/// without the texts that follow from the name, and share the names of owner and source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Exactly what this service writes.
    Written { owner: Arc<Owner>, source: Arc<str>, value: RecordValue, ttl_seconds: u32 },
    /// Anything else.
    Other(Box<Other>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Other {
    /// The value, or why it is none.
    pub(super) entry: Result<Entry, String>,
    /// What it publishes at its name; `None` when it cannot be served.
    pub(super) value: Option<RecordValue>,
    pub(super) owner: Option<Arc<Owner>>,
}

impl Stored {
    /// Who of ours wrote it; `None` when it is not ours.
    #[must_use]
    pub fn owner(&self) -> Option<&Owner> {
        self.shared_owner().map(|owner| &**owner)
    }

    /// The object from which it comes, as text; `None` when it does not say so.
    #[must_use]
    pub fn source(&self) -> Option<&str> {
        match &self.content {
            Content::Written { source, .. } => Some(source),
            Content::Other(other) => other.entry.as_ref().ok()?.source.as_deref(),
        }
    }

    /// What is published; `None` when it cannot be served.
    #[must_use]
    pub fn value(&self) -> Option<RecordValue> {
        match &self.content {
            Content::Written { value, .. } => Some(value.clone()),
            Content::Other(other) => other.value.clone(),
        }
    }

    /// Time to live in seconds; `None` when it cannot be served.
    #[must_use]
    pub fn ttl_seconds(&self) -> Option<u32> {
        match &self.content {
            Content::Written { ttl_seconds, .. } => Some(*ttl_seconds),
            Content::Other(other) => Some(other.entry.as_ref().ok()?.ttl_seconds()),
        }
    }

    /// Whether it is exactly what would be written for this.
    #[must_use]
    pub fn is_written_as(&self, wanted: &RecordValue, ttl: u32, by: &Owner, from: Source<'_>) -> bool {
        match &self.content {
            Content::Written { owner, source, value, ttl_seconds } => {
                value == wanted && *ttl_seconds == ttl && **owner == *by && from.is_written(source)
            }
            Content::Other(_) => false,
        }
    }

    pub(super) fn shared_owner(&self) -> Option<&Arc<Owner>> {
        match &self.content {
            Content::Written { owner, .. } => Some(owner),
            Content::Other(other) => other.owner.as_ref(),
        }
    }
}

/// The values at one name, sorted by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredName(Box<[Stored]>);

impl StoredName {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Stored> {
        self.0.iter()
    }

    /// The value with this id.
    #[must_use]
    pub fn get(&self, id: ValueId) -> Option<&Stored> {
        let at = self.0.binary_search_by_key(&id, |stored| stored.id).ok()?;
        self.0.get(at)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts a value there, or takes one away.
    pub(super) fn set(&mut self, id: ValueId, stored: Option<Stored>) {
        let mut values = std::mem::take(&mut self.0).into_vec();
        match (values.binary_search_by_key(&id, |stored| stored.id), stored) {
            (Ok(at), Some(stored)) => values[at] = stored,
            (Ok(at), None) => drop(values.remove(at)),
            (Err(at), Some(stored)) => {
                // Most names have one value.
                values.reserve_exact(1);
                values.insert(at, stored);
            }
            (Err(_), None) => {}
        }
        self.0 = values.into();
    }

    pub(super) fn has_foreign(&self) -> bool {
        self.iter().any(|stored| stored.owner().is_none())
    }
}
