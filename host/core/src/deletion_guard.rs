//! Holds deletions that would take suspiciously much.
//!
//! Every tool of this kind has deleted a whole zone once because a list came back empty or a prefix
//! changed. A person who really removes most of a cluster's routes can wait or confirm; a wrong
//! deletion cannot be taken back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

use crate::name::HostName;

/// Deletions within this time count as one: a list of deletions arrives event by event.
const WINDOW: Duration = Duration::from_secs(60);

/// For how long a confirmation holds: what was not deleted by then is measured anew.
const CLEARED: Duration = Duration::from_secs(600);

/// When a deletion is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeletionLimits {
    /// What deletes more than this share of a cluster's names is held, in percent.
    pub share_percent: u8,
    /// What deletes at most this many names is not measured by its share: one of two names
    /// is half of them. What only lists do not show is not free so.
    pub free_names: usize,
}

impl Default for DeletionLimits {
    fn default() -> Self {
        Self { share_percent: 30, free_names: 10 }
    }
}

/// How a deletion is known, the surest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// A watch has shown the deletion or the change, or the cluster leaves.
    #[default]
    Seen,
    /// The object is there, and is decided upon differently: by a new module, or after a restart.
    Decided,
    /// Nobody asks for the name, as far as lists show.
    Missing,
}

/// What one round of work would delete of one cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deletion {
    /// Names of the cluster that the store holds before the round.
    pub published: usize,
    /// Names of the cluster that the round would delete.
    pub deleted: usize,
    /// How that is known.
    pub reason: Reason,
}

impl DeletionLimits {
    /// Whether the deletion has to wait for a confirmation.
    #[must_use]
    pub const fn holds(&self, deletion: Deletion) -> bool {
        let Deletion { published, deleted, reason } = deletion;
        let is_seen = matches!(reason, Reason::Seen);
        let everything_by_inference = !is_seen && deleted > 0 && deleted >= published;
        // Nothing is free of what only lists do not show.
        let free_names = if matches!(reason, Reason::Missing) { 0 } else { self.free_names };
        let too_many = deleted > free_names && deleted * 100 > published * self.share_percent as usize;
        everything_by_inference || too_many
    }
}

/// A deletion that waits for a confirmation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldDeletion {
    /// How many names would be deleted.
    pub names: usize,
    /// Confirms exactly this deletion.
    pub token: String,
}

/// Watches over the deletions of one cluster.
///
/// What is held together keeps its own clock and token; what is deleted later is measured apart from it,
/// so that a cluster in which something is deleted every few minutes is not held for ever.
#[derive(Debug, Default)]
pub struct DeletionGuard {
    window: Option<Window>,
    /// The oldest first.
    held: Vec<Batch>,
    /// Whether other names are held than when [`DeletionGuard::take_change`] was asked last.
    changed: bool,
    /// Names that were confirmed, or were held long enough, and since when: they go on without being
    /// measured.
    cleared: BTreeMap<HostName, Instant>,
}

/// Names that are held together.
#[derive(Debug)]
struct Batch {
    names: BTreeSet<HostName>,
    since: Instant,
    nonce: i64,
}

#[derive(Debug)]
struct Window {
    since: Instant,
    published: usize,
    deleted: usize,
}

impl DeletionGuard {
    /// Looks at names that would be deleted now, of `published` that the store holds; gives those that
    /// have to wait: until they are confirmed, wanted again, or the hold time has passed.
    ///
    /// `nonce` is a number that no other deletion has had, such as the revision of the store: a token
    /// with it confirms no later deletion of the same names.
    pub fn hold(
        &mut self,
        names: &BTreeSet<HostName>,
        published: usize,
        reason: Reason,
        limits: DeletionLimits,
        nonce: i64,
        now: Instant,
    ) -> BTreeSet<HostName> {
        let is_held = |name: &HostName| self.held.iter().any(|batch| batch.names.contains(name));
        let (mut waiting, new): (BTreeSet<HostName>, BTreeSet<HostName>) =
            names.iter().filter(|name| !self.cleared.contains_key(*name)).cloned().partition(is_held);
        if new.is_empty() {
            return waiting;
        }
        let window = self.window.take().filter(|window| now.duration_since(window.since) < WINDOW);
        let mut window = window.unwrap_or(Window { since: now, published, deleted: 0 });
        let published = window.published.max(published);
        let deletion = Deletion { published, deleted: window.deleted + new.len(), reason };
        if limits.holds(deletion) {
            waiting.extend(new.iter().cloned());
            self.changed = true;
            match self.held.last_mut().filter(|batch| now.duration_since(batch.since) < WINDOW) {
                // What arrives event by event is one deletion.
                Some(batch) => batch.names.extend(new),
                None => self.held.push(Batch { names: new, since: now, nonce }),
            }
        } else {
            window.deleted += new.len();
        }
        self.window = Some(window);
        waiting
    }

    /// The name was deleted, or is wanted again.
    pub fn forget(&mut self, name: &HostName) {
        self.cleared.remove(name);
        for batch in &mut self.held {
            self.changed |= batch.names.remove(name);
        }
        self.held.retain(|batch| !batch.names.is_empty());
    }

    /// Of the held names, only these can be deleted still; this is no change to tell of.
    pub fn retain_held(&mut self, keeps: impl Fn(&HostName) -> bool) {
        for batch in &mut self.held {
            batch.names.retain(&keeps);
        }
        self.held.retain(|batch| !batch.names.is_empty());
    }

    /// Confirms the deletion with this token; gives the names that can go on.
    pub fn confirm(&mut self, token: &str, now: Instant) -> BTreeSet<HostName> {
        self.clear(now, |batch| batch.token() == token)
    }

    /// Names whose hold time has passed; they can go on.
    pub fn due(&mut self, hold: Duration, now: Instant) -> BTreeSet<HostName> {
        self.cleared.retain(|_, since| now.duration_since(*since) < CLEARED);
        self.clear(now, |batch| now.duration_since(batch.since) >= hold)
    }

    /// When [`Self::due`] will give something; `None` while nothing is held.
    #[must_use]
    pub fn next_due(&self, hold: Duration) -> Option<Instant> {
        self.held.first().map(|batch| batch.since + hold)
    }

    fn clear(&mut self, now: Instant, is_cleared: impl Fn(&Batch) -> bool) -> BTreeSet<HostName> {
        let cleared = self.held.extract_if(.., |batch| is_cleared(batch));
        let names: BTreeSet<HostName> = cleared.flat_map(|batch| batch.names).collect();
        self.changed |= !names.is_empty();
        self.cleared.extend(names.iter().map(|name| (name.clone(), now)));
        names
    }

    /// Whether other names are held than when this was asked last.
    pub const fn take_change(&mut self) -> bool {
        std::mem::replace(&mut self.changed, false)
    }

    /// What is held, the oldest first where there are several deletions; `None` when nothing is.
    #[must_use]
    pub fn held(&self) -> Option<HeldDeletion> {
        let batch = self.held.first()?;
        Some(HeldDeletion { names: batch.names.len(), token: batch.token() })
    }

    /// The names of [`Self::held`].
    pub fn held_names(&self) -> impl Iterator<Item = &HostName> {
        self.held.first().into_iter().flat_map(|batch| &batch.names)
    }
}

impl Batch {
    /// Changes whenever the deletion does, so that a confirmation never covers more than a person has
    /// seen, nor what comes after that.
    fn token(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(self.nonce.to_be_bytes());
        for name in &self.names {
            hash.update(name.as_str());
            hash.update([0]);
        }
        hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOLD: Duration = Duration::from_secs(600);

    fn names(range: std::ops::Range<usize>) -> BTreeSet<HostName> {
        range.map(|number| format!("n{number}.w1.openmcp.cluster").parse().unwrap()).collect()
    }

    fn allows(guard: &mut DeletionGuard, names: &BTreeSet<HostName>, published: usize, now: Instant) -> bool {
        guard.hold(names, published, Reason::Seen, DeletionLimits::default(), 7, now).is_empty()
    }

    #[test]
    fn a_large_share_is_held_and_a_small_number_is_not() {
        let limits = DeletionLimits::default();
        for (published, deleted, reason, held) in [
            (100, 31, Reason::Seen, true),
            (100, 30, Reason::Seen, false),
            (12, 10, Reason::Seen, false),
            (12, 11, Reason::Seen, true),
            (1, 1, Reason::Seen, false),
            (1, 1, Reason::Decided, true),
            (3, 2, Reason::Decided, false),
            (3, 2, Reason::Missing, true),
            (10, 9, Reason::Missing, true),
            (100, 30, Reason::Missing, false),
            (0, 0, Reason::Missing, false),
        ] {
            let deletion = Deletion { published, deleted, reason };
            assert_eq!(limits.holds(deletion), held, "{deletion:?}");
        }
    }

    #[test]
    fn deletions_that_trickle_in_are_counted_together() {
        let (mut guard, now) = (DeletionGuard::default(), Instant::now());
        for number in 0..30 {
            assert!(allows(&mut guard, &names(number..number + 1), 100 - number, now), "{number}");
        }
        assert!(!allows(&mut guard, &names(30..31), 70, now));
        assert_eq!(guard.held().unwrap().names, 1);
    }

    #[test]
    fn a_held_deletion_goes_on_when_it_is_confirmed_and_only_that_deletion() {
        let (mut guard, now) = (DeletionGuard::default(), Instant::now());
        let many = names(0..50);
        assert!(!allows(&mut guard, &many, 100, now));
        assert!(guard.confirm("wrong", now).is_empty());
        let token = guard.held().unwrap().token;
        assert_eq!(guard.confirm(&token, now), many);
        assert!(allows(&mut guard, &many, 100, now));
        assert!(!allows(&mut guard, &names(0..90), 100, now), "more than was confirmed");
        assert_ne!(guard.held().unwrap().token, token);
    }

    #[test]
    fn a_confirmation_that_was_used_confirms_no_later_deletion_of_the_same_names() {
        let (mut guard, now, many) = (DeletionGuard::default(), Instant::now(), names(0..50));
        assert!(!allows(&mut guard, &many, 100, now));
        let token = guard.held().unwrap().token;
        guard.confirm(&token, now);
        many.iter().for_each(|name| guard.forget(name));
        let limits = DeletionLimits::default();
        assert_eq!(guard.hold(&many, 100, Reason::Missing, limits, 8, now + WINDOW).len(), 50);
        assert!(guard.confirm(&token, now + WINDOW).is_empty());
    }

    #[test]
    fn what_is_deleted_later_is_measured_apart_from_what_is_held_and_delays_it_not() {
        let (mut guard, now) = (DeletionGuard::default(), Instant::now());
        assert!(!allows(&mut guard, &names(0..50), 100, now));
        let token = guard.held().unwrap().token;
        for minute in 1..10 {
            let later = now + Duration::from_secs(60 * minute);
            let one = names(50 + minute as usize..51 + minute as usize);
            assert!(allows(&mut guard, &one, 100, later), "minute {minute}");
        }
        assert_eq!(guard.held().unwrap().token, token);
        assert_eq!(guard.next_due(HOLD), Some(now + HOLD));
        assert_eq!(guard.due(HOLD, now + HOLD).len(), 50);
        // What was not deleted in time is measured anew.
        guard.due(HOLD, now + HOLD + CLEARED);
        assert!(!allows(&mut guard, &names(0..50), 100, now + HOLD + CLEARED));
    }

    #[test]
    fn a_held_deletion_changes_when_it_begins_grows_and_ends_and_not_when_it_is_looked_at() {
        let (mut guard, now) = (DeletionGuard::default(), Instant::now());
        assert!(allows(&mut guard, &names(0..5), 100, now));
        assert!(!guard.take_change(), "nothing is held");
        for (held, changes) in [(50, true), (50, false), (40, false), (90, true)] {
            assert!(!allows(&mut guard, &names(0..held), 100, now));
            assert_eq!(guard.take_change(), changes, "{held}");
        }
        guard.forget(&names(95..96).pop_first().unwrap());
        assert!(!guard.take_change(), "that name is not held");
        guard.forget(&names(50..51).pop_first().unwrap());
        assert!(guard.take_change());
        guard.due(HOLD, now + HOLD);
        assert!(guard.take_change() && guard.held().is_none());
        guard.due(HOLD, now + 2 * HOLD);
        assert!(!guard.take_change());
    }

    #[test]
    fn names_that_are_wanted_again_are_no_longer_held() {
        let (mut guard, now) = (DeletionGuard::default(), Instant::now());
        assert!(!allows(&mut guard, &names(0..50), 100, now));
        for name in names(0..50) {
            guard.forget(&name);
        }
        assert_eq!(guard.held(), None);
    }
}
