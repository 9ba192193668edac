//! Transactions under way: each name by one at a time.

use std::collections::HashMap;

use crate::name::HostName;

/// Names that have to wait, because the effect of their last transaction has not been seen in the
/// store yet: the guards of another one would be outdated.
#[derive(Debug, Default)]
pub(super) struct UnderWay {
    names: HashMap<HostName, Phase>,
    /// The revision that has been seen.
    seen: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Writing,
    AwaitingEcho(i64),
}

impl UnderWay {
    pub(super) fn contains(&self, name: &HostName) -> bool {
        self.names.contains_key(name)
    }

    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    /// A transaction begins.
    pub(super) fn start(&mut self, name: HostName) {
        self.names.insert(name, Phase::Writing);
    }

    /// It was done at this revision.
    pub(super) fn written(&mut self, name: &HostName, revision: i64) {
        // The watch may be faster than the answer to the transaction.
        if revision <= self.seen {
            self.names.remove(name);
        } else {
            self.names.insert(name.clone(), Phase::AwaitingEcho(revision));
        }
    }

    /// It was not done.
    pub(super) fn failed(&mut self, name: &HostName) {
        self.names.remove(name);
    }

    /// The store has been seen as of this revision.
    pub(super) fn seen(&mut self, revision: i64) {
        self.seen = revision;
        self.names.retain(|_, phase| !matches!(phase, Phase::AwaitingEcho(written) if *written <= revision));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_free_again_when_its_change_was_seen_before_or_after_the_answer() {
        let name: HostName = "a.openmcp.cluster".parse().unwrap();
        for seen_first in [true, false] {
            let mut under_way = UnderWay::default();
            under_way.start(name.clone());
            assert!(under_way.contains(&name));
            if seen_first {
                under_way.seen(1);
            }
            assert!(under_way.contains(&name));
            under_way.written(&name, 1);
            if !seen_first {
                assert!(under_way.contains(&name));
                under_way.seen(1);
            }
            assert!(!under_way.contains(&name), "seen first: {seen_first}");
        }
    }

    #[test]
    fn a_name_whose_transaction_failed_is_free_at_once() {
        let name: HostName = "a.openmcp.cluster".parse().unwrap();
        let mut under_way = UnderWay::default();
        under_way.start(name.clone());
        under_way.failed(&name);
        assert_eq!((under_way.contains(&name), under_way.len()), (false, 0));
    }
}
