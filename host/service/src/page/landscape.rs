//! The landscape as the page shows it.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition as Found, Time};
use openmcp_dns_api::dns_policy::{CandidateStatus, DecisionDifference, GuardStatus, ModuleStatus};
use openmcp_dns_api::{ClusterDNSStatus, DNSPolicy, Phase, without_ready};
use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::recording::{Held as HeldNames, Which};
use openmcp_dns_page::{
    Candidate, Cluster, Condition, Counts, Held, Landscape, Listed, Module, Names, Policy, Question, Show,
};

use super::claims::{claim, short};
use super::known::{State, now};
use super::picture::{Picture, place, place_text, which};
use crate::record::Command;

/// So many names on a page.
const ROWS: usize = 100;

/// So many of what is not published on the first page.
const DENIALS: usize = 20;

/// So many clusters and policies.
const CLUSTERS: usize = 100;

/// So many held deletions, with so many names of each.
const HELD: usize = 20;

impl Picture {
    pub(super) async fn draw(&self, question: &Question) -> Landscape {
        let Question { search, show, after } = question;
        let is_first = *question == Question::default();
        let found = self.find(which(search), *show == Show::NotPublished, place(after), ROWS).await;
        let (denied, held) = if is_first {
            let denied = self.find(Which::All, true, None, DENIALS).await;
            (Some(denied), self.ask(|answer| Command::Held(HELD, answer)).await)
        } else {
            (None, None)
        };
        let of_denied = denied.iter().flat_map(|denied| &denied.claims);
        let answers = self.answers(found.claims.iter().chain(of_denied)).await;
        let instance = self.instance(found.trouble);
        let state = self.known.state();
        let (clusters, counts) = clusters(&state);
        let problems = self.about.problems.borrow().clone();
        let denials = denied.map(|denied| {
            let first: Vec<_> = denied.claims.iter().map(|seen| claim(seen, &answers)).collect();
            Listed { all: denied.next.is_none().then_some(first.len()), first }
        });
        Landscape {
            title: self.about.title.clone().unwrap_or_else(|| title(&state)),
            at: now(),
            instance,
            facts: self.about.facts.clone(),
            problems,
            policies: state.policies.iter().flatten().take(CLUSTERS).map(|(_, one)| policy(one)).collect(),
            clusters,
            counts,
            held: held.map(|held| held.into_iter().map(|held| self.held(held, &state)).collect()),
            denials,
            changes: state.changes.iter().cloned().collect(),
            names: Names {
                claims: found.claims.iter().map(|seen| claim(seen, &answers)).collect(),
                next: found.next.as_ref().map(place_text),
                is_cut: found.is_cut,
            },
        }
    }

    fn held(&self, held: HeldNames, state: &State) -> Held {
        let HeldNames { cluster, deletion, names } = held;
        let policy = state.clusters.as_ref().and_then(|clusters| clusters.get(&cluster));
        let policy = policy.and_then(|status| state.policies.as_ref()?.get(&status.policy));
        Held {
            names: Listed {
                first: names.into_iter().map(|name| name.to_string()).collect(),
                all: Some(deletion.names),
            },
            hold_seconds: policy.map(|policy| policy.spec.deletion_guard.hold_seconds),
            confirm: (self.about.confirm)(&cluster, &deletion.token),
            cluster: cluster.to_string(),
        }
    }
}

/// The zones.
fn title(state: &State) -> String {
    let mut zones: Vec<&str> =
        state.policies.iter().flatten().map(|(_, policy)| policy.spec.base_domain.as_str()).collect();
    zones.sort_unstable();
    zones.dedup();
    match &zones[..] {
        [] => "No zone".to_owned(),
        [one, two, three, more @ ..] if !more.is_empty() => {
            format!("{one}, {two}, {three} and {} more", more.len())
        }
        all => all.join(", "),
    }
}

/// The first clusters, those first that are not ready, and the counts of all of them.
fn clusters(state: &State) -> (Listed<Cluster>, Counts) {
    let none = BTreeMap::new();
    let all = state.clusters.as_ref().unwrap_or(&none);
    let mut counts = Counts { clusters: all.len(), ..Counts::default() };
    for status in all.values() {
        let ClusterDNSStatus {
            phase,
            published,
            denied,
            undecided,
            unresolved,
            conflicts,
            held_deletion,
            ..
        } = status;
        counts.clusters_ready += usize::from(*phase == Phase::Ready);
        counts.published += count(*published);
        counts.denied += count(*denied);
        counts.undecided += count(*undecided);
        counts.unresolved += count(*unresolved);
        counts.conflicts += count(*conflicts);
        counts.held += held_deletion.as_ref().map_or(0, |held| count(held.names));
    }
    let mut sorted: Vec<(&ClusterId, &ClusterDNSStatus)> = all.iter().collect();
    sorted.sort_by_key(|(_, status)| status.phase == Phase::Ready);
    let first = sorted.into_iter().take(CLUSTERS).map(|(id, status)| cluster(id, status)).collect();
    (Listed { first, all: Some(all.len()) }, counts)
}

fn cluster(id: &ClusterId, status: &ClusterDNSStatus) -> Cluster {
    let not_published = [status.denied, status.undecided, status.unresolved, status.conflicts];
    Cluster {
        name: id.to_string(),
        domain: status.domain.clone(),
        phase: format!("{:?}", status.phase),
        conditions: without_ready(&status.conditions).map(condition).collect(),
        published: count(status.published),
        not_published: not_published.into_iter().map(count).sum(),
    }
}

fn policy(policy: &DNSPolicy) -> Policy {
    let (spec, status) = (&policy.spec, policy.status.clone().unwrap_or_default());
    let ModuleStatus { active_digest, description, guards, last_activation_time, .. } = status.module;
    let module = Module {
        description: short(&description),
        sha256: active_digest,
        since: last_activation_time.map(|Time(time)| format!("{time:.0}")),
    };
    let guard = |GuardStatus { name, sha256, description }: GuardStatus| Module {
        description: short(&format!("{name}: {description}")),
        sha256,
        since: None,
    };
    Policy {
        name: policy.metadata.name.clone().unwrap_or_default(),
        zone: spec.base_domain.clone(),
        mode: format!("{:?}", spec.mode),
        module: (!module.sha256.is_empty()).then_some(module),
        guards: guards.into_iter().map(guard).collect(),
        candidate: status.candidate.map(candidate),
        clusters: count(status.clusters),
        conditions: without_ready(&status.conditions).map(condition).collect(),
    }
}

fn candidate(candidate: CandidateStatus) -> Candidate {
    let CandidateStatus { sha256: _, description, complete, compared, differing, differences } = candidate;
    let difference = |difference: DecisionDifference| {
        let DecisionDifference { cluster, source, host_name, change, active, candidate } = difference;
        short(&format!("{host_name} of {source} in {cluster}, {change}: {active} → {candidate}"))
    };
    Candidate {
        description: short(&description),
        is_complete: complete,
        compared: count(compared),
        differing: count(differing),
        differences: differences.into_iter().map(difference).collect(),
    }
}

fn condition(condition: &Found) -> Condition {
    Condition {
        about: condition.type_.clone(),
        status: condition.status.clone(),
        reason: condition.reason.clone(),
        message: short(&condition.message),
    }
}

/// As the API has counts, none is below 0.
fn count(count: i64) -> usize {
    usize::try_from(count).unwrap_or_default()
}
