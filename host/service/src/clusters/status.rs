//! From what is known of a cluster to what its `ClusterDNS` says.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use openmcp_dns_core::chain;

use super::controller::ClusterController;
use crate::counts::ClusterCounts;
use crate::duties::Findings;
use crate::journal::Occurrence;
use crate::record::{Problem, Summary};
use crate::report::cluster_dns;
use openmcp_dns_api::cluster_dns::{ClaimProblem, HeldDeletion};
use openmcp_dns_api::{Cluster, ClusterDNSStatus};

impl ClusterController {
    /// Writes the status where it has changed, counts, and notes what is found anew.
    pub(super) async fn write_status(&mut self, cluster: &Cluster, summary: &Summary, findings: &Findings) {
        if let Err(error) = self.read_written(cluster).await {
            tracing::warn!(cluster = %self.id, error = chain(&error), "unable to read ClusterDNS");
            return;
        }
        let written = self.written.as_ref();
        let previous = written.map(|status| status.conditions.as_slice()).unwrap_or_default();
        let generation = cluster.metadata.generation.unwrap_or_default();
        let mut now = status(summary, findings, generation, previous);
        now.left_zones = self.noted_zones();
        self.duties.tell(&mut now);
        self.counts.send_replace(ClusterCounts {
            policy: now.policy.clone(),
            published: now.published,
            denied: now.denied,
            comparison: summary.comparison.clone(),
        });
        for (&duty, finding) in findings {
            if self.noted.get(&duty) != Some(finding) {
                let (cluster, finding) = (self.id.clone(), finding.clone());
                self.settings.journal.note(Occurrence::Condition { cluster, duty, finding });
            }
        }
        self.noted.clone_from(findings);
        if written == Some(&now) {
            return;
        }
        match cluster_dns::write(&self.settings.platform, cluster, &now).await {
            Ok(()) => self.written = Some(now),
            Err(error) => {
                tracing::warn!(cluster = %self.id, error = chain(&error), "unable to write ClusterDNS");
            }
        }
    }
}

/// What the summary and the findings say; the duties add to it. A condition whose finding has not changed keeps its transition time.
fn status(
    summary: &Summary,
    findings: &Findings,
    generation: i64,
    previous: &[Condition],
) -> ClusterDNSStatus {
    let conditions = findings
        .iter()
        .map(|(duty, finding)| finding.condition(duty.as_str(), Some(generation), previous))
        .collect();
    let problems = summary.problems.iter().map(|problem| {
        let Problem { source, host_name, code, message } = problem;
        ClaimProblem {
            source: source.to_string(),
            host_name: host_name.clone(),
            code: code.clone(),
            message: message.clone(),
        }
    });
    ClusterDNSStatus {
        observed_generation: generation,
        domain: match &summary.domain {
            Some(Ok(domain)) => domain.to_string(),
            Some(Err(_)) | None => String::new(),
        },
        policy: summary.policy.clone().unwrap_or_default(),
        conditions,
        published: count(summary.published),
        denied: count(summary.denied),
        unresolved: count(summary.unresolved),
        undecided: count(summary.undecided),
        conflicts: count(summary.conflicts),
        problems: problems.collect(),
        held_deletion: summary
            .held
            .as_ref()
            .map(|held| HeldDeletion { names: count(held.names), token: held.token.clone() }),
        left_zones: Vec::new(),
        cluster_dns_address: String::new(),
    }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use k8s_openapi::jiff::Timestamp;

    use super::*;
    use openmcp_dns_api::conditions::{DutyName, Finding, Reason};

    #[test]
    fn a_condition_keeps_its_time_until_its_status_changes() {
        let summary = Summary { published: 2, denied: 1, ..Summary::default() };
        let say = |finding: Finding, previous: &[Condition]| {
            status(&summary, &Findings::from([(DutyName::Probed, finding)]), 7, previous)
        };
        let mut first = say(Finding::good("2 names are answered as decided"), &[]);
        assert_eq!((first.observed_generation, first.published, first.denied), (7, 2, 1));
        first.conditions[0].last_transition_time = Time(Timestamp::UNIX_EPOCH);

        let same = say(Finding::good("3 names are answered as decided"), &first.conditions);
        assert_eq!(same.conditions[0].last_transition_time, Time(Timestamp::UNIX_EPOCH));
        let other = say(Finding::bad(Reason::NoAnswer, "1 names get no answer"), &same.conditions);
        assert_ne!(other.conditions[0].last_transition_time, Time(Timestamp::UNIX_EPOCH));
    }

    #[test]
    fn conditions_stand_in_the_order_in_which_they_are_shown() {
        let findings = DutyName::ALL.into_iter().rev().map(|name| (name, Finding::good("well"))).collect();
        let status = status(&Summary::default(), &findings, 1, &[]);
        let types: Vec<&str> = status.conditions.iter().map(|condition| condition.type_.as_str()).collect();
        assert_eq!(types, DutyName::ALL.map(DutyName::as_str));
    }
}
