//! Holds plans that would delete suspiciously much.
//!
//! Every tool of this kind has deleted a whole zone once because a list came back empty or a prefix
//! changed. A person who really removes most of a cluster's routes can wait or confirm; a wrong
//! deletion cannot be taken back.

/// When a plan is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeletionLimits {
    /// A plan that deletes more than this share of a cluster's names is held, in percent.
    pub share_percent: u8,
    /// Plans that delete at most this many names are not measured by their share: one of two names
    /// is half of them.
    pub free_names: usize,
}

impl Default for DeletionLimits {
    fn default() -> Self {
        Self { share_percent: 30, free_names: 10 }
    }
}

/// What one round of work would withdraw from one cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Withdrawal {
    /// Names of the cluster that the store holds before the round.
    pub published: usize,
    /// Names of the cluster that the round would delete.
    pub deleted: usize,
    /// Whether the round follows from a new list or a new module, so from what was *not* seen,
    /// rather than from a deletion that was seen.
    pub inferred: bool,
}

impl DeletionLimits {
    /// Whether the withdrawal has to wait for a confirmation.
    #[must_use]
    pub const fn holds(&self, withdrawal: Withdrawal) -> bool {
        let Withdrawal { published, deleted, inferred } = withdrawal;
        let everything_by_inference = inferred && deleted > 0 && deleted >= published;
        let too_many = deleted > self.free_names && deleted * 100 > published * self.share_percent as usize;
        everything_by_inference || too_many
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            let withdrawal = Withdrawal { published, deleted, inferred };
            assert_eq!(limits.holds(withdrawal), held, "{withdrawal:?}");
        }
    }
}
