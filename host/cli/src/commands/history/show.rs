//! The history of a name for people.

use openmcp_dns_core::decision_log::{
    Answer, ClaimAnswered, Entry, Event, History, ModuleAsked, NameRecorded, PresentClaim, PresentRecords,
};

use crate::terminal::output::{render, table};

/// How much of a digest is shown: enough to tell modules apart.
const DIGEST: usize = 12;

/// What happened, one line each, and how it is now.
pub(super) fn text(history: &History) -> String {
    let History { name, events, claims, recorded } = history;
    let mut text = format!("{name}\n\n");
    if !history.knows_the_name() {
        text.push_str("the log knows nothing of it\n");
        return text;
    }
    let mut lines = table(&["time", "what", "of", "says", "module"]);
    for Entry { time, event } in events {
        let row = match event {
            Event::Decided(answered) => {
                let ClaimAnswered { cluster, object, host_name: _, question, answer, records, modules } =
                    &**answered;
                let targets = question.as_ref().map(|question| question.targets.join(" "));
                let says = says(answer, records, targets.as_deref());
                [answer.as_str().to_owned(), format!("{object} of cluster {cluster}"), says, by(modules)]
            }
            Event::Recorded(NameRecorded { records, revision, .. }) => {
                let what = if records.is_empty() { "removed" } else { "recorded" };
                [what.to_owned(), at(*revision), records.join(", "), String::new()]
            }
            Event::Lost { events } => {
                let says = format!("up to {events} events of some names are missing here");
                ["missing".to_owned(), "the log".to_owned(), says, String::new()]
            }
            Event::AskedIn(_) | Event::Unknown => continue,
        };
        lines.add_row([time.clone()].into_iter().chain(row));
    }
    text.push_str(&render(&lines, ""));
    text.push_str("\nnow\n");
    if claims.is_empty() {
        text.push_str("  no object asks for it\n");
    }
    for PresentClaim { cluster, object, host_name: _, answer, records: _, modules: _, since } in claims {
        let code = match answer {
            Answer::Denied { code, .. } => format!(", {code}"),
            _ => String::new(),
        };
        text.push_str(&format!(
            "  {object} of cluster {cluster}: {}{code}, since {since}\n",
            answer.as_str()
        ));
    }
    match recorded {
        None => text.push_str("  nothing was recorded\n"),
        Some(PresentRecords { records, revision, since }) => {
            let what = if records.is_empty() { "nothing".to_owned() } else { records.join(", ") };
            text.push_str(&format!("  recorded: {what}, since {since} ({})\n", at(*revision)));
        }
    }
    text
}

fn says(answer: &Answer, records: &[String], targets: Option<&str>) -> String {
    match answer {
        Answer::Published if records.is_empty() => "no records".to_owned(),
        Answer::Published => records.join("; "),
        Answer::Denied { code, message, guard: _ } => {
            let targets = targets.map_or_else(String::new, |targets| format!(" (to {targets})"));
            format!("{code}: {message}{targets}")
        }
        Answer::Undecided { message, guard: _ } | Answer::Unresolved { message } if records.is_empty() => {
            message.clone()
        }
        Answer::Undecided { message, guard: _ } | Answer::Unresolved { message } => {
            format!("{message}; what is published stays")
        }
        Answer::Withdrawn => "the object does not ask for it any more".to_owned(),
    }
}

fn by(modules: &[ModuleAsked]) -> String {
    let one = |ModuleAsked { digest, guard }: &ModuleAsked| {
        let digest = digest.get(..DIGEST).unwrap_or(digest);
        guard.as_ref().map_or_else(|| digest.to_owned(), |guard| format!("{guard}={digest}"))
    };
    modules.iter().map(one).collect::<Vec<_>>().join(" ")
}

fn at(revision: Option<i64>) -> String {
    revision.map_or_else(|| "revision not known".to_owned(), |revision| format!("revision {revision}"))
}
