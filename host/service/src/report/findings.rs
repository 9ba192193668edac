//! From what is known of a cluster to what its status says.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use openmcp_dns_core::kinds::Kind;

use crate::probe::ProbeCounts;
use crate::record::{HeldSummary, NoDomain, Problem, Summary, WatchState};
use openmcp_dns_api::ClusterDNSStatus;
use openmcp_dns_api::cluster_dns::{ClaimProblem, HeldDeletion};
use openmcp_dns_api::conditions::{Duty, Finding, Reason};

/// What was found for each duty.
pub type Findings = BTreeMap<Duty, Finding>;

/// Whether the watches of a reachable cluster are in sync.
#[must_use]
pub fn reachable(watches: &BTreeMap<Kind, WatchState>) -> Finding {
    let with = |wanted: fn(&WatchState) -> bool| -> Vec<&str> {
        let found = watches.iter().filter(|(_, state)| wanted(state));
        found.map(|(kind, _)| kind.as_str()).collect()
    };
    let trouble = watches.iter().find_map(|(kind, state)| match state {
        WatchState::Trouble(message) => Some((kind, message)),
        WatchState::InSync | WatchState::NotServed => None,
    });
    if let Some((kind, message)) = trouble {
        return Finding::bad(
            Reason::Unreachable,
            format!("unable to watch {}; what is published stays: {message}", kind.as_str()),
        );
    }
    if watches.len() < Kind::ALL.len() {
        return Finding::unknown(Reason::InProgress, "the first lists are being read");
    }
    let not_served = with(|state| *state == WatchState::NotServed);
    if not_served.is_empty() {
        return Finding::good("all kinds are watched");
    }
    Finding {
        status: Some(true),
        reason: Reason::KindNotServed,
        message: format!(
            "the cluster does not serve {}, so nothing is recorded from there; this is looked at again every \
             few seconds, install the CRDs where they are wanted",
            not_served.join(" and ")
        ),
    }
}

/// Whether what was decided is in the store.
#[must_use]
pub fn recorded(summary: &Summary) -> Finding {
    match &summary.domain {
        None => return Finding::unknown(Reason::InProgress, "the cluster's domain is not decided yet"),
        Some(Err(NoDomain::Policy(failure))) => {
            return Finding::bad(Reason::NoDomain, format!("the cluster has no domain: {failure}"));
        }
        Some(Err(taken @ NoDomain::Taken { .. })) => {
            return Finding::bad(
                Reason::DomainConflict,
                format!("the cluster has no domain: {taken}; rename the cluster or give it another domain"),
            );
        }
        Some(Ok(_)) => {}
    }
    if let Some(trouble) = &summary.store_trouble {
        return Finding::bad(Reason::StoreUnavailable, trouble);
    }
    if let Some(HeldSummary { names, token }) = &summary.held {
        return Finding::bad(
            Reason::DeletionHeld,
            format!(
                "{names} names would be withdrawn and are held; to let that go on now, annotate this object with \
                 dns.openmcp.cloud/confirm-deletion={token}"
            ),
        );
    }
    if summary.undecided > 0 {
        return Finding::bad(
            Reason::PolicyFailed,
            format!("the policy module failed on {} claims; what was published stays", summary.undecided),
        );
    }
    if summary.pending > 0 {
        return Finding::unknown(Reason::InProgress, "changes are being decided on or written");
    }
    if summary.foreign_names > 0 {
        return Finding {
            status: Some(true),
            reason: Reason::ForeignRecords,
            message: format!(
                "all is recorded; at {} names of this cluster stand values that are not ours, and are left alone",
                summary.foreign_names
            ),
        };
    }
    Finding::good(format!("{} claims are published", summary.published))
}

/// Whether the central DNS server answers what was decided.
#[must_use]
pub fn probed(counts: &ProbeCounts) -> Finding {
    let ProbeCounts { matching, mismatching, unanswered, outstanding, example } = counts;
    let example = example.as_deref().unwrap_or_default();
    if *mismatching > 0 {
        return Finding::bad(
            Reason::Mismatch,
            format!("{mismatching} names are answered otherwise than decided, for example {example}"),
        );
    }
    if *unanswered > 0 {
        return Finding::bad(
            Reason::NoAnswer,
            format!(
                "{unanswered} names get no answer, for example {example}; is the central DNS server running?"
            ),
        );
    }
    if *outstanding > 0 {
        return Finding::unknown(Reason::InProgress, format!("{outstanding} names are being asked for"));
    }
    Finding::good(format!("{matching} names are answered as decided"))
}

/// The whole status. A condition whose finding has not changed keeps its transition time.
#[must_use]
pub fn status(
    summary: &Summary,
    findings: &Findings,
    generation: i64,
    cluster_dns_address: String,
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
            .map(|HeldSummary { names, token }| HeldDeletion { names: count(*names), token: token.clone() }),
        cluster_dns_address,
    }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watches(states: &[WatchState]) -> BTreeMap<Kind, WatchState> {
        Kind::ALL.into_iter().zip(states.iter().cloned()).collect()
    }

    #[test]
    fn a_cluster_without_gateway_crds_is_reachable_and_says_what_is_missing() {
        use WatchState::{InSync, NotServed};
        let finding = reachable(&watches(&[NotServed, NotServed, InSync, InSync]));
        assert_eq!((finding.status, finding.reason), (Some(true), Reason::KindNotServed));
        assert!(finding.message.contains("Gateway and HTTPRoute"), "{}", finding.message);
    }

    #[test]
    fn trouble_with_one_watch_makes_a_cluster_unreachable() {
        use WatchState::{InSync, Trouble};
        let finding = reachable(&watches(&[InSync, Trouble("refused".into()), InSync, InSync]));
        assert_eq!((finding.status, finding.reason), (Some(false), Reason::Unreachable));
        assert_eq!(reachable(&watches(&[InSync])).status, None);
    }

    #[test]
    fn a_held_deletion_names_the_word_that_confirms_it() {
        let domain = Some(Ok("w1.openmcp.cluster".parse().unwrap()));
        let held = Some(HeldSummary { names: 12, token: "cafe".into() });
        let finding = recorded(&Summary { domain, held, ..Summary::default() });
        assert_eq!((finding.status, finding.reason), (Some(false), Reason::DeletionHeld));
        assert!(finding.message.contains("confirm-deletion=cafe"), "{}", finding.message);
    }
}
