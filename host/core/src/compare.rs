//! How two decisions on the same claim differ.

use crate::cluster::SourceRef;
use crate::decide::Decision;
use crate::index::{Outcome, State};

/// How a claim is decided differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Difference {
    /// It is denied now.
    NewlyDenied,
    /// There is no decision any more: what is published stays, what is new is not published.
    NoLongerDecided,
    /// It is published with other records.
    OtherRecords,
    /// It is published now.
    NewlyAllowed,
    /// It is denied with another code.
    OtherDenial,
}

impl Difference {
    /// All of them, what hurts most first.
    pub const ALL: [Self; 5] =
        [Self::NewlyDenied, Self::NoLongerDecided, Self::OtherRecords, Self::NewlyAllowed, Self::OtherDenial];

    /// In words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NewlyDenied => "newly denied",
            Self::NewlyAllowed => "newly allowed",
            Self::OtherRecords => "other records",
            Self::OtherDenial => "denied for another reason",
            Self::NoLongerDecided => "no longer decided",
        }
    }
}

/// How `new` differs from `old`; `None` where it does not. Of a denial only the code counts, and that
/// nobody decided is the same whatever the reason.
#[must_use]
pub fn difference(old: Option<&Decision>, new: Option<&Decision>) -> Option<Difference> {
    use Decision::{Deny, Publish, Undecided};
    match (old, new) {
        (Some(Publish(old)), Some(Publish(new))) => (old != new).then_some(Difference::OtherRecords),
        (Some(Deny(old)), Some(Deny(new))) => (old.code != new.code).then_some(Difference::OtherDenial),
        (None | Some(Undecided(_)), None | Some(Undecided(_))) => None,
        (_, Some(Publish(_))) => Some(Difference::NewlyAllowed),
        (_, Some(Deny(_))) => Some(Difference::NewlyDenied),
        (_, None | Some(Undecided(_))) => Some(Difference::NoLongerDecided),
    }
}

/// The decision that led to an outcome; `None` where no policy has answered.
#[must_use]
pub fn decision_of(outcome: &Outcome) -> Option<Decision> {
    match &outcome.state {
        State::Published => Some(Decision::Publish(outcome.record_sets.clone())),
        State::Denied(denial) => Some(Decision::Deny(denial.clone())),
        State::Undecided(failure) => Some(Decision::Undecided(failure.clone())),
        State::Unresolved(_) | State::Asked => None,
    }
}

/// Most differences that a comparison lists; the count is complete.
pub const MAX_DIFFERENCES: usize = 10;

/// How the decisions of a candidate differ from those that hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Whether the candidate has been asked about everything.
    pub complete: bool,
    /// How many claims were compared.
    pub compared: usize,
    /// How many decisions would be others, domains included.
    pub differing: usize,
    /// The first of them.
    pub first: Vec<Differing>,
}

impl Comparison {
    pub(crate) fn add(&mut self, differing: impl FnOnce() -> Differing) {
        self.differing += 1;
        if self.first.len() < MAX_DIFFERENCES {
            self.first.push(differing());
        }
    }
}

/// A decision that would be another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Differing {
    /// The object that asks; `None` for the cluster's domain.
    pub source: Option<SourceRef>,
    /// The host name as the object has it; empty for the cluster's domain.
    pub host_name: String,
    /// What would change.
    pub change: &'static str,
    /// What holds, for people.
    pub active: String,
    /// What the candidate says, for people.
    pub candidate: String,
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::policy::{Denial, FailureKind, PolicyFailure};
    use crate::record::{RecordSet, RecordValue};

    #[test]
    fn every_pair_of_decisions_has_its_difference() {
        let published = |address: &str| {
            let values = [RecordValue::A(address.parse().unwrap())].into_iter().collect();
            let name = "a.openmcp.cluster".parse().unwrap();
            Decision::Publish([RecordSet { name, ttl_seconds: 60, values }].into())
        };
        let denied = |code: &str| Decision::Deny(Denial::new(code, ""));
        let failure = PolicyFailure::new(FailureKind::Trap, "why");
        let undecided = Decision::Undecided(failure);
        for (old, new, expected) in [
            (published("10.0.0.1"), published("10.0.0.1"), None),
            (published("10.0.0.1"), published("10.0.0.2"), Some(Difference::OtherRecords)),
            (published("10.0.0.1"), denied("x"), Some(Difference::NewlyDenied)),
            (published("10.0.0.1"), undecided.clone(), Some(Difference::NoLongerDecided)),
            (denied("x"), published("10.0.0.1"), Some(Difference::NewlyAllowed)),
            (denied("x"), denied("x"), None),
            (denied("x"), denied("y"), Some(Difference::OtherDenial)),
            (undecided.clone(), denied("x"), Some(Difference::NewlyDenied)),
            (undecided.clone(), undecided.clone(), None),
        ] {
            assert_eq!(difference(Some(&old), Some(&new)), expected, "{old:?} {new:?}");
        }
        assert_eq!(difference(None, Some(&undecided)), None);
        assert_eq!(difference(None, Some(&published("10.0.0.1"))), Some(Difference::NewlyAllowed));
    }
}
