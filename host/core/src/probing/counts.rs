//! Counts: how the names of each cluster are answered, kept up to date with each change.

use std::collections::{BTreeMap, BTreeSet};

use super::{Slot, Standing};
use crate::cluster::ClusterId;

/// How the names of a cluster are answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProbeCounts {
    /// Names that are answered as expected.
    pub matching: usize,
    /// Names that are answered otherwise.
    pub mismatching: usize,
    /// Names that got no answer.
    pub unanswered: usize,
    /// Names of which it cannot be said yet how they are answered.
    pub outstanding: usize,
    /// One of the names that are not answered as expected, and what was answered.
    pub example: Option<String>,
}

/// Counts of one cluster. Of the names that fail, the places are kept, to have an example.
#[derive(Debug, Default)]
struct Counts {
    matching: usize,
    outstanding: usize,
    mismatching: BTreeSet<u32>,
    unanswered: BTreeSet<u32>,
}

/// Counts of all clusters.
#[derive(Debug, Default)]
pub(super) struct Counters(BTreeMap<ClusterId, Counts>);

impl Counters {
    pub(super) fn of<'s>(&self, cluster: &ClusterId, slot: impl Fn(u32) -> Option<&'s Slot>) -> ProbeCounts {
        let Some(Counts { matching, outstanding, mismatching, unanswered }) = self.0.get(cluster) else {
            return ProbeCounts::default();
        };
        let example = mismatching.first().or(unanswered.first()).and_then(|id| slot(*id));
        ProbeCounts {
            matching: *matching,
            mismatching: mismatching.len(),
            unanswered: unanswered.len(),
            outstanding: *outstanding,
            example: example.map(describe),
        }
    }

    pub(super) fn add(&mut self, id: u32, slot: &Slot) {
        for cluster in &slot.expectation.clusters {
            let counts = self.0.entry(cluster.clone()).or_default();
            match slot.standing {
                Standing::Outstanding => counts.outstanding += 1,
                Standing::Matching => counts.matching += 1,
                Standing::Mismatching(_) => drop(counts.mismatching.insert(id)),
                Standing::Unanswered(_) => drop(counts.unanswered.insert(id)),
            }
        }
    }

    pub(super) fn remove(&mut self, id: u32, slot: &Slot) {
        for cluster in &slot.expectation.clusters {
            let Some(counts) = self.0.get_mut(cluster) else { continue };
            match slot.standing {
                Standing::Outstanding => counts.outstanding -= 1,
                Standing::Matching => counts.matching -= 1,
                Standing::Mismatching(_) => drop(counts.mismatching.remove(&id)),
                Standing::Unanswered(_) => drop(counts.unanswered.remove(&id)),
            }
            let Counts { matching, outstanding, mismatching, unanswered } = counts;
            if *matching + *outstanding + mismatching.len() + unanswered.len() == 0 {
                self.0.remove(cluster);
            }
        }
    }
}

fn describe(slot: &Slot) -> String {
    let expected: Vec<String> = slot.expectation.values.iter().map(ToString::to_string).collect();
    let expected = if expected.is_empty() { "nothing".to_owned() } else { expected.join(" ") };
    let answer = match &slot.standing {
        Standing::Mismatching(answer) | Standing::Unanswered(answer) => answer,
        Standing::Outstanding | Standing::Matching => "",
    };
    format!("{}: expected {expected}, got {answer}", slot.expectation.name)
}
