//! Text: the overview for people. The lines of events are in `lines`.

use std::collections::BTreeMap;

use openmcp_dns_api::dns_policy::{CandidateStatus, DecisionDifference};

use super::overview::{
    ClaimOverview, ClaimState, ConditionOverview, HeldOverview, Overview, PolicyOverview, ProblemOverview,
};
use crate::terminal::output::{render, table};
use crate::terminal::style::{emphasis, is_seen};

/// The whole overview.
pub fn overview(overview: &Overview) -> String {
    let mut text = String::new();
    head(&mut text, overview);
    published(&mut text, overview);
    not_published(&mut text, overview, "denied", |state| state == ClaimState::Denied);
    not_published(&mut text, overview, "unresolved", |state| state == ClaimState::Unresolved);
    not_published(&mut text, overview, "in conflict, or not decided", |state| {
        matches!(state, ClaimState::Conflict | ClaimState::Undecided)
    });
    records(&mut text, overview);
    probes(&mut text, overview);
    candidates(&mut text, overview);
    conditions(&mut text, overview);
    held(&mut text, overview);
    if !overview.problems.is_empty() {
        section(&mut text, "problems");
        for found in &overview.problems {
            let ProblemOverview { problem, .. } = found;
            line(&mut text, &format!("  {}: {}", found.place(), problem.message));
            line(&mut text, &format!("    hint: {}", problem.hint));
        }
    }
    if !overview.commands.is_empty() {
        section(&mut text, "try");
        for command in &overview.commands {
            line(&mut text, &format!("  {command}"));
        }
    }
    text
}

fn head(text: &mut String, overview: &Overview) {
    let Overview { landscape, policies, server, clusters, .. } = overview;
    line(text, &format!("landscape  {landscape}"));
    for policy in policies {
        line(text, &format!("zone       {} ({})", policy.zone, self::policy(policy)));
    }
    line(text, &format!("server     {server} (UDP and TCP)"));
    line(text, "");
    let mut rows = table(&["cluster", "domain", "published", "denied", "unresolved"]);
    for cluster in clusters {
        let count = |state| cluster.claims.iter().filter(|claim| claim.state == state).count().to_string();
        let domain = match (&cluster.domain, &cluster.no_domain) {
            (Some(domain), _) => domain.clone(),
            (None, Some(why)) => format!("none: {why}"),
            (None, None) => "none: no DNSPolicy holds for the cluster".to_owned(),
        };
        rows.add_row([
            cluster.name.clone(),
            domain,
            count(ClaimState::Published),
            count(ClaimState::Denied),
            count(ClaimState::Unresolved),
        ]);
    }
    text.push_str(&render(&rows, ""));
}

fn policy(policy: &PolicyOverview) -> String {
    let PolicyOverview { name, is_default, mode, module, .. } = policy;
    let name =
        if *is_default { "no DNSPolicy, so the defaults".to_owned() } else { format!("DNSPolicy {name}") };
    let module = module.as_ref().map_or("no module", |module| &module.description);
    let mode = if mode == "Enforce" { String::new() } else { format!("; mode {mode}") };
    format!("{name}; module {module}{mode}")
}

/// How modules that only watch would decide.
fn candidates(text: &mut String, overview: &Overview) {
    for policy in &overview.policies {
        let Some(candidate) = &policy.candidate else { continue };
        let CandidateStatus { description, compared, differing, differences, .. } = candidate;
        section(text, "candidate");
        line(
            text,
            &format!(
                "  {}: {description}: of {compared} claims, {differing} decisions would be others",
                policy.name
            ),
        );
        for difference in differences {
            let DecisionDifference { cluster, source, host_name, change, active, candidate } = difference;
            line(text, &format!("  {cluster}  {host_name}  {source}"));
            line(text, &format!("    {change}: {active} -> {candidate}"));
        }
    }
}

/// Conditions that are not true; of those that say the same, the clusters stand in one line.
fn conditions(text: &mut String, overview: &Overview) {
    let mut alike: BTreeMap<&ConditionOverview, Vec<&str>> = BTreeMap::new();
    for policy in &overview.policies {
        for condition in &policy.conditions {
            alike.entry(condition).or_default().push(&policy.name);
        }
    }
    for cluster in &overview.clusters {
        for condition in &cluster.conditions {
            alike.entry(condition).or_default().push(&cluster.name);
        }
    }
    for (index, (condition, of)) in alike.into_iter().enumerate() {
        if index == 0 {
            section(text, "conditions that are not true");
        }
        let ConditionOverview { condition_type, status, reason, message } = condition;
        line(text, &format!("  {condition_type} {status} ({reason})  {}", of.join(", ")));
        line(text, &format!("    {message}"));
    }
}

fn held(text: &mut String, overview: &Overview) {
    for (index, held) in overview.held.iter().enumerate() {
        if index == 0 {
            section(text, "held deletions");
        }
        let HeldOverview { cluster, names, hold_seconds, confirm } = held;
        line(
            text,
            &format!("  {names} names of {cluster} wait until nothing has changed for {hold_seconds} s"),
        );
        line(text, &format!("    to let it go on now: {confirm}"));
    }
}

fn published(text: &mut String, overview: &Overview) {
    section(text, "published");
    let mut rows = table(&["cluster", "host name", "object", "file"]);
    let mut any = false;
    for cluster in &overview.clusters {
        for claim in cluster.claims.iter().filter(|claim| claim.state == ClaimState::Published) {
            rows.add_row([&cluster.name, &claim.host_name, &claim.source, &claim.file]);
            any = true;
        }
    }
    rows_or_nothing(text, any, &rows);
}

/// One claim in two lines: the reasons are too long for a table.
fn not_published(text: &mut String, overview: &Overview, title: &str, wanted: impl Fn(ClaimState) -> bool) {
    let claims =
        overview.clusters.iter().flat_map(|cluster| cluster.claims.iter().map(move |claim| (cluster, claim)));
    let mut first = true;
    for (cluster, claim) in claims.filter(|(_, claim)| wanted(claim.state)) {
        if first {
            section(text, title);
            first = false;
        }
        let ClaimOverview { host_name, source, file, .. } = claim;
        line(text, &format!("  {}  {}  {source}  {file}", cluster.name, or_none(host_name)));
        line(text, &format!("    {}", reason(claim)));
    }
}

fn records(text: &mut String, overview: &Overview) {
    section(text, "records");
    let mut rows = table(&["name", "type", "ttl", "value", "cluster", "object"]);
    for record in &overview.records {
        rows.add_row([
            &record.name,
            record.record_type,
            &record.ttl_seconds.to_string(),
            &record.value,
            &record.cluster,
            &record.source,
        ]);
    }
    rows_or_nothing(text, !overview.records.is_empty(), &rows);
}

fn probes(text: &mut String, overview: &Overview) {
    section(text, "probes");
    let mut rows = table(&["name", "type", "expected", "answer", "time", "verdict"]);
    for probe in &overview.probes {
        rows.add_row([
            &probe.name,
            &probe.record_type,
            &probe.expected,
            &probe.answer,
            &milliseconds(probe.took_milliseconds),
            probe.verdict,
        ]);
    }
    rows_or_nothing(text, !overview.probes.is_empty(), &rows);
    if !overview.settled {
        line(text, "  not all names were recorded and answered in time");
    }
}

pub(super) fn reason(claim: &ClaimOverview) -> String {
    let code = claim.code.as_deref().unwrap_or_default();
    let message = claim.message.as_deref().unwrap_or_default();
    match claim.state {
        // The code only repeats the state.
        ClaimState::Unresolved | ClaimState::Conflict => message.to_owned(),
        _ => format!("{code}: {message}"),
    }
}

pub(super) fn or_none(host_name: &str) -> &str {
    if host_name.is_empty() { "(no host name)" } else { host_name }
}

pub(super) fn milliseconds(value: f64) -> String {
    if value < 10.0 { format!("{value:.1} ms") } else { format!("{value:.0} ms") }
}

fn rows_or_nothing(text: &mut String, any: bool, rows: &comfy_table::Table) {
    if any {
        text.push_str(&render(rows, "  "));
    } else {
        line(text, "  nothing");
    }
}

fn section(text: &mut String, title: &str) {
    line(text, "");
    line(text, &emphasis(title, is_seen()));
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}
