//! Due: which name is asked for next.

use std::collections::BTreeSet;
use std::time::Duration;

/// When a name is due, and how urgent that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// New, changed or failing.
    Soon(Duration),
    /// Answered as expected: after all that is due sooner, and not too many at once.
    Later(Duration),
}

/// All names that are not being asked for.
#[derive(Debug, Default)]
pub(super) struct Queue {
    soon: BTreeSet<(Duration, u32)>,
    later: BTreeSet<(Duration, u32)>,
    /// When the next one of `later` may be asked for.
    later_from: Duration,
}

impl Queue {
    /// Gives a name another place.
    pub(super) fn set(&mut self, id: u32, before: Option<Due>, due: Due) {
        self.remove(id, before);
        match due {
            Due::Soon(at) => self.soon.insert((at, id)),
            Due::Later(at) => self.later.insert((at, id)),
        };
    }

    pub(super) fn remove(&mut self, id: u32, due: Option<Due>) {
        match due {
            Some(Due::Soon(at)) => self.soon.remove(&(at, id)),
            Some(Due::Later(at)) => self.later.remove(&(at, id)),
            None => false,
        };
    }

    /// Takes the name that is due; of those of `later`, one in each `gap`.
    pub(super) fn take_due(&mut self, now: Duration, gap: Duration) -> Option<u32> {
        if self.soon.first().is_some_and(|(at, _)| *at <= now) {
            return self.soon.pop_first().map(|(_, id)| id);
        }
        if now < self.later_from || self.later.first().is_none_or(|(at, _)| *at > now) {
            return None;
        }
        self.later_from = now + gap;
        self.later.pop_first().map(|(_, id)| id)
    }

    /// Takes the name that is due first, whenever that is.
    pub(super) fn take_first(&mut self) -> Option<u32> {
        self.soon.pop_first().or_else(|| self.later.pop_first()).map(|(_, id)| id)
    }

    /// When the next name is due.
    pub(super) fn next_due(&self) -> Option<Duration> {
        let soon = self.soon.first().map(|(at, _)| *at);
        let later = self.later.first().map(|(at, _)| (*at).max(self.later_from));
        soon.into_iter().chain(later).min()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.soon.is_empty() && self.later.is_empty()
    }
}
