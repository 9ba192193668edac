//! Decisions that are known already: an object that changes without changing what it asks for costs
//! no question, nor does a list that is read anew.

use std::num::NonZeroUsize;

use lru::LruCache;

use super::question::{Decisions, Question};
use crate::decide::Decision;

/// Enough for a large landscape to be listed anew without asking a module; about 1 kB each.
const CAPACITY: NonZeroUsize = NonZeroUsize::new(50_000).expect("is not zero");

/// Decisions by question; the least recently used ones are forgotten.
pub(super) struct Memo(LruCache<Question, Decision>);

impl Default for Memo {
    fn default() -> Self {
        Self(LruCache::new(CAPACITY))
    }
}

impl Memo {
    /// The decision on a question, if it is known.
    pub(super) fn get(&mut self, question: &Question) -> Option<Decision> {
        self.0.get(question).cloned()
    }

    /// Remembers decisions, but no failure: the next attempt may go better.
    pub(super) fn extend(&mut self, decisions: Decisions) {
        for (question, decision) in decisions {
            if !matches!(decision, Decision::Undecided(_)) {
                self.0.put(question, decision);
            }
        }
    }
}
