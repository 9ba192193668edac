//! The way of one name, from the objects that ask for it to the answer.

use std::collections::BTreeSet;

use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::codes;
use openmcp_dns_core::expectation::Expectation;
use openmcp_dns_core::index::State as Decided;
use openmcp_dns_core::kinds::{Attachment, ListenerVerdict};
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::next;
use openmcp_dns_core::probing::Standing as Answered;
use openmcp_dns_core::recording::{Way as Found, Which};
use openmcp_dns_core::resolve::Claim;
use openmcp_dns_core::route_status::{NameAnswer, NameStanding};
use openmcp_dns_page::{NamePage, Step, Way};

use super::claims::{claim, of_sets, records, short};
use super::known::{State, now};
use super::picture::Picture;
use crate::record::{Command, explain};

/// So many claims and names are followed.
const WAYS: usize = 10;

/// So many lines of one step are shown, such as listeners.
const LINES: usize = 20;

impl Picture {
    pub(super) async fn way_to(&self, name: &str) -> NamePage {
        let parsed = name.parse::<HostName>().ok();
        let names = parsed.iter().cloned().collect();
        let which = Which::At { text: name.to_owned(), names };
        let found = self.find(which, false, None, WAYS).await;
        let mut ways = Vec::new();
        for seen in found.claims {
            let place = seen.place;
            ways.extend(self.ask(|answer| Command::Way(place, answer)).await.flatten());
        }
        // What the claims publish may be other names than the one that they ask for.
        let published = ways.iter().flat_map(|way| &way.seen.published).map(|(name, _)| name.clone());
        let names: BTreeSet<HostName> = parsed.iter().cloned().chain(published).take(WAYS).collect();
        let answers = self.answers_at(names.clone()).await;
        let mut page = NamePage {
            name: short(name),
            instance: self.instance(found.trouble),
            at: now(),
            has_more: found.next.is_some() && !found.is_cut,
            ..NamePage::default()
        };
        for way in &ways {
            let claim = claim(&way.seen, &answers);
            let without_domain = match &way.domain {
                Some(Ok(_)) => None,
                Some(Err(_)) => Some(next::no_domain(&way.seen.place.cluster)),
                None => Some(next::not_selected(&way.seen.place.cluster)),
            };
            page.next.extend(without_domain.into_iter().chain(claim.next.clone()));
            page.ways.push(Way { steps: steps(way, &self.known.state()), claim });
        }
        for name in names {
            let asked = name.clone();
            if let Some(expectation) = self.ask(|answer| Command::Expectation(asked, answer)).await {
                page.outcome.extend(outcome(&name, &expectation, answers.get(&name)));
                if page.ways.is_empty() && !expectation.values.is_empty() {
                    page.next.extend(self.left(&expectation));
                }
            }
        }
        let is_stored = page.outcome.iter().any(|step| step.is_well == Some(true));
        if page.ways.is_empty() && !is_stored {
            page.next.extend(parsed.and_then(|name| unclaimed(&name, &self.known.state())));
        }
        let mut said = BTreeSet::new();
        page.next.retain(|next| said.insert(next.clone()));
        page
    }

    /// What to do about what stands at a name that nobody asks for. What the service publishes of itself, and what follows
    /// from other names, is nothing to do about.
    fn left(&self, expectation: &Expectation) -> Option<String> {
        let mut clusters = expectation.clusters.iter().peekable();
        if clusters.peek().is_none() {
            return Some(next::foreign(&expectation.name));
        }
        let state = self.known.state();
        let statuses = state.clusters.as_ref()?;
        clusters.find_map(|cluster| {
            let held = statuses.get(cluster)?.held_deletion.as_ref()?;
            let confirm = (self.about.confirm)(cluster, &held.token);
            Some(format!(
                "the deletion of {} names is held; if it is meant, let it go on now: {confirm}",
                held.names
            ))
        })
    }
}

fn step(what: &str, lines: Vec<String>, is_well: Option<bool>) -> Step {
    let lines = lines.iter().take(LINES).map(|line| short(line)).collect();
    Step { what: what.to_owned(), lines, is_well }
}

/// Up to where a claim gets.
fn steps(way: &Found, state: &State) -> Vec<Step> {
    let Found { seen, attachments, resolution, policy, domain } = way;
    let (place, sets) = (&seen.place, &seen.record_sets);
    let asks = match place.host_name.as_str() {
        "" => "asks for the host names of its listeners".to_owned(),
        host_name => format!("asks for {host_name}"),
    };
    let mut steps = vec![step(
        "Object",
        vec![format!("{} in cluster {}", place.source, place.cluster), asks],
        Some(true),
    )];
    steps.extend(attachments.iter().map(|attachment| listener(attachment, &place.host_name)));
    let wanted = resolution.wanted.iter().find(|claim| claim.host_name == place.host_name);
    match (&seen.state, wanted) {
        (Decided::Unresolved(reason), _) => {
            let is_well = if reason.is_transient() { None } else { Some(false) };
            steps.push(step("Leads nowhere", vec![reason.to_string()], is_well));
            return steps;
        }
        (_, Some(Claim { targets, ttl_seconds, .. })) => {
            let ttl = ttl_seconds.map(|ttl| format!("with a time to live of {ttl} s, as the object asks"));
            let lines = [targets.iter().take(LINES).cloned().collect::<Vec<_>>().join(" ")];
            steps.push(step("Leads to", lines.into_iter().chain(ttl).collect(), Some(true)));
        }
        (_, None) => {}
    }
    match domain {
        Some(Ok(domain)) => steps.push(step("Domain of the cluster", vec![domain.to_string()], Some(true))),
        Some(Err(why)) => {
            steps.push(step("Domain of the cluster", vec![format!("none: {why}")], Some(false)));
            return steps;
        }
        None => {
            let lines =
                vec!["none: no DNSPolicy holds for the cluster, or its module has not been asked".to_owned()];
            steps.push(step("Domain of the cluster", lines, Some(false)));
            return steps;
        }
    }
    let by = decided_by(&seen.state, policy.as_deref(), state);
    let (said, is_well) = match &seen.state {
        Decided::Published if sets.is_empty() => (vec!["publishes nothing".to_owned()], Some(true)),
        Decided::Published => (of_sets(&place.host_name, sets), Some(true)),
        Decided::Asked => (vec!["has been asked".to_owned()], None),
        state => {
            let why = explain(state).map(|(code, message)| format!("{code}: {message}"));
            (why.into_iter().collect(), Some(false))
        }
    };
    let what = match &seen.state {
        Decided::Denied(_) => "Denied",
        Decided::Undecided(_) => "Not decided",
        _ => "Decision",
    };
    steps.push(step(what, by.into_iter().chain(said).collect(), is_well));
    for (name, standing) in seen.published.iter().take(WAYS) {
        let (line, is_well) = match standing {
            NameStanding::GaveWay(why) => (format!("gives way: {why}"), Some(false)),
            NameStanding::Refused(why) => (format!("the store does not take it: {why}"), Some(false)),
            NameStanding::Open => ("is being written".to_owned(), None),
            NameStanding::Stored(_) => (format!("is recorded at {name}"), Some(true)),
        };
        steps.push(step("Record", vec![line], is_well));
    }
    steps
}

fn listener(attachment: &Attachment, host_name: &str) -> Step {
    let Attachment { parent, listeners } = attachment;
    match listeners {
        Err(reason) => step("Parent", vec![parent.clone(), reason.to_string()], Some(false)),
        Ok(listeners) => {
            let verdicts = listeners.iter().map(|one| (one.name.as_str(), one.verdict(host_name)));
            let serves = verdicts.clone().any(|(_, verdict)| matches!(verdict, ListenerVerdict::Serves(_)));
            let lines = verdicts.map(|(name, verdict)| format!("listener {name}: {verdict}"));
            step("Parent", std::iter::once(parent.clone()).chain(lines).collect(), Some(serves))
        }
    }
}

/// Who has decided.
fn decided_by(decided: &Decided, policy: Option<&str>, state: &State) -> Option<String> {
    if let Decided::Denied(denial) = decided {
        if let Some(guard) = &denial.guard {
            return Some(format!("by the guard {guard}"));
        }
        if codes::ALL.contains(&denial.code.as_str()) && denial.code != codes::UNSPECIFIED {
            return Some("by the service itself, before any module is asked".to_owned());
        }
    }
    let name = policy?;
    let status = state.policies.as_ref().and_then(|policies| policies.get(name)?.status.as_ref());
    Some(match status.map(|status| status.module.description.as_str()).filter(|module| !module.is_empty()) {
        Some(module) => format!("by the module {module} of DNSPolicy {name}"),
        None => format!("by the module of DNSPolicy {name}"),
    })
}

/// What stands at a name, and how it is answered.
fn outcome(name: &HostName, expectation: &Expectation, answer: Option<&NameAnswer>) -> Vec<Step> {
    let values = expectation.values.iter().map(|value| (value.record_type(), value.to_string()));
    let mut lines = vec![name.to_string()];
    lines.extend(records(values));
    let is_stored = !expectation.values.is_empty();
    if is_stored {
        let clusters: Vec<String> = expectation.clusters.iter().take(WAYS).map(ToString::to_string).collect();
        lines.push(format!("written for {}", clusters.join(", ")));
    } else {
        lines.push("nothing stands there".to_owned());
    }
    let stored = step("Store", lines, Some(is_stored));
    let asked = answer.map(|answer| match &answer.standing {
        Answered::Matching => step("Answer", vec!["as recorded".to_owned()], Some(true)),
        Answered::Outstanding => step("Answer", vec!["not asked yet".to_owned()], None),
        Answered::Mismatching(why) | Answered::Unanswered(why) => {
            step("Answer", vec![format!("another one: {why}")], Some(false))
        }
    });
    std::iter::once(stored).chain(asked).collect()
}

/// What to do where nobody asks for a name.
fn unclaimed(name: &HostName, state: &State) -> Option<String> {
    let clusters = state.clusters.iter().flatten();
    let domains = clusters.filter_map(|(id, status)| Some((id, status.domain.parse::<HostName>().ok()?)));
    let owner: Option<(&ClusterId, HostName)> =
        domains.filter(|(_, domain)| name.is_within(domain)).max_by_key(|(_, domain)| domain.as_str().len());
    let zones =
        state.policies.iter().flatten().filter_map(|(_, policy)| policy.spec.base_domain.parse().ok());
    let zones: Vec<HostName> = zones.collect();
    let zone = zones.iter().find(|zone| name.is_within(zone)).or(zones.first())?;
    Some(next::unclaimed(name, zone, owner.as_ref().map(|(id, domain)| (*id, domain))))
}
