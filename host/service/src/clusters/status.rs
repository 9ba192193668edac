//! From what is known of a cluster to what its `ClusterDNS` says.

use std::sync::Arc;

use super::controller::ClusterController;
use crate::counts::ClusterCounts;
use crate::duties::Findings;
use crate::journal::Occurrence;
use crate::record::{Problem, Summary};
use crate::report::cluster_dns::ClusterReport;
use openmcp_dns_api::cluster_dns::{ClaimProblem, HeldDeletion};
use openmcp_dns_api::{Cluster, ClusterDNSStatus, Phase};

impl ClusterController {
    /// Has the status written where it is another one, counts, and notes what is found anew.
    pub(super) fn tell_status(&mut self, cluster: &Arc<Cluster>, summary: &Summary, findings: Findings) {
        let mut status = status(summary, cluster.metadata.generation.unwrap_or_default());
        status.zone = self.zone.as_ref().map(ToString::to_string).unwrap_or_default();
        status.left_zones = self.left_zones.iter().map(ToString::to_string).collect();
        status.reverse_zones = self.reverse_zones.iter().map(ToString::to_string).collect();
        self.duties.tell(&mut status);
        self.tell_counts(summary);
        for (&duty, finding) in &findings {
            if self.noted.get(&duty) != Some(finding) {
                let (cluster, finding) = (self.id.clone(), finding.clone());
                self.settings.journal.note(Occurrence::Condition { cluster, duty, finding });
            }
        }
        self.noted.clone_from(&findings);
        self.announce(&findings);
        self.settings.statuses.say(ClusterReport { cluster: Arc::clone(cluster), findings, status });
    }

    /// Counts for the status of the policy.
    pub(super) fn tell_counts(&self, summary: &Summary) {
        self.tells.counts.send_replace(ClusterCounts {
            policy: summary.policy.clone().unwrap_or_default(),
            is_settled: summary.is_settled(),
            published: count(summary.published),
            denied: count(summary.denied),
            comparison: summary.comparison.clone(),
        });
    }
}

/// What the summary says; the duties add to it, and the conditions come when it is written.
fn status(summary: &Summary, generation: i64) -> ClusterDNSStatus {
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
        phase: Phase::default(),
        domain: match &summary.domain {
            Some(Ok(domain)) => domain.to_string(),
            Some(Err(_)) | None => String::new(),
        },
        zone: String::new(),
        policy: summary.policy.clone().unwrap_or_default(),
        conditions: Vec::new(),
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
        reverse_zones: Vec::new(),
        forwarding: None,
        cluster_dns_address: String::new(),
    }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
