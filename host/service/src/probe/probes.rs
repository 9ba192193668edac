//! What was answered last, by name and by cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::expectation::{Answer, Expectation, Verdict};
use openmcp_dns_core::name::HostName;

/// How one name was answered last.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Probe {
    expectation: Expectation,
    verdict: Option<Verdict>,
    answer: String,
}

/// What was answered last. The cost of a change does not grow with the number of names.
#[derive(Debug, Default)]
pub(super) struct Probes {
    names: BTreeMap<HostName, Probe>,
    clusters: BTreeMap<ClusterId, Counts>,
}

/// Counts of one cluster.
#[derive(Debug, Default)]
struct Counts {
    matching: usize,
    outstanding: usize,
    mismatching: BTreeSet<HostName>,
    unanswered: BTreeSet<HostName>,
}

/// How the names of a cluster are answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProbeCounts {
    /// Names that are answered as expected.
    pub matching: usize,
    /// Names that are answered otherwise.
    pub mismatching: usize,
    /// Names that got no answer.
    pub unanswered: usize,
    /// Names that have not been asked for yet.
    pub outstanding: usize,
    /// One of the names that are not answered as expected, and what was answered.
    pub example: Option<String>,
}

impl Probes {
    /// How the names of a cluster are answered.
    pub(super) fn of_cluster(&self, cluster: &ClusterId) -> ProbeCounts {
        let Some(counts) = self.clusters.get(cluster) else { return ProbeCounts::default() };
        let Counts { matching, outstanding, mismatching, unanswered } = counts;
        let example = mismatching.first().or(unanswered.first()).and_then(|name| self.names.get(name));
        ProbeCounts {
            matching: *matching,
            mismatching: mismatching.len(),
            unanswered: unanswered.len(),
            outstanding: *outstanding,
            example: example.map(describe),
        }
    }

    pub(super) fn begin(&mut self, expectation: &Expectation) {
        self.set(Probe { expectation: expectation.clone(), verdict: None, answer: String::new() });
    }

    /// Takes in a verdict, unless something else is expected of the name by now.
    pub(super) fn end(&mut self, expectation: &Expectation, verdict: Verdict, answer: &Answer) {
        if self.names.get(&expectation.name).is_none_or(|probe| probe.expectation != *expectation) {
            return;
        }
        if verdict == Verdict::Match && expectation.records.is_empty() {
            // Withdrawn, and seen to be: nothing is left to ask for.
            self.remove(&expectation.name);
        } else {
            let (expectation, answer) = (expectation.clone(), answer.to_string());
            self.set(Probe { expectation, verdict: Some(verdict), answer });
        }
    }

    /// At most `limit` names after `last`, from the start again after the last of all, for asking
    /// again. Those that are being asked for are left out.
    pub(super) fn some_after(&self, last: Option<&HostName>, limit: usize) -> Vec<Expectation> {
        let after = last.map_or(Bound::Unbounded, Bound::Excluded);
        let names = self.names.range::<HostName, _>((after, Bound::Unbounded));
        let from_start = last.into_iter().flat_map(|last| self.names.range(..=last));
        names
            .chain(from_start)
            .take(limit)
            .filter(|(_, probe)| probe.verdict.is_some())
            .map(|(_, probe)| probe.expectation.clone())
            .collect()
    }

    fn set(&mut self, probe: Probe) {
        self.remove(&probe.expectation.name);
        for cluster in &probe.expectation.clusters {
            let counts = self.clusters.entry(cluster.clone()).or_default();
            let name = || probe.expectation.name.clone();
            match probe.verdict {
                None => counts.outstanding += 1,
                Some(Verdict::Match) => counts.matching += 1,
                Some(Verdict::Mismatch) => drop(counts.mismatching.insert(name())),
                Some(Verdict::NoAnswer) => drop(counts.unanswered.insert(name())),
            }
        }
        self.names.insert(probe.expectation.name.clone(), probe);
    }

    fn remove(&mut self, name: &HostName) {
        let Some(old) = self.names.remove(name) else { return };
        for cluster in &old.expectation.clusters {
            let Some(counts) = self.clusters.get_mut(cluster) else { continue };
            match old.verdict {
                None => counts.outstanding -= 1,
                Some(Verdict::Match) => counts.matching -= 1,
                Some(Verdict::Mismatch) => drop(counts.mismatching.remove(name)),
                Some(Verdict::NoAnswer) => drop(counts.unanswered.remove(name)),
            }
        }
    }
}

fn describe(probe: &Probe) -> String {
    let Probe { expectation: Expectation { name, records, .. }, verdict: _, answer } = probe;
    let expected: Vec<&str> = records.values().flatten().map(String::as_str).collect();
    let expected = if expected.is_empty() { "nothing".to_owned() } else { expected.join(" ") };
    format!("{name}: expected {expected}, got {answer}")
}

#[cfg(test)]
mod tests {
    use openmcp_dns_core::record::RecordType;

    use super::*;

    fn cluster() -> ClusterId {
        ClusterId::new("openmcp-system", "w1")
    }

    fn expectation(name: &str, address: Option<&str>) -> Expectation {
        let mut expectation = Expectation::from_stored(&name.parse().unwrap(), None);
        expectation.clusters.insert(cluster());
        if let Some(address) = address {
            expectation.records.insert(RecordType::A, [address.to_owned()].into());
        }
        expectation
    }

    #[test]
    fn counts_follow_what_was_answered_last() {
        let mut probes = Probes::default();
        let (good, bad) = (
            expectation("a.openmcp.cluster", Some("10.0.0.1")),
            expectation("b.openmcp.cluster", Some("10.0.0.2")),
        );
        probes.begin(&good);
        probes.begin(&bad);
        assert_eq!(probes.of_cluster(&cluster()).outstanding, 2);
        probes.end(&good, Verdict::Match, &Answer::NoData);
        probes.end(&bad, Verdict::Mismatch, &Answer::NoSuchName);
        let counts = probes.of_cluster(&cluster());
        assert_eq!((counts.matching, counts.mismatching, counts.outstanding), (1, 1, 0));
        assert_eq!(counts.example.unwrap(), "b.openmcp.cluster: expected 10.0.0.2, got NXDOMAIN");
        probes.end(&bad, Verdict::Match, &Answer::NoData);
        assert_eq!(probes.of_cluster(&cluster()).matching, 2);
    }

    #[test]
    fn a_withdrawn_name_is_forgotten_when_it_is_seen_to_be_gone() {
        let mut probes = Probes::default();
        let gone = expectation("a.openmcp.cluster", None);
        probes.begin(&expectation("a.openmcp.cluster", Some("10.0.0.1")));
        probes.begin(&gone);
        probes.end(
            &expectation("a.openmcp.cluster", Some("10.0.0.1")),
            Verdict::Mismatch,
            &Answer::NoSuchName,
        );
        assert_eq!(probes.of_cluster(&cluster()).outstanding, 1, "an outdated answer does not count");
        probes.end(&gone, Verdict::Match, &Answer::NoSuchName);
        assert_eq!(probes.of_cluster(&cluster()), ProbeCounts::default());
    }

    #[test]
    fn all_names_are_asked_for_again_in_turn() {
        let mut probes = Probes::default();
        for name in ["a.openmcp.cluster", "b.openmcp.cluster", "c.openmcp.cluster"] {
            let expectation = expectation(name, Some("10.0.0.1"));
            probes.begin(&expectation);
            probes.end(&expectation, Verdict::Match, &Answer::NoData);
        }
        let names = |last: Option<&str>| -> Vec<String> {
            let last = last.map(|last| last.parse().unwrap());
            probes.some_after(last.as_ref(), 2).iter().map(|found| found.name.to_string()).collect()
        };
        assert_eq!(names(None), ["a.openmcp.cluster", "b.openmcp.cluster"]);
        assert_eq!(names(Some("b.openmcp.cluster")), ["c.openmcp.cluster", "a.openmcp.cluster"]);
    }
}
