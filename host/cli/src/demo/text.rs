//! Text: pictures and events for people.

use std::fmt::Write as _;

use super::event::{Answered, Cause, Event};
use super::picture::{ClaimPicture, ClaimState, Picture, ProblemPicture};
use crate::terminal::output::{render, table};

/// Changes that one line lists; a line that nobody reads to its end helps nobody.
const MOST_CAUSES: usize = 3;

/// The whole picture.
pub fn picture(picture: &Picture) -> String {
    let mut text = String::new();
    head(&mut text, picture);
    published(&mut text, picture);
    not_published(&mut text, picture, "denied", |state| state == ClaimState::Denied);
    not_published(&mut text, picture, "unresolved", |state| state == ClaimState::Unresolved);
    not_published(&mut text, picture, "in conflict, or not decided", |state| {
        matches!(state, ClaimState::Conflict | ClaimState::Undecided)
    });
    records(&mut text, picture);
    probes(&mut text, picture);
    if !picture.problems.is_empty() {
        section(&mut text, "problems");
        for found in &picture.problems {
            let ProblemPicture { problem, .. } = found;
            line(&mut text, &format!("  {}: {}", found.place(), problem.message));
            line(&mut text, &format!("    hint: {}", problem.hint));
        }
    }
    if !picture.commands.is_empty() {
        section(&mut text, "try");
        for command in &picture.commands {
            line(&mut text, &format!("  {command}"));
        }
    }
    text
}

fn head(text: &mut String, picture: &Picture) {
    let Picture { landscape, zone, policy, module, server, clusters, .. } = picture;
    let policy = policy
        .as_ref()
        .map_or("no DNSPolicy, so the defaults".to_owned(), |name| format!("DNSPolicy {name}"));
    line(text, &format!("landscape  {landscape}"));
    line(text, &format!("zone       {zone} ({policy}; module {} {})", module.name, module.version));
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

fn published(text: &mut String, picture: &Picture) {
    section(text, "published");
    let mut rows = table(&["cluster", "host name", "object", "file"]);
    let mut any = false;
    for cluster in &picture.clusters {
        for claim in cluster.claims.iter().filter(|claim| claim.state == ClaimState::Published) {
            rows.add_row([&cluster.name, &claim.host_name, &claim.source, &claim.file]);
            any = true;
        }
    }
    rows_or_nothing(text, any, &rows);
}

/// One claim in two lines: the reasons are too long for a table.
fn not_published(text: &mut String, picture: &Picture, title: &str, wanted: impl Fn(ClaimState) -> bool) {
    let claims =
        picture.clusters.iter().flat_map(|cluster| cluster.claims.iter().map(move |claim| (cluster, claim)));
    let mut first = true;
    for (cluster, claim) in claims.filter(|(_, claim)| wanted(claim.state)) {
        if first {
            section(text, title);
            first = false;
        }
        let ClaimPicture { host_name, source, file, .. } = claim;
        line(text, &format!("  {}  {}  {source}  {file}", cluster.name, or_none(host_name)));
        line(text, &format!("    {}", reason(claim)));
    }
}

fn records(text: &mut String, picture: &Picture) {
    section(text, "records");
    let mut rows = table(&["name", "type", "ttl", "value", "cluster", "object"]);
    for record in &picture.records {
        rows.add_row([
            &record.name,
            record.record_type,
            &record.ttl_seconds.to_string(),
            &record.value,
            &record.cluster,
            &record.source,
        ]);
    }
    rows_or_nothing(text, !picture.records.is_empty(), &rows);
}

fn probes(text: &mut String, picture: &Picture) {
    section(text, "probes");
    let mut rows = table(&["name", "type", "expected", "answer", "time", "verdict"]);
    for probe in &picture.probes {
        rows.add_row([
            &probe.name,
            &probe.record_type,
            &probe.expected,
            &probe.answer,
            &milliseconds(probe.took_milliseconds),
            probe.verdict,
        ]);
    }
    rows_or_nothing(text, !picture.probes.is_empty(), &rows);
    if !picture.settled {
        line(text, "  not all names were recorded and answered in time");
    }
}

/// An event in one line.
pub fn event(event: &Event) -> String {
    let (word, rest) = match event {
        Event::Started(started) => {
            return format!(
                "{}\nwatching {}: edit, add or delete a file; Ctrl-C ends\n",
                picture(started),
                started.landscape
            );
        }
        Event::Answered(answered) => (answered.how, self::answered(answered)),
        Event::Claim { cluster, claim } => {
            let ClaimPicture { host_name, source, file, state, .. } = claim;
            (
                state.as_str(),
                format!("{}  {cluster} {source} ({file}): {}", or_none(host_name), reason(claim)),
            )
        }
        Event::Domain { cluster, domain: Some(domain), message: _ } => {
            ("domain", format!("{domain} for cluster {cluster}"))
        }
        Event::Domain { cluster, domain: None, message } => {
            ("domain", format!("none for cluster {cluster}: {}", message.as_deref().unwrap_or_default()))
        }
        Event::Problem(found) => {
            ("problem", format!("{}: {}; hint: {}", found.place(), found.problem.message, found.problem.hint))
        }
        Event::Solved { file } => ("solved", file.clone()),
        Event::Unaffected { causes } => {
            let mut text: Vec<String> = causes.iter().take(MOST_CAUSES).map(cause).collect();
            if causes.len() > MOST_CAUSES {
                text.push(format!("{} more", causes.len() - MOST_CAUSES));
            }
            ("unaffected", format!("no answer changes with {}", text.join(", ")))
        }
        Event::Held { cluster, names, hold_seconds } => (
            "held",
            format!(
                "withdrawing {names} names of {cluster} waits until nothing has changed for {hold_seconds} s; \
                 hint: raise spec.deletionGuard of the DNSPolicy, or put the files back"
            ),
        ),
        Event::Stopped { seconds, names, changes } => (
            "stopped",
            format!(
                "after {seconds} s, with {}; {} on the way",
                count(*names, "name"),
                count(*changes, "change")
            ),
        ),
    };
    format!("{word:<10} {rest}\n")
}

fn answered(answered: &Answered) -> String {
    let Answered { name, how: _, before, now, verdict, answer, cause: from, after_milliseconds } = answered;
    let mut text = format!("{name}  ");
    match (before.is_empty(), now.is_empty()) {
        (true, _) => text.push_str(now),
        (false, true) => text.push_str(before),
        (false, false) if before == now => text.push_str(now),
        (false, false) => {
            // Writing to a String cannot fail.
            let _ = write!(text, "{before} -> {now}");
        }
    }
    if let Some(from) = from {
        let _ = write!(text, "  from {}", cause(from));
    }
    let outcome = match *verdict {
        "ok" if now.is_empty() => "gone".to_owned(),
        "ok" => "answered".to_owned(),
        other => format!("{other} (answer: {answer})"),
    };
    match after_milliseconds {
        Some(after) => {
            let _ = write!(text, "; {outcome} after {}", milliseconds(*after));
        }
        None => {
            let _ = write!(text, "; {outcome}");
        }
    }
    text
}

fn cause(cause: &Cause) -> String {
    let Cause { object, file, how } = cause;
    format!("{object} ({file}, {how})")
}

fn reason(claim: &ClaimPicture) -> String {
    let code = claim.code.as_deref().unwrap_or_default();
    let message = claim.message.as_deref().unwrap_or_default();
    match claim.state {
        // The code only repeats the state.
        ClaimState::Unresolved | ClaimState::Conflict => message.to_owned(),
        _ => format!("{code}: {message}"),
    }
}

fn or_none(host_name: &str) -> &str {
    if host_name.is_empty() { "(no host name)" } else { host_name }
}

fn milliseconds(value: f64) -> String {
    if value < 10.0 { format!("{value:.1} ms") } else { format!("{value:.0} ms") }
}

fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
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
    line(text, title);
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use openmcp_dns_landscape::Problem;

    fn from_gateway() -> Option<Cause> {
        let object = "Gateway/default/example-gateway".to_owned();
        Some(Cause { object, file: "workload01/gateway.yaml".into(), how: "changed" })
    }

    #[test]
    fn every_event_is_one_line_that_says_what_where_and_how_long() {
        let answered = |how, before: &str, now: &str, verdict| {
            Event::Answered(Answered {
                name: "a.openmcp.cluster".into(),
                how,
                before: before.into(),
                now: now.into(),
                verdict,
                answer: "NXDOMAIN".into(),
                cause: from_gateway(),
                after_milliseconds: Some(84.4),
            })
        };
        let problem = Problem::error(Some(3), "it is broken", "correct it");
        let events = [
            answered("added", "", "A 10.0.0.1", "ok"),
            answered("changed", "A 10.0.0.1", "A 10.0.0.2", "ok"),
            answered("removed", "A 10.0.0.1", "", "ok"),
            answered("changed", "A 10.0.0.1", "A 10.0.0.2", "mismatch"),
            Event::Problem(ProblemPicture { file: "workload01/a.yaml".into(), problem }),
            Event::Solved { file: "workload01/a.yaml".into() },
            Event::Unaffected { causes: from_gateway().into_iter().collect() },
            Event::Held { cluster: "workload01".into(), names: 12, hold_seconds: 600 },
            Event::Domain { cluster: "workload01".into(), domain: None, message: Some("it is taken".into()) },
            Event::Claim {
                cluster: "workload01".into(),
                claim: ClaimPicture {
                    host_name: "a_b".into(),
                    source: "HTTPRoute/default/r".into(),
                    file: "workload01/a.yaml:1".into(),
                    state: ClaimState::Denied,
                    code: Some("invalid-host-name".into()),
                    message: Some("\"a_b\" is no host name".into()),
                },
            },
            Event::Stopped { seconds: 61, names: 1, changes: 2 },
        ];
        let text: String = events.iter().map(event).collect();
        assert_eq!(text.lines().count(), events.len());
        insta::assert_snapshot!(text);
    }
}
