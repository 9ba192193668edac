//! Decisions that are known already: an object that changes without changing what it asks for costs
//! no question, nor does a list that is read anew.

use lru::LruCache;

use super::question::{Decisions, QuestionId};
use crate::decide::Decision;
use crate::record::RecordSet;

/// Enough for a large landscape to be listed anew without asking a module. Record sets are shared with
/// those that are published by them, so that the most is taken by what is not published.
const CAPACITY_BYTES: usize = 32 * 1024 * 1024;

/// Bytes of an entry besides what its decision points to.
const ENTRY_BYTES: usize = 128;

/// Decisions by question; the least recently used ones are forgotten.
pub(super) struct Memo {
    decisions: LruCache<QuestionId, Decision>,
    bytes: usize,
}

impl Default for Memo {
    fn default() -> Self {
        Self { decisions: LruCache::unbounded(), bytes: 0 }
    }
}

impl Memo {
    /// The decision on a question, if it is known.
    pub(super) fn get(&mut self, question: QuestionId) -> Option<Decision> {
        self.decisions.get(&question).cloned()
    }

    /// Remembers decisions, but no failure: the next attempt may go better.
    pub(super) fn extend(&mut self, decisions: Decisions) {
        for (question, decision) in decisions.into_questions() {
            if matches!(decision, Decision::Undecided(_)) {
                continue;
            }
            self.bytes += bytes(&decision);
            if let Some((_, old)) = self.decisions.push(question, decision) {
                self.bytes -= bytes(&old);
            }
        }
        while self.bytes > CAPACITY_BYTES
            && let Some((_, old)) = self.decisions.pop_lru()
        {
            self.bytes -= bytes(&old);
        }
    }
}

fn bytes(decision: &Decision) -> usize {
    let more = match decision {
        Decision::Publish(record_sets) => record_sets
            .iter()
            .map(|set| size_of::<RecordSet>() + set.name.as_str().len() + 64 * set.values.len())
            .sum(),
        Decision::Deny(denial) => denial.code.len() + denial.message.len(),
        Decision::Undecided(failure) => failure.message.len(),
    };
    ENTRY_BYTES + more
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Denial;

    #[test]
    fn the_memo_is_bounded_by_bytes() {
        let mut memo = Memo::default();
        for number in 0..1000 {
            let denial = Denial::new("no", "x".repeat(512 * 1024));
            let mut decisions = Decisions::default();
            decisions.add_for_test(number, Decision::Deny(denial));
            memo.extend(decisions);
            assert!(memo.bytes <= CAPACITY_BYTES);
        }
        assert_eq!(memo.decisions.len(), CAPACITY_BYTES / (512 * 1024) - 1);
    }
}
