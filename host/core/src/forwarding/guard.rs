//! Takes a change back, once, when the cluster's own names stop resolving after it.
//!
//! ```text
//! Calm ──written──► Young ──own name fails for too long──► TakenBack ──another configuration──► Calm
//!   ▲                 │
//!   └──old enough─────┘
//! ```

use std::time::Duration;

/// For how long after a change a failure is held against it: kubelet writes a ConfigMap within a minute or two, and CoreDNS looks at it
/// every half minute; what breaks only at the next start of a pod may take longer.
const YOUNG: Duration = Duration::from_secs(600);

/// Whether a name of the cluster itself resolves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Own {
    /// It was not asked for, or nobody knows where.
    #[default]
    Unknown,
    /// It does.
    Resolves,
    /// It does not: what was answered.
    Fails(String),
}

/// What is to be done with a cluster's DNS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// What is missing may be written.
    GoOn,
    /// What is ours is taken back, and stays so.
    StayAway,
}

/// Looks after one cluster's DNS. Times are since any moment that stays the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    limit: Duration,
    state: State,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Calm,
    Young {
        since: Duration,
        failing_since: Option<Duration>,
    },
    TakenBack {
        /// What the configuration was when nothing of ours stood in it any more; `None` until that is so.
        configuration: Option<String>,
    },
}

impl Guard {
    /// `limit` says how long a name may fail. `taken_back` is what [`Guard::taken_back`] said before a restart.
    #[must_use]
    pub fn new(limit: Duration, taken_back: Option<String>) -> Self {
        let state = match taken_back {
            Some(configuration) => State::TakenBack { configuration: Some(configuration) },
            None => State::Calm,
        };
        Self { limit, state }
    }

    /// Says what is to be done now. `configuration` is a digest of the cluster's DNS configuration, and `is_clean` whether nothing of
    /// ours stands in it.
    pub fn look(&mut self, own: &Own, configuration: &str, is_clean: bool, now: Duration) -> Verdict {
        match &mut self.state {
            State::Calm => {}
            State::Young { since, .. } if now.saturating_sub(*since) > YOUNG => self.state = State::Calm,
            State::Young { failing_since, .. } => match own {
                Own::Fails(_) => {
                    let since = *failing_since.get_or_insert(now);
                    if now.saturating_sub(since) >= self.limit {
                        self.state = State::TakenBack { configuration: None };
                        return Verdict::StayAway;
                    }
                }
                Own::Resolves => *failing_since = None,
                Own::Unknown => {}
            },
            State::TakenBack { .. } if !is_clean => return Verdict::StayAway,
            State::TakenBack { configuration: known @ None } => {
                *known = Some(configuration.to_owned());
                return Verdict::StayAway;
            }
            State::TakenBack { configuration: Some(known) } if known == configuration => {
                return Verdict::StayAway;
            }
            State::TakenBack { .. } => self.state = State::Calm,
        }
        Verdict::GoOn
    }

    /// Something of ours was written; `own` is what was answered before. Only what worked can have been broken.
    pub fn written(&mut self, own: &Own, now: Duration) {
        match (&self.state, own) {
            (State::Calm, Own::Resolves) => self.state = State::Young { since: now, failing_since: None },
            // The second change of two: the first one is held against us as well.
            (State::Young { failing_since, .. }, _) => {
                self.state = State::Young { since: now, failing_since: *failing_since };
            }
            (State::Calm | State::TakenBack { .. }, _) => {}
        }
    }

    /// The configuration that is stayed away from.
    #[must_use]
    pub fn taken_back(&self) -> Option<&str> {
        match &self.state {
            State::TakenBack { configuration } => configuration.as_deref(),
            State::Calm | State::Young { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn fails() -> Own {
        Own::Fails("SERVFAIL".to_owned())
    }

    /// A guard whose change was written at the start, over this answer.
    fn written_over(own: &Own) -> Guard {
        let mut guard = Guard::new(LIMIT, None);
        assert_eq!(guard.look(own, "before", true, at(0)), Verdict::GoOn);
        guard.written(own, at(0));
        guard
    }

    #[test]
    fn a_change_that_breaks_the_clusters_own_names_is_taken_back_and_not_made_again() {
        let mut guard = written_over(&Own::Resolves);
        assert_eq!(guard.look(&fails(), "ours", false, at(10)), Verdict::GoOn);
        assert_eq!(guard.look(&fails(), "ours", false, at(69)), Verdict::GoOn);
        assert_eq!(guard.look(&fails(), "ours", false, at(70)), Verdict::StayAway);
        assert_eq!(guard.look(&fails(), "ours", false, at(71)), Verdict::StayAway);
        assert_eq!(guard.taken_back(), None, "not before it is gone");
        for own in [fails(), Own::Resolves, Own::Unknown] {
            assert_eq!(guard.look(&own, "before", true, at(5000)), Verdict::StayAway);
        }
        assert_eq!(guard.taken_back(), Some("before"));
        let mut after_a_restart = Guard::new(LIMIT, guard.taken_back().map(str::to_owned));
        assert_eq!(after_a_restart.look(&Own::Resolves, "before", true, at(0)), Verdict::StayAway);
        assert_eq!(after_a_restart.look(&Own::Resolves, "changed by a person", true, at(1)), Verdict::GoOn);
    }

    #[test]
    fn what_failed_before_or_fails_for_a_moment_or_much_later_is_not_held_against_it() {
        let mut guard = written_over(&fails());
        assert_eq!(guard.look(&fails(), "ours", false, at(300)), Verdict::GoOn);
        let mut guard = written_over(&Own::Resolves);
        for (own, seconds) in
            [(fails(), 10), (Own::Unknown, 40), (Own::Resolves, 60), (fails(), 65), (fails(), 124)]
        {
            assert_eq!(guard.look(&own, "ours", false, at(seconds)), Verdict::GoOn);
        }
        let mut guard = written_over(&Own::Resolves);
        assert_eq!(guard.look(&Own::Resolves, "ours", false, at(601)), Verdict::GoOn);
        assert_eq!(guard.look(&fails(), "ours", false, at(602)), Verdict::GoOn);
        assert_eq!(guard.look(&fails(), "ours", false, at(900)), Verdict::GoOn);
    }
}
