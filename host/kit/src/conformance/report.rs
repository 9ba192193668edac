//! How cases came out.

use std::collections::BTreeMap;

use super::folder::Case;

/// How a case came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As expected.
    Passed,
    /// Otherwise; the difference as lines, `-` in front of what was expected and `+` in front of what came.
    Failed(Vec<String>),
    /// It was not run, and why.
    Skipped(String),
}

/// How many cases came out in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// As expected.
    pub passed: usize,
    /// Otherwise.
    pub failed: usize,
    /// Not run.
    pub skipped: usize,
}

impl Tally {
    fn add(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Passed => self.passed += 1,
            Outcome::Failed(_) => self.failed += 1,
            Outcome::Skipped(_) => self.skipped += 1,
        }
    }
}

/// How the cases of a folder came out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// By the id of the case.
    pub outcomes: BTreeMap<String, Outcome>,
    /// By the kind of case.
    pub kinds: BTreeMap<String, Tally>,
    /// All together.
    pub total: Tally,
}

impl Report {
    /// Runs all cases.
    #[must_use]
    pub fn of(cases: &[Case]) -> Self {
        let mut report = Self::default();
        for case in cases {
            report.add(case, case.run());
        }
        report
    }

    /// Takes in how a case came out.
    pub fn add(&mut self, case: &Case, outcome: Outcome) {
        self.total.add(&outcome);
        self.kinds.entry(case.kind.clone()).or_default().add(&outcome);
        self.outcomes.insert(case.id.clone(), outcome);
    }

    /// Why cases were skipped, each reason with the cases.
    #[must_use]
    pub fn skipped(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (id, outcome) in &self.outcomes {
            if let Outcome::Skipped(reason) = outcome {
                reasons.entry(reason).or_default().push(id);
            }
        }
        reasons
    }
}
