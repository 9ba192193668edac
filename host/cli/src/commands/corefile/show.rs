//! What is said of Corefiles: the line underlined, what changes, or JSON.

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use openmcp_dns_core::corefile::Edited;
use openmcp_dns_core::name::HostName;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Outcome, Wanted, is_stdin};

/// Lines around a change that are shown with it.
const CONTEXT: usize = 3;

/// A file, for programs.
#[derive(Serialize, JsonSchema)]
pub(in super::super) struct Report {
    /// The file; `-` for stdin.
    file: String,
    /// Whether the text is or would be another one.
    changed: bool,
    /// Why the file is left alone; `null` where it is not.
    refused: Option<Remark>,
    /// What a person should know.
    warnings: Vec<Remark>,
    /// The new text, where it is nowhere else.
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

/// What is said of a line.
#[derive(Serialize, JsonSchema)]
struct Remark {
    /// The line, from 1, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
    /// What is the matter.
    message: String,
    /// The next step.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'static str>,
}

/// For programs: one for each file.
pub(super) fn reports(wanted: &Wanted, outcomes: &[Outcome]) -> Vec<Report> {
    let report = |Outcome { file, text: _, edited }: &Outcome| {
        let file_name = file.display().to_string();
        match edited {
            Ok(Edited { text, changed, warnings }) => Report {
                file: file_name,
                changed: *changed,
                refused: None,
                warnings: warnings
                    .iter()
                    .map(|warning| Remark {
                        line: Some(warning.line()),
                        message: warning.to_string(),
                        hint: None,
                    })
                    .collect(),
                text: (is_stdin(file) || matches!(wanted, Wanted::Diff(_))).then(|| text.clone()),
            },
            Err(error) => Report {
                file: file_name,
                changed: false,
                refused: Some(Remark {
                    line: error.line(),
                    message: error.to_string(),
                    hint: Some(error.hint()),
                }),
                warnings: Vec::new(),
                text: None,
            },
        }
    };
    outcomes.iter().map(report).collect()
}

/// For people: what is said of the files, and what goes to stdout.
pub(super) fn text(wanted: &Wanted, outcomes: &[Outcome], zone: &HostName) -> (String, String) {
    let styled = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let renderer = if styled { Renderer::styled() } else { Renderer::plain() };
    let (mut said, mut data) = (String::new(), String::new());
    for Outcome { file, text, edited } in outcomes {
        let name = file.display().to_string();
        match edited {
            Err(error) => {
                let title = format!("{name} is left alone: {error}");
                let group = Level::ERROR.primary_title(&title).elements(snippet(text, &name, error.line()));
                let group = group.element(Level::HELP.message(error.hint()));
                let _ = writeln!(said, "{}", renderer.render(&[group]));
            }
            Ok(Edited { text: after, changed, warnings }) => {
                for warning in warnings {
                    let title = warning.to_string();
                    let group: Group<'_> = Level::WARNING.primary_title(&title).elements(snippet(
                        text,
                        &name,
                        Some(warning.line()),
                    ));
                    let _ = writeln!(said, "{}", renderer.render(&[group]));
                }
                match wanted {
                    Wanted::Diff(_) => data.push_str(&diff(&name, text, after)),
                    Wanted::Add(_) | Wanted::Remove if is_stdin(file) => data.push_str(after),
                    Wanted::Check | Wanted::Add(_) | Wanted::Remove => {
                        let _ = writeln!(said, "{name}: {}", done(wanted, *changed, zone));
                    }
                }
            }
        }
    }
    (said, data)
}

fn done(wanted: &Wanted, changed: bool, zone: &HostName) -> String {
    match (wanted, changed) {
        (Wanted::Check | Wanted::Diff(_), _) => format!("{zone} can be forwarded"),
        (Wanted::Add(_), true) => format!("forwards {zone} now"),
        (Wanted::Add(_), false) => format!("forwarded {zone} already"),
        (Wanted::Remove, true) => format!("no longer forwards {zone}"),
        (Wanted::Remove, false) => format!("has no block of ours for {zone}"),
    }
}

/// The line that is meant, underlined; nothing where none is.
fn snippet<'t>(
    text: &'t str,
    file: &'t str,
    line: Option<u32>,
) -> Option<Snippet<'t, annotate_snippets::Annotation<'t>>> {
    let span = line_span(text, line?)?;
    Some(Snippet::source(text).path(file).annotation(AnnotationKind::Primary.span(span)))
}

/// What a line has but blanks around it.
fn line_span(text: &str, line: u32) -> Option<Range<usize>> {
    let index = usize::try_from(line).ok()?.checked_sub(1)?;
    let start = text.split_inclusive('\n').take(index).map(str::len).sum::<usize>();
    let found = text.get(start..)?.lines().next()?;
    let indent = found.len() - found.trim_start().len();
    Some(start + indent..start + indent + found.trim().len())
}

/// The change as `diff -u` shows it. It is one: nothing but our block changes.
fn diff(name: &str, before: &str, after: &str) -> String {
    if before == after {
        return String::new();
    }
    let (before, after): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let same = |mut pairs: Box<dyn Iterator<Item = (&&str, &&str)> + '_>| {
        let mut count = 0;
        while pairs.next().is_some_and(|(one, other)| one == other) {
            count += 1;
        }
        count
    };
    let head: usize = same(Box::new(before.iter().zip(&after)));
    let rest = before.len().min(after.len()) - head;
    let tail = same(Box::new(before.iter().rev().zip(after.iter().rev()).take(rest)));
    let start = head.saturating_sub(CONTEXT);
    let end = |lines: &[&str]| (lines.len() - tail + CONTEXT).min(lines.len());
    let (old, new) = (start..end(&before), start..end(&after));
    let mut text = format!(
        "--- {name}\n+++ {name}\n@@ -{},{} +{},{} @@\n",
        if old.is_empty() { start } else { start + 1 },
        old.len(),
        start + 1,
        new.len()
    );
    let mut add = |sign: &str, lines: &[&str]| {
        for line in lines {
            let _ = writeln!(text, "{sign}{line}");
        }
    };
    add(" ", &before[start..head]);
    add("-", &before[head..before.len() - tail]);
    add("+", &after[head..after.len() - tail]);
    add(" ", &before[before.len() - tail..old.end]);
    text
}
