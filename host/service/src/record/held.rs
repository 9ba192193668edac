//! Deletions that wait for a confirmation, and the deletions of the last minute.

use std::collections::BTreeSet;
use std::time::Duration;

use openmcp_dns_core::brake::{DeletionLimits, Withdrawal};
use openmcp_dns_core::name::HostName;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

/// Deletions within this time count as one: a list of deletions arrives event by event.
const WINDOW: Duration = Duration::from_secs(60);

/// Watches over the deletions of one cluster.
#[derive(Debug, Default)]
pub(super) struct Guard {
    window: Option<Window>,
    held: BTreeSet<HostName>,
    held_since: Option<Instant>,
    /// Names that were confirmed, or were held long enough: they go on without being measured.
    cleared: BTreeSet<HostName>,
}

#[derive(Debug)]
struct Window {
    since: Instant,
    published: usize,
    deleted: usize,
}

impl Guard {
    /// Whether these names may be withdrawn now. If not, they are kept until they are confirmed,
    /// wanted again, or nothing has changed for the hold time.
    pub(super) fn allows(
        &mut self,
        names: &BTreeSet<HostName>,
        withdrawal: Withdrawal,
        limits: DeletionLimits,
        now: Instant,
    ) -> bool {
        if names.is_subset(&self.cleared) {
            return true;
        }
        let window = self.window.take().filter(|window| now.duration_since(window.since) < WINDOW);
        let mut window = window.unwrap_or(Window { since: now, published: withdrawal.published, deleted: 0 });
        let in_window = Withdrawal {
            published: window.published.max(withdrawal.published),
            deleted: window.deleted + names.union(&self.held).count(),
            inferred: withdrawal.inferred,
        };
        let holds = limits.holds(in_window) || !self.held.is_empty() && names.is_subset(&self.held);
        if holds {
            if !names.is_subset(&self.held) {
                self.held_since = Some(now);
            }
            self.held.extend(names.iter().cloned());
        } else {
            window.deleted += names.len();
        }
        self.window = Some(window);
        !holds
    }

    /// The names were withdrawn, or are wanted again.
    pub(super) fn settle(&mut self, name: &HostName) {
        self.cleared.remove(name);
        self.held.remove(name);
    }

    /// Confirms the plan with this token; gives the names that can go on.
    pub(super) fn confirm(&mut self, given: &str) -> BTreeSet<HostName> {
        if self.token().as_deref() != Some(given) {
            return BTreeSet::new();
        }
        self.clear()
    }

    /// Names whose hold time has passed; they can go on.
    pub(super) fn due(&mut self, hold: Duration, now: Instant) -> BTreeSet<HostName> {
        match self.held_since {
            Some(since) if now.duration_since(since) >= hold => self.clear(),
            _ => BTreeSet::new(),
        }
    }

    fn clear(&mut self) -> BTreeSet<HostName> {
        let names = std::mem::take(&mut self.held);
        self.cleared.extend(names.iter().cloned());
        self.held_since = None;
        names
    }

    /// How many names are held.
    pub(super) fn held(&self) -> usize {
        self.held.len()
    }

    /// What confirms the held plan; `None` when nothing is held.
    pub(super) fn token(&self) -> Option<String> {
        (!self.held.is_empty()).then(|| token(&self.held))
    }
}

/// Changes whenever the plan does, so that a confirmation never covers more than a person has seen.
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

    fn allows(guard: &mut Guard, names: &BTreeSet<HostName>, published: usize, now: Instant) -> bool {
        let withdrawal = Withdrawal { published, deleted: names.len(), inferred: false };
        guard.allows(names, withdrawal, DeletionLimits::default(), now)
    }

    #[test]
    fn deletions_that_trickle_in_are_counted_together() {
        let (mut guard, now) = (Guard::default(), Instant::now());
        for number in 0..30 {
            assert!(allows(&mut guard, &names(number..number + 1), 100 - number, now), "{number}");
        }
        assert!(!allows(&mut guard, &names(30..31), 70, now));
        assert_eq!(guard.held(), 1);
    }

    #[test]
    fn a_held_plan_goes_on_when_it_is_confirmed_and_only_that_plan() {
        let (mut guard, now) = (Guard::default(), Instant::now());
        let many = names(0..50);
        assert!(!allows(&mut guard, &many, 100, now));
        assert!(guard.confirm("wrong").is_empty());
        let token = guard.token().unwrap();
        assert_eq!(guard.confirm(&token), many);
        assert!(allows(&mut guard, &many, 100, now));
        assert!(!allows(&mut guard, &names(0..60), 100, now), "more than was confirmed");
        assert_ne!(guard.token().unwrap(), token);
    }

    #[test]
    fn a_held_plan_goes_on_after_the_hold_time_unless_it_changes() {
        let (mut guard, now) = (Guard::default(), Instant::now());
        assert!(!allows(&mut guard, &names(0..50), 100, now));
        let later = now + HOLD / 2;
        assert!(!allows(&mut guard, &names(0..51), 100, later));
        assert!(guard.due(HOLD, now + HOLD).is_empty());
        let due = guard.due(HOLD, later + HOLD);
        assert_eq!(due.len(), 51);
        assert!(allows(&mut guard, &due, 100, later + HOLD));
    }

    #[test]
    fn names_that_are_wanted_again_are_no_longer_held() {
        let (mut guard, now) = (Guard::default(), Instant::now());
        assert!(!allows(&mut guard, &names(0..50), 100, now));
        for name in names(0..50) {
            guard.settle(&name);
        }
        assert_eq!(guard.token(), None);
    }
}
