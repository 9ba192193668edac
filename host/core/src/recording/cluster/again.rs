//! What is tried again after a while.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// How long to wait before the second attempt; twice as long before each further one.
const FIRST: Duration = Duration::from_secs(1);

/// Longest time between two attempts.
const LONGEST: Duration = Duration::from_secs(300);

/// Things to be tried again, each with a back-off of its own.
#[derive(Debug)]
pub(super) struct Again<T> {
    waiting: BTreeMap<T, Attempts>,
    by_time: BTreeSet<(Instant, T)>,
}

#[derive(Clone, Copy, Debug)]
struct Attempts {
    failed: u32,
    at: Instant,
}

impl<T> Default for Again<T> {
    fn default() -> Self {
        Self { waiting: BTreeMap::new(), by_time: BTreeSet::new() }
    }
}

impl<T: Ord + Clone> Again<T> {
    /// An attempt has failed.
    pub(super) fn failed(&mut self, what: T, now: Instant) {
        let failed = self.waiting.get(&what).map_or(0, |attempts| attempts.failed);
        let wait = FIRST.saturating_mul(1 << failed.min(16)).min(LONGEST);
        self.set(what, Attempts { failed: failed + 1, at: now + wait });
    }

    fn set(&mut self, what: T, attempts: Attempts) {
        self.forget(&what);
        self.by_time.insert((attempts.at, what.clone()));
        self.waiting.insert(what, attempts);
    }

    /// It may go otherwise now. Where an attempt is awaited anyway, that is the one.
    pub(super) fn soon(&mut self, what: T, now: Instant) {
        if !self.waiting.contains_key(&what) {
            self.set(what, Attempts { failed: 0, at: now + FIRST });
        }
    }

    /// It needs no attempt any more.
    pub(super) fn forget(&mut self, what: &T) {
        if let Some(Attempts { at, .. }) = self.waiting.remove(what) {
            self.by_time.remove(&(at, what.clone()));
        }
    }

    /// What is to be tried now. Each is due again, later, until it is forgotten.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<T> {
        let mut due = Vec::new();
        while let Some((at, _)) = self.by_time.first()
            && *at <= now
            && let Some((_, what)) = self.by_time.pop_first()
        {
            due.push(what);
        }
        for what in &due {
            // Whoever tries says how it went; if nobody does, because the answer is lost, it is due again.
            let failed = self.waiting.get(what).map_or(0, |attempts| attempts.failed);
            self.set(what.clone(), Attempts { failed, at: now + LONGEST });
        }
        due
    }

    /// When something is to be tried.
    pub(super) fn due(&self) -> Option<Instant> {
        self.by_time.first().map(|(at, _)| *at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_attempt_waits_twice_as_long_as_the_last_and_none_longer_than_the_longest() {
        let (mut again, start) = (Again::default(), Instant::now());
        again.failed("a", start);
        let mut waits = Vec::new();
        let mut now = start;
        for _ in 0..12 {
            let due = again.due().unwrap();
            waits.push((due - now).as_secs());
            now = due;
            assert_eq!(again.take_due(now), ["a"]);
            assert_eq!(again.due(), Some(now + LONGEST), "the answer may be lost");
            again.failed("a", now);
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
        again.forget(&"a");
        assert_eq!(again.due(), None);
    }
}
