//! What is found of the names of one namespace: who is denied a name, and who gives way.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::cluster::SourceRef;

/// Most results of a report; where there are more, the last one says how many. Policy UIs read whole reports, and one of this
/// size has some 100 kB.
pub const MAX_RESULTS: usize = 100;

/// Longest text of another's that a report repeats, in characters.
const LONGEST_TEXT: usize = 500;

/// What has become of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// The host or the policy module refuses it.
    Denied,
    /// The policy module failed on it.
    Failed,
    /// It gives way to another claim.
    GaveWay,
}

/// A host name that an object asks for and does not get.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Finding {
    /// The object.
    pub source: SourceRef,
    /// Its unique identifier.
    pub uid: String,
    /// The host name, as the object has it.
    pub host_name: String,
    /// What has become of it.
    pub outcome: Outcome,
    /// For machines.
    pub code: String,
    /// For people: what the object's Event says.
    pub message: String,
    /// The guard that denies it or failed; `None` where it is the module that names, or the host.
    pub guard: Option<String>,
    /// Who has the name; `None` where it is nobody, or many.
    pub winner: Option<String>,
}

/// What is found in one namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Findings {
    /// Name of the DNSPolicy.
    pub policy: String,
    /// The first of them, of every object as many as of another.
    pub listed: Vec<Finding>,
    /// How many there are of each outcome.
    pub counts: BTreeMap<Outcome, usize>,
}

impl Findings {
    /// Takes of all that is found as much as a report lists.
    pub fn of(policy: &str, all: impl IntoIterator<Item = Finding>) -> Self {
        let mut counts: BTreeMap<Outcome, usize> = BTreeMap::new();
        let mut of_object: HashMap<SourceRef, usize> = HashMap::new();
        let mut listed = BTreeMap::new();
        for mut finding in all {
            *counts.entry(finding.outcome).or_default() += 1;
            let rank = of_object.entry(finding.source.clone()).or_default();
            *rank += 1;
            finding.message = cut(&finding.message);
            let place = (*rank, finding.source.clone(), finding.host_name.clone(), finding.outcome);
            listed.insert(place, finding);
            // The largest place goes, so that no object keeps others from the report.
            if listed.len() > MAX_RESULTS {
                listed.pop_last();
            }
        }
        // One place is for the result that says how many more there are.
        if counts.values().sum::<usize>() > MAX_RESULTS {
            listed.pop_last();
        }
        let mut listed: Vec<Finding> = listed.into_values().collect();
        listed.sort_by(|a, b| (&a.source, &a.host_name).cmp(&(&b.source, &b.host_name)));
        Self { policy: policy.to_owned(), listed, counts }
    }

    /// Whether there is nothing to report.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn total(&self) -> usize {
        self.counts.values().sum()
    }

    /// Tells what a report says from what another one says.
    pub(super) fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }
}

/// Whether reports are wanted in a cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wanted {
    /// Nobody knows: what stands there stays.
    #[default]
    Unknown,
    /// None are.
    No,
    /// They are.
    Yes,
}

/// What is known of namespaces of a cluster that was not known before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FindingsNews {
    /// Whether reports are wanted.
    pub wanted: Wanted,
    /// Another number than before: what was told of namespaces before is not so any more, and all is told anew.
    pub epoch: u64,
    /// Whether all that the cluster asks for has been decided on once.
    pub is_complete: bool,
    /// What is found in namespaces where it may be something else than before.
    pub namespaces: Vec<(String, Findings)>,
    /// Whether there are more such namespaces.
    pub has_more: bool,
}

fn cut(text: &str) -> String {
    text.chars().take(LONGEST_TEXT).collect()
}
