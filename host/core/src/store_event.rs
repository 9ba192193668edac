//! What following a store reports.

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
    /// A read of everything begins: the first one, or one where following could not be resumed.
    Reading,
    /// A page of that read, sorted by key.
    Page(Vec<KeyValue>),
    /// The read ends: what is on no page since it began is gone.
    Read {
        /// Revision of the store.
        revision: i64,
        /// Whether this is another store than before, or an older state of it, so that revisions that
        /// were seen before mean nothing.
        restored: bool,
    },
    /// Some keys have changed; none where the store only says up to where it has told everything.
    Changed {
        /// Revision of the store.
        revision: i64,
        /// The keys, in the order of their changes.
        changes: Vec<KeyValue>,
    },
    /// The store does not answer; following goes on by itself.
    Trouble(String),
}
