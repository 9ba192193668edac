//! Takes a change back, once, when names stop resolving after it that did before.
//!
//! ```text
//! Calm ──written──► Young ──a name fails for too long──► TakenBack ──another configuration──► Calm
//!   ▲                 │
//!   └──old enough─────┘
//! ```

use std::time::Duration;

/// For how long after a change a failure is held against it: kubelet writes a ConfigMap within a minute or two, and CoreDNS looks at it
/// every half minute; what breaks only at the next start of a pod may take longer.
pub(super) const YOUNG: Duration = Duration::from_secs(600);

/// Names that a cluster's DNS has to go on answering, whatever is changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// One of the cluster itself.
    pub own: Resolution,
    /// One that it forwards to whom it forwards everything else.
    pub outside: Resolution,
}

/// Whether a name resolves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Resolution {
    /// It was not asked for, or nobody knows where.
    #[default]
    Unknown,
    /// It does.
    Resolves,
    /// It does not: what was answered.
    Fails(String),
}

impl Resolution {
    /// With all servers: it fails when it does with one.
    pub(super) fn of_all(all: impl Iterator<Item = Self>) -> Self {
        all.fold(Self::Unknown, |sum, one| match (sum, one) {
            (Self::Fails(why), _) | (_, Self::Fails(why)) => Self::Fails(why),
            (Self::Resolves, _) | (_, Self::Resolves) => Self::Resolves,
            (Self::Unknown, Self::Unknown) => Self::Unknown,
        })
    }
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
        /// As [`Names`].
        own: Watched,
        outside: Watched,
    },
    TakenBack {
        /// What the configuration was when nothing of ours stood in it any more; `None` until that is so.
        configuration: Option<String>,
    },
}

/// A name after a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Watched {
    /// Only what worked before can have been broken.
    worked: bool,
    failing_since: Option<Duration>,
}

impl Watched {
    fn over(before: &Resolution) -> Self {
        Self { worked: *before == Resolution::Resolves, failing_since: None }
    }

    /// Whether it has failed for too long.
    fn is_broken(&mut self, name: &Resolution, limit: Duration, now: Duration) -> bool {
        match name {
            Resolution::Fails(_) if self.worked => {
                now.saturating_sub(*self.failing_since.get_or_insert(now)) >= limit
            }
            Resolution::Resolves => {
                self.failing_since = None;
                false
            }
            Resolution::Fails(_) | Resolution::Unknown => false,
        }
    }
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
    pub fn look(&mut self, names: &Names, configuration: &str, is_clean: bool, now: Duration) -> Verdict {
        match &mut self.state {
            State::Calm => {}
            State::Young { since, .. } if now.saturating_sub(*since) > YOUNG => self.state = State::Calm,
            State::Young { own, outside, .. } => {
                // Both are looked at: each may fail from now on.
                let own_is_broken = own.is_broken(&names.own, self.limit, now);
                if outside.is_broken(&names.outside, self.limit, now) || own_is_broken {
                    self.state = State::TakenBack { configuration: None };
                    return Verdict::StayAway;
                }
            }
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

    /// Something of ours was written; `before` is what was answered then.
    pub fn written(&mut self, before: &Names, now: Duration) {
        match &mut self.state {
            State::Calm => {
                let [own, outside] = [&before.own, &before.outside].map(Watched::over);
                if own.worked || outside.worked {
                    self.state = State::Young { since: now, own, outside };
                }
            }
            // The second change of two: the first one is held against us as well.
            State::Young { since, .. } => *since = now,
            State::TakenBack { .. } => {}
        }
    }

    /// Whether a name fails since the change, and not yet for too long.
    #[must_use]
    pub const fn is_worried(&self) -> bool {
        match &self.state {
            State::Young { own, outside, .. } => {
                own.failing_since.is_some() || outside.failing_since.is_some()
            }
            State::Calm | State::TakenBack { .. } => false,
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

    fn fails() -> Resolution {
        Resolution::Fails("SERVFAIL".to_owned())
    }

    /// The cluster's own name, and nothing is known of another.
    const fn own(own: Resolution) -> Names {
        Names { own, outside: Resolution::Unknown }
    }

    const fn outside(outside: Resolution) -> Names {
        Names { own: Resolution::Resolves, outside }
    }

    /// A guard whose change was written at the start, over these answers.
    fn written_over(names: &Names) -> Guard {
        let mut guard = Guard::new(LIMIT, None);
        assert_eq!(guard.look(names, "before", true, at(0)), Verdict::GoOn);
        guard.written(names, at(0));
        guard
    }

    #[test]
    fn a_change_that_breaks_the_clusters_own_names_is_taken_back_and_not_made_again() {
        let mut guard = written_over(&own(Resolution::Resolves));
        assert!(!guard.is_worried());
        assert_eq!(guard.look(&own(fails()), "ours", false, at(10)), Verdict::GoOn);
        assert_eq!(guard.look(&own(fails()), "ours", false, at(69)), Verdict::GoOn);
        assert!(guard.is_worried());
        assert_eq!(guard.look(&own(fails()), "ours", false, at(70)), Verdict::StayAway);
        assert_eq!(guard.look(&own(fails()), "ours", false, at(71)), Verdict::StayAway);
        assert_eq!(guard.taken_back(), None, "not before it is gone");
        for now in [fails(), Resolution::Resolves, Resolution::Unknown] {
            assert_eq!(guard.look(&own(now), "before", true, at(5000)), Verdict::StayAway);
        }
        assert_eq!(guard.taken_back(), Some("before"));
        let mut after_a_restart = Guard::new(LIMIT, guard.taken_back().map(str::to_owned));
        let names = own(Resolution::Resolves);
        assert_eq!(after_a_restart.look(&names, "before", true, at(0)), Verdict::StayAway);
        assert_eq!(after_a_restart.look(&names, "changed by a person", true, at(1)), Verdict::GoOn);
    }

    #[test]
    fn a_change_that_breaks_names_outside_is_taken_back_where_they_resolved_before() {
        let mut guard = written_over(&outside(Resolution::Resolves));
        guard.written(&outside(fails()), at(5));
        assert_eq!(guard.look(&outside(fails()), "ours", false, at(10)), Verdict::GoOn);
        assert_eq!(guard.look(&outside(fails()), "ours", false, at(70)), Verdict::StayAway);
        for before in [fails(), Resolution::Unknown] {
            let mut guard = written_over(&outside(before));
            for seconds in [10, 70, 300] {
                assert_eq!(guard.look(&outside(fails()), "ours", false, at(seconds)), Verdict::GoOn);
            }
            // The other name is looked after all the same.
            assert_eq!(guard.look(&own(fails()), "ours", false, at(310)), Verdict::GoOn);
            assert_eq!(guard.look(&own(fails()), "ours", false, at(370)), Verdict::StayAway);
        }
    }

    #[test]
    fn what_failed_before_or_fails_for_a_moment_or_much_later_is_not_held_against_it() {
        let mut guard = written_over(&own(fails()));
        assert_eq!(guard.look(&own(fails()), "ours", false, at(300)), Verdict::GoOn);
        let mut guard = written_over(&own(Resolution::Resolves));
        for (now, seconds) in [
            (fails(), 10),
            (Resolution::Unknown, 40),
            (Resolution::Resolves, 60),
            (fails(), 65),
            (fails(), 124),
        ] {
            assert_eq!(guard.look(&own(now), "ours", false, at(seconds)), Verdict::GoOn);
        }
        let mut guard = written_over(&own(Resolution::Resolves));
        assert_eq!(guard.look(&own(Resolution::Resolves), "ours", false, at(601)), Verdict::GoOn);
        assert_eq!(guard.look(&own(fails()), "ours", false, at(602)), Verdict::GoOn);
        assert_eq!(guard.look(&own(fails()), "ours", false, at(900)), Verdict::GoOn);
    }
}
