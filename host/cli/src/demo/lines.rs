//! Lines: what happens while the demo watches, for people.

use std::fmt::Write as _;

use openmcp_dns_api::dns_policy::DecisionDifference;

use super::event::{Answered, Cause, Event};
use super::overview::{ClaimOverview, ClaimState, EventOverview, HeldOverview};
use super::text::{milliseconds, or_none, overview, reason};
use super::tour::step_text;
use crate::terminal::style::{Mark, is_seen};

/// Changes that one line lists; a line that nobody reads to its end helps nobody.
const MOST_CAUSES: usize = 3;

/// What to do after the tour.
const END_OF_TOUR: &str = "
That was the tour. `openmcp-dns demo examples/landscape` watches the folder while you edit it, `openmcp-dns
explain NAME examples/landscape` follows one name, and README.md says how to install the service.
";

/// An event in one line.
pub fn event(event: &Event) -> String {
    let (word, rest) = match event {
        Event::Started(started) => {
            return format!(
                "{}\nwatching {}: edit, add or delete a file; Ctrl-C ends\n",
                overview(started),
                started.landscape
            );
        }
        Event::Answered(answered) => (answered.how, self::answered(answered)),
        Event::Claim { cluster, claim } => {
            let ClaimOverview { host_name, source, file, state, .. } = claim;
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
        Event::Redrawn(overview) => {
            let overview = self::overview(overview);
            return format!("more happened than can be told line by line; as it is now:\n{overview}\n");
        }
        Event::Held(HeldOverview { cluster, names, hold_seconds, confirm }) => (
            "held",
            format!(
                "withdrawing {names} names of {cluster} waits until nothing has changed for {hold_seconds} s; \
                 hint: put the files back, or let it go on now: {confirm}"
            ),
        ),
        Event::Condition { cluster, condition } => (
            "condition",
            format!(
                "{} of {cluster} is {} ({}): {}",
                condition.condition_type, condition.status, condition.reason, condition.message
            ),
        ),
        Event::Module { policy, module } => (
            "module",
            format!("{} (SHA-256 {}) decides under DNSPolicy {policy}", module.description, module.sha256),
        ),
        Event::Candidate { policy, candidate } => (
            "candidate",
            format!(
                "{} would decide {} of {} otherwise under DNSPolicy {policy}{}",
                candidate.description,
                candidate.differing,
                candidate.compared,
                candidate.differences.first().map(first_difference).unwrap_or_default()
            ),
        ),
        Event::Step(step) => return step_text(step),
        Event::Told { cluster, found: EventOverview { object, reason, note } } => {
            ("event", format!("{object} of {cluster}  {reason}: {note}"))
        }
        Event::Asked { name, answer } => ("asked", format!("{name}  answer: {answer}")),
        Event::ToldAll => return END_OF_TOUR.to_owned(),
        Event::Stopped { seconds, names, changes } => (
            "stopped",
            format!(
                "after {seconds} s, with {}; {} on the way",
                count(*names, "name"),
                count(*changes, "change")
            ),
        ),
    };
    format!("{} {rest}\n", mark(event).on(&format!("{word:<10}"), is_seen()))
}

/// How it went.
const fn mark(event: &Event) -> Mark {
    match event {
        Event::Answered(Answered { verdict, .. }) if !verdict.eq_ignore_ascii_case("ok") => Mark::Bad,
        Event::Answered(_) | Event::Solved { .. } => Mark::Good,
        Event::Claim { claim, .. } => match claim.state {
            ClaimState::Published => Mark::Good,
            ClaimState::Denied | ClaimState::Conflict => Mark::Bad,
            ClaimState::Unresolved | ClaimState::Undecided => Mark::Unsure,
        },
        Event::Domain { domain: None, .. } | Event::Problem(_) => Mark::Bad,
        Event::Condition { condition, .. } if condition.status.as_str().eq_ignore_ascii_case("true") => {
            Mark::Good
        }
        Event::Condition { .. } => Mark::Bad,
        Event::Held(_) => Mark::Unsure,
        _ => Mark::Plain,
    }
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

fn first_difference(difference: &DecisionDifference) -> String {
    let DecisionDifference { cluster, host_name, change, active, candidate, .. } = difference;
    format!("; first {host_name} of {cluster}, {change}: {active} -> {candidate}")
}

fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use openmcp_dns_api::dns_policy::CandidateStatus;
    use openmcp_dns_landscape::Problem;

    use super::super::overview::{ClaimState, ConditionOverview, ModuleOverview, ProblemOverview};

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
            Event::Problem(ProblemOverview { file: "workload01/a.yaml".into(), problem }),
            Event::Solved { file: "workload01/a.yaml".into() },
            Event::Unaffected { causes: from_gateway().into_iter().collect() },
            Event::Held(HeldOverview {
                cluster: "workload01".into(),
                names: 12,
                hold_seconds: 600,
                confirm: "echo '{}' > 'platform/confirm.json'".into(),
            }),
            Event::Condition {
                cluster: "workload01".into(),
                condition: ConditionOverview {
                    condition_type: "Forwarded".into(),
                    status: "False".into(),
                    reason: "NotUnderstood".into(),
                    message: "line 3: nonsense".into(),
                },
            },
            Event::Module {
                policy: "landscape".into(),
                module: ModuleOverview { description: "standard 0.1.0".into(), sha256: "cafe".into() },
            },
            Event::Candidate {
                policy: "landscape".into(),
                candidate: CandidateStatus {
                    sha256: "cafe".into(),
                    description: "deny-prefix 0.1.0".into(),
                    complete: true,
                    compared: 7,
                    differing: 1,
                    differences: vec![DecisionDifference {
                        cluster: "s/workload01".into(),
                        source: "HTTPRoute/default/r".into(),
                        host_name: "a.openmcp.cluster".into(),
                        change: "newly denied".into(),
                        active: "published".into(),
                        candidate: "denied".into(),
                    }],
                },
            },
            Event::Domain { cluster: "workload01".into(), domain: None, message: Some("it is taken".into()) },
            Event::Claim {
                cluster: "workload01".into(),
                claim: ClaimOverview {
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
