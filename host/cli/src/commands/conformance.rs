//! `openmcp-dns conformance`: cases with known answers, through the resolver of the service.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use openmcp_dns_kit::conformance::{self, Outcome, ReadError, Report, Tally};
use schemars::JsonSchema;
use serde::Serialize;

use crate::terminal::ending::or_code;
use crate::terminal::hint::Hint as _;
use crate::terminal::output::{OutputFormat, json, print, render, table};

/// What the exit code says when the cases could not be read.
const WRONG_USE: u8 = 2;

/// How many cases are named beside the reason for which they were skipped.
const NAMED: usize = 3;

/// Runs a folder of cases through the resolver of sources, and compares what comes of them.
///
/// A case is a YAML file: Kubernetes objects with their status, and the endpoints (host name, record type,
/// targets, time to live) that have to come of them; or a table of questions, such as how two host names
/// intersect. The format is that of the cases made of external-dns's own tests. docs/sources.md lists which
/// of those come out otherwise here, and why.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Exit code: 0 when every case that was run came out as expected, 1 when one did not, 2 when the cases
cannot be read.

Examples:
  openmcp-dns conformance cases
  openmcp-dns conformance cases --output json")]
pub struct ConformanceArgs {
    /// The folder with the cases; folders in it are kinds of cases
    #[arg(value_name = "DIR")]
    folder: PathBuf,

    /// `text` for people, `json` for programs
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT", hide_possible_values = true)]
    output: OutputFormat,
}

/// Runs the command.
pub fn run(args: &ConformanceArgs) -> anyhow::Result<ExitCode> {
    or_code(conform(args), WRONG_USE)
}

fn conform(ConformanceArgs { folder, output }: &ConformanceArgs) -> anyhow::Result<ExitCode> {
    let report = Report::of(&conformance::read(folder).with_hint(next_step)?);
    print(&match output {
        OutputFormat::Text => text(&report),
        OutputFormat::Json => json(&Document::of(&report))?,
    })?;
    Ok(if report.total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn next_step(error: &ReadError) -> &'static str {
    match error {
        ReadError::Read { .. } | ReadError::Empty { .. } => "name a folder that holds cases, as .yaml files",
        ReadError::Yaml { .. } | ReadError::Unknown { .. } | ReadError::Format { .. } => {
            "correct the file, or name a folder that holds nothing but cases"
        }
    }
}

fn text(report: &Report) -> String {
    let mut rows = table(&["kind", "passed", "failed", "skipped"]);
    let row = |kind: &str, Tally { passed, failed, skipped }: &Tally| {
        [kind.to_owned(), passed.to_string(), failed.to_string(), skipped.to_string()]
    };
    for (kind, tally) in &report.kinds {
        rows.add_row(row(kind, tally));
    }
    rows.add_row(row("all", &report.total));
    let mut text = render(&rows, "");
    for (id, outcome) in &report.outcomes {
        if let Outcome::Failed(lines) = outcome {
            text.push_str(&format!("\n{id}\n"));
            for line in lines {
                text.push_str(&format!("  {line}\n"));
            }
        }
    }
    for (reason, cases) in report.skipped() {
        let named = cases.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
        let more = if cases.len() > NAMED { ", ..." } else { "" };
        text.push_str(&format!("\n{} skipped: {reason}\n  {named}{more}\n", cases.len()));
    }
    text
}

/// How the cases came out.
#[derive(Serialize, JsonSchema)]
pub(super) struct Document {
    /// All of them, counted.
    total: Counts,
    /// The same by kind: the folder in which a case lies.
    kinds: BTreeMap<String, Counts>,
    /// Each case.
    cases: Vec<Case>,
}

/// How many came out how.
#[derive(Serialize, JsonSchema)]
struct Counts {
    /// As expected.
    passed: usize,
    /// Otherwise.
    failed: usize,
    /// Not run.
    skipped: usize,
}

/// How one case came out.
#[derive(Serialize, JsonSchema)]
struct Case {
    /// Where it stands below the folder.
    case: String,
    /// How it came out.
    #[serde(flatten)]
    outcome: CaseOutcome,
}

#[derive(Serialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "camelCase")]
enum CaseOutcome {
    /// As expected.
    Passed,
    /// Otherwise.
    Failed {
        /// What is missing (`-`) and what there is instead (`+`).
        difference: Vec<String>,
    },
    /// It was not run.
    Skipped {
        /// Why.
        reason: String,
    },
}

impl Document {
    fn of(report: &Report) -> Self {
        let cases = report.outcomes.iter().map(|(id, outcome)| Case {
            case: id.clone(),
            outcome: match outcome {
                Outcome::Passed => CaseOutcome::Passed,
                Outcome::Failed(difference) => CaseOutcome::Failed { difference: difference.clone() },
                Outcome::Skipped(reason) => CaseOutcome::Skipped { reason: reason.clone() },
            },
        });
        Self {
            total: Counts::of(&report.total),
            kinds: report.kinds.iter().map(|(kind, tally)| (kind.clone(), Counts::of(tally))).collect(),
            cases: cases.collect(),
        }
    }
}

impl Counts {
    const fn of(&Tally { passed, failed, skipped }: &Tally) -> Self {
        Self { passed, failed, skipped }
    }
}
