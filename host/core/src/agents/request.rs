//! What an agent may ask of its etcd, and what it hears: the part of etcd's KV service that external-dns uses.

use super::Refusal;

/// Most operations in a transaction: etcd's default of `--max-txn-ops`.
pub const MAX_OPERATIONS: usize = 128;

/// Keys from one on: that key where `end` is empty, all from there on where it is a zero byte, else those before `end`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interval {
    /// The first.
    pub key: Vec<u8>,
    /// See above.
    pub end: Vec<u8>,
}

impl Interval {
    /// One key.
    #[must_use]
    pub fn exactly(key: impl Into<Vec<u8>>) -> Self {
        Self { key: key.into(), end: Vec::new() }
    }

    /// Whether it is one key.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.end.is_empty()
    }

    /// Whether a key lies in it.
    #[must_use]
    pub fn contains(&self, key: &[u8]) -> bool {
        match self.end.as_slice() {
            [] => key == self.key,
            [0] => key >= self.key.as_slice(),
            end => key >= self.key.as_slice() && key < end,
        }
    }

    pub(super) fn check(&self) -> Result<(), Refusal> {
        if self.key.is_empty() { Err(Refusal::NoKey) } else { Ok(()) }
    }
}

/// A key with its value, as etcd tells of it. Revisions are the agent's own: they say nothing of others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pair {
    /// The key.
    pub key: Vec<u8>,
    /// The value.
    pub value: Vec<u8>,
    /// When it came to be.
    pub create_revision: i64,
    /// When it was written last.
    pub mod_revision: i64,
    /// How often it was written.
    pub version: i64,
}

/// By what a read is sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortBy {
    /// The key.
    Key,
    /// How often it was written.
    Version,
    /// When it came to be.
    CreateRevision,
    /// When it was written last.
    ModRevision,
    /// The value.
    Value,
}

/// How a read is sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// By what.
    pub by: SortBy,
    /// Whether the last comes first.
    pub descending: bool,
}

/// What is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Read {
    /// Which keys.
    pub interval: Interval,
    /// How many at most; 0 for all.
    pub limit: usize,
    /// Of which state; 0 for the current one.
    pub revision: i64,
    /// `None`: by key, as etcd has them.
    pub order: Option<Order>,
    /// Without values.
    pub keys_only: bool,
    /// Without keys, too.
    pub count_only: bool,
    /// Only those written last in these revisions; 0 bounds nothing.
    pub mod_revisions: (i64, i64),
    /// Only those that came to be in these revisions; 0 bounds nothing.
    pub create_revisions: (i64, i64),
}

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Reads.
    Read(Read),
    /// Writes one key.
    Put {
        /// The key.
        key: Vec<u8>,
        /// Its value.
        value: Vec<u8>,
        /// Whether the value before is wanted.
        previous: bool,
    },
    /// Deletes.
    Delete {
        /// Which keys.
        interval: Interval,
        /// Whether the values before are wanted.
        previous: bool,
    },
}

/// What a transaction compares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compared {
    /// How often it was written; 0 where it is not there.
    Version(i64),
    /// When it came to be; 0 where it is not there.
    CreateRevision(i64),
    /// When it was written last; 0 where it is not there.
    ModRevision(i64),
    /// The value; what is not there has none.
    Value(Vec<u8>),
}

/// How that shall be to what is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// The same.
    Equal,
    /// More.
    Greater,
    /// Less.
    Less,
    /// Not the same.
    NotEqual,
}

/// A condition of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compare {
    /// Which keys: it has to be true of all.
    pub interval: Interval,
    /// What is compared with what.
    pub compared: Compared,
    /// How it shall be.
    pub relation: Relation,
}

/// A transaction. A single operation is one without conditions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// All have to be true.
    pub compares: Vec<Compare>,
    /// Done if they are.
    pub success: Vec<Operation>,
    /// Done if they are not.
    pub failure: Vec<Operation>,
}

impl From<Operation> for Request {
    fn from(operation: Operation) -> Self {
        Self { success: vec![operation], ..Self::default() }
    }
}

impl Request {
    /// Whether it only reads, whatever the conditions are.
    #[must_use]
    pub fn is_reading(&self) -> bool {
        let mut operations = self.success.iter().chain(&self.failure);
        operations.all(|operation| matches!(operation, Operation::Read(_)))
    }

    /// Whether it is a read of everything that an agent has.
    #[must_use]
    pub fn is_full_read(&self) -> bool {
        match self.success.as_slice() {
            [Operation::Read(read)] => {
                let Read { interval, limit: 0, count_only: false, keys_only: false, .. } = read else {
                    return false;
                };
                interval.contains(super::PREFIX.as_bytes()) && interval.contains(b"/skydns/\xff")
            }
            _ => false,
        }
    }
}

/// What became of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// What was read.
    Read {
        /// The keys.
        pairs: Vec<Pair>,
        /// How many there are, also beyond the limit.
        count: usize,
        /// Whether there are more than the limit.
        more: bool,
    },
    /// What was there before, if that was asked.
    Put(Option<Pair>),
    /// What was deleted.
    Deleted {
        /// How many.
        count: usize,
        /// What was there before, if that was asked.
        previous: Vec<Pair>,
    },
}

/// What an agent hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Of the agent's own etcd.
    pub revision: i64,
    /// Whether the conditions were true.
    pub succeeded: bool,
    /// What became of the operations.
    pub outcomes: Vec<Outcome>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_one_key_or_all_from_there_on_or_those_before_an_end() {
        let interval = |key: &str, end: &[u8]| Interval { key: key.into(), end: end.into() };
        for (interval, inside, outside) in [
            (interval("b", b""), vec!["b"], vec!["a", "ba", "c"]),
            (interval("b", b"\0"), vec!["b", "ba", "z"], vec!["a", ""]),
            (interval("b", b"c"), vec!["b", "bz"], vec!["a", "c"]),
            (interval("c", b"b"), vec![], vec!["a", "b", "bz", "c"]),
        ] {
            assert!(inside.iter().all(|key| interval.contains(key.as_bytes())), "{interval:?}");
            assert!(!outside.iter().any(|key| interval.contains(key.as_bytes())), "{interval:?}");
        }
    }

    #[test]
    fn a_read_of_everything_is_told_from_others() {
        let read = |key: &str, end: &[u8], limit| {
            let interval = Interval { key: key.into(), end: end.into() };
            Request::from(Operation::Read(Read { interval, limit, ..Read::default() }))
        };
        assert!(read("/skydns/", b"/skydns0", 0).is_full_read());
        assert!(read("\0", b"\0", 0).is_full_read());
        assert!(!read("/skydns/", b"/skydns0", 10).is_full_read());
        assert!(!read("/skydns/example", b"/skydns/examplf", 0).is_full_read());
        assert!(!read("/skydns/", b"", 0).is_full_read());
        assert!(!Request::default().is_full_read());
    }
}
