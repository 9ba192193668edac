//! Changes: what turns in the status of policies and clusters, and what is wrong with the files.

use std::path::Path;

use openmcp_dns_api::{CONFIRM_ANNOTATION, ClusterDNS, ClusterDNSStatus, DNSPolicy, without_ready};
use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_landscape::folder::PLATFORM;
use openmcp_dns_landscape::{Problem, Problems};
use serde_json::json;

use super::event::Event;
use super::mirror::{CLUSTER_DNS, DNS_POLICY};
use super::overview::{HeldOverview, ProblemOverview};
use super::session::Session;
use super::statuses::{Statuses, condition, conditions_of, is_known, module};

/// Reasons of conditions that are told of in another way, or are no trouble.
const DELETION_HELD: &str = "DeletionHeld";
const MONITORED: &str = "Monitored";

impl Session {
    /// Looks at what the service says of its policies and clusters; gives what has turned.
    pub(super) fn look_at_statuses(&mut self) -> Vec<Event> {
        let before = std::mem::replace(&mut self.statuses, Statuses::read(&self.servers.platform));
        let mut events = Vec::new();
        let policies: Vec<(String, DNSPolicy)> =
            self.statuses.policies.iter().map(|(name, policy)| (name.clone(), policy.clone())).collect();
        for (name, policy) in policies {
            events.extend(self.policy_turned(&name, before.policies.get(&name), &policy));
        }
        let clusters: Vec<(ClusterId, ClusterDNSStatus)> =
            self.statuses.clusters.iter().map(|(id, status)| (id.clone(), status.clone())).collect();
        for (id, status) in clusters {
            let was_held = before.clusters.get(&id).and_then(|before| before.held_deletion.as_ref());
            if status.held_deletion.as_ref() != was_held
                && let Some(held) = self.held(&id, &status)
            {
                self.causes.settle();
                events.push(Event::Held(held));
            }
            events.extend(self.conditions_turned(&id, &status));
        }
        events
    }

    fn policy_turned(&mut self, name: &str, before: Option<&DNSPolicy>, now: &DNSPolicy) -> Vec<Event> {
        let mut events = Vec::new();
        if let Some(module) = module(now)
            && before.and_then(self::module).is_none_or(|before| before.sha256 != module.sha256)
        {
            events.push(Event::Module { policy: name.to_owned(), module });
        }
        let candidate =
            |policy: &DNSPolicy| policy.status.as_ref().and_then(|status| status.candidate.clone());
        if let Some(now) = candidate(now).filter(|now| now.complete)
            && before.and_then(candidate).is_none_or(|before| before != now)
        {
            events.push(Event::Candidate { policy: name.to_owned(), candidate: now });
        }
        if !events.is_empty() {
            self.causes.settle();
        }
        events
    }

    /// The conditions that have become false, and those that were told to be and are no more. One that is
    /// not known says that the service is at work, or cannot look.
    fn conditions_turned(&mut self, id: &ClusterId, status: &ClusterDNSStatus) -> Vec<Event> {
        let mut events = Vec::new();
        for now in without_ready(&status.conditions).map(condition) {
            let key = (id.clone(), now.condition_type.clone());
            let told = self.told.get(&key);
            let is_bad = now.status == "False" && now.reason != DELETION_HELD;
            if is_bad && told.is_none_or(|told| told.reason != now.reason) {
                self.told.insert(key, now.clone());
            } else if now.status == "True" && told.is_some() {
                self.told.remove(&key);
            } else {
                continue;
            }
            events.push(Event::Condition { cluster: id.name.clone(), condition: now });
        }
        events
    }

    /// The deletion that is held for a cluster, if there is one.
    pub(super) fn held(&self, id: &ClusterId, status: &ClusterDNSStatus) -> Option<HeldOverview> {
        let held = status.held_deletion.as_ref()?;
        Some(HeldOverview {
            cluster: id.name.clone(),
            names: held.names,
            hold_seconds: self.statuses.hold_seconds(status),
            confirm: confirm_command(&self.folder, id, &held.token),
        })
    }

    /// Problems that were not there before, and places that have none any more.
    pub(super) fn new_problems(&mut self, of_the_folder: Option<Problem>) -> Vec<Event> {
        let mut problems = self.landscape.problems.clone();
        for (key, wanted, refusal) in &self.refused {
            let message = format!("{} is refused: {refusal}", key.text());
            let hint = "correct it; what the API server held before stays until then";
            problems.entry(wanted.file.clone()).or_default().push(Problem::error(wanted.line, message, hint));
        }
        self.update_policy_problems();
        for (place, problem) in self.policy_problems.values() {
            problems.entry(place.clone()).or_default().push(problem.clone());
        }
        if let Some(problem) = of_the_folder {
            problems.entry(self.folder.display().to_string()).or_default().push(problem);
        }
        told_of(&std::mem::replace(&mut self.problems, problems), &self.problems)
    }

    /// While a policy is being looked at, what was wrong with it before counts.
    fn update_policy_problems(&mut self) {
        let mut before = std::mem::take(&mut self.policy_problems);
        for (name, policy) in &self.statuses.policies {
            let problem = if is_known(policy) { self.policy_problem(policy) } else { before.remove(name) };
            if let Some(problem) = problem {
                self.policy_problems.insert(name.clone(), problem);
            }
        }
    }

    /// What is wrong with a policy, and the file that it stands in.
    fn policy_problem(&self, policy: &DNSPolicy) -> Option<(String, Problem)> {
        let name = policy.metadata.name.as_deref().unwrap_or_default();
        let conditions = conditions_of(policy);
        let wrong = conditions.iter().find(|found| found.status == "False" && found.reason != MONITORED)?;
        let place = self.files.raw().find(|(file, raw)| {
            let [_, kind, _, of] = raw.identity();
            file.split_once('/').is_some_and(|(folder, _)| folder == PLATFORM)
                && kind == DNS_POLICY
                && of == name
        });
        let line = place.map(|(_, raw)| raw.line);
        let place = place.map_or_else(|| format!("{DNS_POLICY}/{name}"), |(file, _)| file.to_owned());
        let message = format!("{DNS_POLICY}/{name} {}: {}", wrong.reason, wrong.message);
        let hint = "correct the DNSPolicy or its module; what decided before goes on until then";
        Some((place, Problem::error(line, message, hint)))
    }

    /// Whether something could not be read or used, so that it is not known what it asks for.
    pub(super) fn has_errors(&self) -> bool {
        self.problems.values().flatten().any(|problem| problem.is_error)
    }
}

/// Lets a held deletion go on at once.
pub(super) fn confirm_command(folder: &Path, id: &ClusterId, token: &str) -> String {
    let manifest = json!({
        "apiVersion": <ClusterDNS as kube::Resource>::api_version(&()),
        "kind": CLUSTER_DNS,
        "metadata": {
            "name": id.name,
            "namespace": id.namespace,
            "annotations": { CONFIRM_ANNOTATION: token },
        },
    });
    let file = folder.join(PLATFORM).join(format!("confirm-{}.json", id.name));
    let file = file.display().to_string().replace('\'', r"'\''");
    format!("echo '{manifest}' > '{file}'")
}

fn told_of(before: &Problems, now: &Problems) -> Vec<Event> {
    let mut events = Vec::new();
    for (place, problems) in now {
        let old = before.get(place).map_or(&[][..], Vec::as_slice);
        for problem in problems.iter().filter(|problem| !old.contains(problem)) {
            events.push(Event::Problem(ProblemOverview { file: place.clone(), problem: problem.clone() }));
        }
    }
    let solved = before.keys().filter(|place| !now.contains_key(*place));
    events.extend(solved.map(|file| Event::Solved { file: file.clone() }));
    events
}
