//! Who records a cluster, and how that changes without a gap.

/// What is known when it is decided what comes next. Who has died half way knows the same again: `wants_agent` is
/// configured, the next two stand in the store, and the last two are seen anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Whether an agent in the cluster shall record, instead of the service itself.
    pub wants_agent: bool,
    /// Whether keys of an agent are kept.
    pub has_keys: bool,
    /// Whether the cluster was handed over to its agent, which had written all that it has.
    pub handed_over: bool,
    /// Whether the agent has written all that it has.
    pub agent_is_done: bool,
    /// Whether all objects of the cluster are known and decided upon.
    pub native_is_done: bool,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The service watches the objects, and no agent has ever written.
    Native,
    /// Both claim, until one of them can go.
    Both,
    /// The agent has all: it is noted that the cluster is handed over.
    HandOver,
    /// The agent alone claims.
    Agent,
    /// The service has all: what the agent has written is removed.
    TakeBack,
}

impl Seen {
    /// What comes next.
    #[must_use]
    pub const fn step(self) -> Step {
        let Self { wants_agent, has_keys, handed_over, agent_is_done, native_is_done } = self;
        match wants_agent {
            false if !has_keys && !handed_over => Step::Native,
            false if native_is_done => Step::TakeBack,
            false => Step::Both,
            true if handed_over => Step::Agent,
            true if agent_is_done => Step::HandOver,
            true => Step::Both,
        }
    }
}

impl Step {
    /// Whether the objects of the cluster are watched.
    #[must_use]
    pub const fn watches_objects(self) -> bool {
        !matches!(self, Self::Agent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every state from which a step leads on, and what the step makes of it.
    fn after(seen: Seen) -> Seen {
        match seen.step() {
            Step::HandOver => Seen { handed_over: true, ..seen },
            Step::TakeBack => Seen { handed_over: false, has_keys: false, ..seen },
            Step::Native | Step::Both | Step::Agent => seen,
        }
    }

    fn all() -> impl Iterator<Item = Seen> {
        (0..32_u8).map(|bits| {
            let bit = |index: u8| bits & (1 << index) != 0;
            Seen {
                wants_agent: bit(0),
                has_keys: bit(1),
                handed_over: bit(2),
                agent_is_done: bit(3),
                native_is_done: bit(4),
            }
        })
    }

    #[test]
    fn at_every_time_somebody_who_has_all_claims() {
        for seen in all() {
            let after = after(seen);
            if !after.step().watches_objects() {
                assert!(seen.handed_over || seen.agent_is_done, "{seen:?}");
            }
            if seen.has_keys && !after.has_keys {
                assert!(seen.native_is_done && !seen.wants_agent, "{seen:?}");
            }
        }
    }

    #[test]
    fn who_dies_after_a_step_goes_on_where_it_was() {
        for seen in all() {
            let known_again = |seen: Seen| Seen { agent_is_done: false, native_is_done: false, ..seen };
            let (before, after) = (after(seen), after(known_again(after(seen))));
            assert_eq!(known_again(before), after, "{seen:?}");
        }
    }

    #[test]
    fn a_switch_ends_when_the_other_one_is_done() {
        for seen in all() {
            let seen = Seen { agent_is_done: true, native_is_done: true, ..seen };
            let ends = if seen.wants_agent { Step::Agent } else { Step::Native };
            assert_eq!(after(seen).step(), ends, "{seen:?}");
        }
    }
}
