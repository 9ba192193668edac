//! Notices that somebody changes a cluster's DNS back again and again, and gives way.
//!
//! ```text
//! as wanted ──something is missing──► reverted ──written──► as wanted
//!                     └──too often──► given way ──as wanted for long, or another goal──► as wanted
//! ```

use std::collections::VecDeque;
use std::time::Duration;

/// How often it may be changed back within [`WINDOW`]. An upgrade does so once or twice, and a person who tries something some
/// times; an add-on manager, every minute.
pub const MOST: usize = 10;

/// How long each time counts.
pub const WINDOW: Duration = Duration::from_secs(30 * 60);

/// What is known of one cluster. Times are since any moment that stays the same.
#[derive(Debug, Default)]
pub struct Fight {
    goal: String,
    /// Whether all was as wanted when it was looked at last, or has been written since. Who is fast changes it back before it is seen.
    is_settled: bool,
    reverts: VecDeque<Duration>,
    has_given_way: bool,
}

impl Fight {
    /// Says whether what is missing may be written. `goal` is what is wanted, by people and by the service; another one is no fight.
    pub fn may_write(&mut self, goal: &str, is_as_wanted: bool, now: Duration) -> bool {
        if self.goal != goal {
            *self = Self { goal: goal.to_owned(), ..Self::default() };
        }
        while self.reverts.front().is_some_and(|at| now.saturating_sub(*at) >= WINDOW) {
            self.reverts.pop_front();
        }
        if is_as_wanted {
            self.is_settled = true;
            self.has_given_way &= !self.reverts.is_empty();
        } else if std::mem::take(&mut self.is_settled) {
            self.reverts.push_back(now);
            self.has_given_way |= self.reverts.len() >= MOST;
        }
        !self.has_given_way
    }

    /// What was missing was written.
    pub const fn written(&mut self) {
        self.is_settled = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// Somebody changes it back every so many seconds; after how many times is nothing written any more?
    fn reverted_every(fight: &mut Fight, seconds: u64, times: u64) -> Option<u64> {
        (1..=times).find(|time| {
            assert!(fight.may_write("a", true, at(time * seconds)));
            // It is looked at more than once before it is written.
            let looks = [0, 1].map(|more| fight.may_write("a", false, at(time * seconds + more)));
            assert_eq!(looks[0], looks[1]);
            !looks[0]
        })
    }

    #[test]
    fn who_changes_it_back_again_and_again_is_given_way() {
        assert_eq!(reverted_every(&mut Fight::default(), 60, 100), Some(10));
        assert_eq!(reverted_every(&mut Fight::default(), 600, 100), None, "it is put back for ever");
    }

    #[test]
    fn who_is_so_fast_that_it_is_never_seen_there_is_noticed_all_the_same() {
        let mut fight = Fight::default();
        let writes = (0..100).take_while(|second| {
            let may = fight.may_write("a", false, at(*second));
            fight.written();
            may
        });
        assert_eq!(writes.count(), 10);
    }

    #[test]
    fn it_goes_on_when_a_person_wants_something_else_or_has_ended_it() {
        let mut fight = Fight::default();
        reverted_every(&mut fight, 60, 10);
        assert!(!fight.may_write("a", false, at(1_000_000)), "it is not tried again by itself");
        assert!(fight.may_write("b", false, at(1_000_001)));
        let mut fight = Fight::default();
        reverted_every(&mut fight, 60, 10);
        assert!(!fight.may_write("a", true, at(610)));
        assert!(!fight.may_write("a", false, at(620)));
        assert!(fight.may_write("a", true, at(610 + WINDOW.as_secs() * 2)));
        assert!(fight.may_write("a", false, at(620 + WINDOW.as_secs() * 2)));
    }
}
