//! Holds deletions that would take suspiciously much.
//!
//! Every tool of this kind has deleted a whole zone once because a list came back empty or a prefix
//! changed. A person who really removes most of a cluster's routes can wait or confirm; a wrong
//! deletion cannot be taken back.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

use crate::name::HostName;

/// Deletions within this time count as one: a list of deletions arrives event by event.
const WINDOW: Duration = Duration::from_secs(60);

/// When a deletion is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeletionLimits {
    /// What deletes more than this share of a cluster's names is held, in percent.
    pub share_percent: u8,
    /// What deletes at most this many names is not measured by its share: one of two names
    /// is half of them.
    pub free_names: usize,
}

impl Default for DeletionLimits {
    fn default() -> Self {
        Self { share_percent: 30, free_names: 10 }
    }
}

/// What one round of work would delete of one cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deletion {
    /// Names of the cluster that the store holds before the round.
    pub published: usize,
    /// Names of the cluster that the round would delete.
    pub deleted: usize,
    /// Whether the round follows from a new list or a new module, so from what was *not* seen,
    /// rather than from a deletion that was seen.
    pub inferred: bool,
}

impl DeletionLimits {
    /// Whether the deletion has to wait for a confirmation.
    #[must_use]
    pub const fn holds(&self, deletion: Deletion) -> bool {
        let Deletion { published, deleted, inferred } = deletion;
        let everything_by_inference = inferred && deleted > 0 && deleted >= published;
        let too_many = deleted > self.free_names && deleted * 100 > published * self.share_percent as usize;
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
#[derive(Debug, Default)]
pub struct DeletionGuard {
    window: Option<Window>,
    held: BTreeSet<HostName>,
    held_since: Option<Instant>,
    /// Whether other names are held than when [`DeletionGuard::take_change`] was asked last.
    changed: bool,
    /// Names that were confirmed, or were held long enough: they go on without being measured.
    cleared: BTreeSet<HostName>,
}

#[derive(Debug)]
struct Window {
    since: Instant,
    published: usize,
    deleted: usize,
}

impl DeletionGuard {
    /// Whether these names may be deleted now, of `published` that the store holds. If not, they are
    /// kept until they are confirmed, wanted again, or nothing has changed for the hold time.
    pub fn allows(
        &mut self,
        names: &BTreeSet<HostName>,
        published: usize,
        inferred: bool,
        limits: DeletionLimits,
        now: Instant,
    ) -> bool {
        if names.is_subset(&self.cleared) {
            return true;
        }
        let window = self.window.take().filter(|window| now.duration_since(window.since) < WINDOW);
        let mut window = window.unwrap_or(Window { since: now, published, deleted: 0 });
        let in_window = Deletion {
            published: window.published.max(published),
            deleted: window.deleted + names.union(&self.held).count(),
            inferred,
        };
        let holds = limits.holds(in_window) || !self.held.is_empty() && names.is_subset(&self.held);
        if holds {
            if !names.is_subset(&self.held) {
                self.held_since = Some(now);
                self.held.extend(names.iter().cloned());
                self.changed = true;
            }
        } else {
            window.deleted += names.len();
        }
        self.window = Some(window);
        !holds
    }

    /// The name was deleted, or is wanted again.
    pub fn forget(&mut self, name: &HostName) {
        self.cleared.remove(name);
        self.changed |= self.held.remove(name);
    }

    /// Confirms the deletion with this token; gives the names that can go on.
    pub fn confirm(&mut self, token: &str) -> BTreeSet<HostName> {
        if self.held().is_none_or(|held| held.token != token) {
            return BTreeSet::new();
        }
        self.clear()
    }

    /// Names whose hold time has passed; they can go on.
    pub fn due(&mut self, hold: Duration, now: Instant) -> BTreeSet<HostName> {
        match self.held_since {
            Some(since) if now.duration_since(since) >= hold => self.clear(),
            _ => BTreeSet::new(),
        }
    }

    fn clear(&mut self) -> BTreeSet<HostName> {
        let names = std::mem::take(&mut self.held);
        self.changed |= !names.is_empty();
        self.cleared.extend(names.iter().cloned());
        self.held_since = None;
        names
    }

    /// Whether other names are held than when this was asked last.
    pub const fn take_change(&mut self) -> bool {
        std::mem::replace(&mut self.changed, false)
    }

    /// What is held; `None` when nothing is.
    #[must_use]
    pub fn held(&self) -> Option<HeldDeletion> {
        (!self.held.is_empty()).then(|| HeldDeletion { names: self.held.len(), token: token(&self.held) })
    }
}

/// Changes whenever the deletion does, so that a confirmation never covers more than a person has seen.
fn token(names: &BTreeSet<HostName>) -> String {
    let mut hash = Sha256::new();
    for name in names {
        hash.update(name.as_str());
        hash.update([0]);
    }
    hash.finalize().iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOLD: Duration = Duration::from_secs(600);

    fn names(range: std::ops::Range<usize>) -> BTreeSet<HostName> {
        range.map(|number| format!("n{number}.w1.openmcp.cluster").parse().unwrap()).collect()
    }

    fn allows(guard: &mut DeletionGuard, names: &BTreeSet<HostName>, published: usize, now: Instant) -> bool {
        guard.allows(names, published, false, DeletionLimits::default(), now)
    }

    #[test]
    fn a_large_share_is_held_and_a_small_number_is_not() {
        let limits = DeletionLimits::default();
        for (published, deleted, inferred, held) in [
            (100, 31, false, true),
            (100, 30, false, false),
            (12, 10, false, false),
            (12, 11, false, true),
            (1, 1, false, false),
            (1, 1, true, true),
            (3, 2, true, false),
            (0, 0, true, false),
        ] {
            let deletion = Deletion { published, deleted, inferred };
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
    fn a_held_plan_goes_on_when_it_is_confirmed_and_only_that_plan() {
        let (mut guard, now) = (DeletionGuard::default(), Instant::now());
        let many = names(0..50);
        assert!(!allows(&mut guard, &many, 100, now));
        assert!(guard.confirm("wrong").is_empty());
        let token = guard.held().unwrap().token;
        assert_eq!(guard.confirm(&token), many);
        assert!(allows(&mut guard, &many, 100, now));
        assert!(!allows(&mut guard, &names(0..60), 100, now), "more than was confirmed");
        assert_ne!(guard.held().unwrap().token, token);
    }

    #[test]
    fn a_held_plan_goes_on_after_the_hold_time_unless_it_changes() {
        let (mut guard, now) = (DeletionGuard::default(), Instant::now());
        assert!(!allows(&mut guard, &names(0..50), 100, now));
        let later = now + HOLD / 2;
        assert!(!allows(&mut guard, &names(0..51), 100, later));
        assert!(guard.due(HOLD, now + HOLD).is_empty());
        let due = guard.due(HOLD, later + HOLD);
        assert_eq!(due.len(), 51);
        assert!(allows(&mut guard, &due, 100, later + HOLD));
    }

    #[test]
    fn a_held_deletion_changes_when_it_begins_grows_and_ends_and_not_when_it_is_looked_at() {
        let (mut guard, now) = (DeletionGuard::default(), Instant::now());
        assert!(allows(&mut guard, &names(0..5), 100, now));
        assert!(!guard.take_change(), "nothing is held");
        for (held, changes) in [(50, true), (50, false), (40, false), (51, true)] {
            assert!(!allows(&mut guard, &names(0..held), 100, now));
            assert_eq!(guard.take_change(), changes, "{held}");
        }
        guard.forget(&names(90..91).pop_first().unwrap());
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
