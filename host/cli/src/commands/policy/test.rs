//! `openmcp-dns policy test`: asks a module vectors, and shows what does not hold.

use std::path::PathBuf;

use openmcp_dns_kit::vectors::{self, Answer, NamedSuite, VectorsError};
use openmcp_dns_policy::debugging::Trace;
use openmcp_dns_policy::vectors::{Answered, Problem};
use schemars::JsonSchema;
use serde::Serialize;

use super::debug::DebugArgs;
use super::module::ModuleArg;
use super::{Outcome, configuration, note};
use crate::terminal::hint::Hint as _;
use crate::terminal::output::{OutputFormat, json, print};

/// Asks a module the vectors of the contract, which the service asks as well before it uses a module,
/// and vectors of its own, which say what they expect.
///
/// Vectors are YAML files; vectors/README.md in a guest that `policy scaffold` wrote says how they are written. Without VECTORS, the files in
/// the folder `vectors` beside the module are used, if there is one.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Exit code: 0 when every vector holds, 1 when one does not, 2 when they cannot be asked.

Examples:
  openmcp-dns policy test standard policies/standard/vectors
  openmcp-dns policy test my-policy/my-policy.wasm
  openmcp-dns policy test my-policy/my-policy.debug.wasm --debug
  openmcp-dns policy test my-policy.wasm decisions.yaml --config config.yaml --verbose")]
pub(super) struct TestArgs {
    /// The module: a file, or `standard`
    module: ModuleArg,

    /// Files of vectors, or folders with them (*.yaml, *.yml)
    #[arg(value_name = "VECTORS")]
    vectors: Vec<PathBuf>,

    /// Configuration for the vectors that name none: JSON, or a JSON or YAML file
    #[arg(long, value_name = "FILE|JSON")]
    config: Option<String>,

    /// Show the vectors that hold as well
    #[arg(long, short)]
    verbose: bool,

    #[command(flatten)]
    debug: DebugArgs,

    /// `text` for people, `json` for programs
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT", hide_possible_values = true)]
    output: OutputFormat,
}

/// Runs the command.
pub(super) fn run(args: &TestArgs) -> anyhow::Result<Outcome> {
    let TestArgs { module, vectors: paths, config, verbose, debug, output } = args;
    let configuration = configuration::text(config.as_deref())?;
    let suites = suites(module, paths)?;
    let debugging = debug.start();
    let compiled = debugging.loaded(module.compile(&debugging.engine(&[module])?))?;
    let rows = vectors::ask(&suites, &compiled, &configuration, &|| debugging.take());
    let failed = rows.iter().filter(|row| row.problem.is_some()).count();
    print(&match output {
        OutputFormat::Text => text(&rows, *verbose, failed),
        OutputFormat::Json => json(&Document::of(&rows, failed))?,
    })?;
    Ok(if failed == 0 { Outcome::Yes } else { Outcome::No })
}

fn suites(module: &ModuleArg, paths: &[PathBuf]) -> anyhow::Result<Vec<NamedSuite>> {
    let beside = match module {
        ModuleArg::File(file) if paths.is_empty() => vectors::beside(file),
        ModuleArg::File(_) | ModuleArg::Standard => None,
    };
    if let Some(folder) = &beside {
        note(&format!("with the vectors in {}", folder.display()));
    }
    let all = paths.iter().chain(&beside).map(PathBuf::as_path);
    vectors::read(all).with_hint(|error| match error {
        VectorsError::Find { .. } | VectorsError::None { .. } => {
            "name a YAML file with vectors, or a folder with such files"
        }
        VectorsError::Read { .. } | VectorsError::Suite { .. } => {
            "vectors/README.md beside a guest that was scaffolded says how vectors are written"
        }
        VectorsError::Contract(_) => "this is a bug; please report it",
    })
}

fn text(rows: &[Answer], verbose: bool, failed: usize) -> String {
    let mut text = String::new();
    for Answer { file, vector, problem, traces } in rows {
        match problem {
            None if verbose => text.push_str(&format!("ok    {file}: {vector}\n")),
            None => continue,
            Some(problem) => {
                text.push_str(&format!("FAIL  {file}: {vector}\n"));
                text.push_str(&explain(problem));
            }
        }
        text.extend(debug_lines(traces).map(|line| format!("      {line}\n")));
    }
    text.push_str(&format!("{} passed, {failed} failed\n", rows.len() - failed));
    text
}

/// What the module printed and where it trapped, by lines.
fn debug_lines(traces: &[Trace]) -> impl Iterator<Item = String> {
    traces.iter().flat_map(|trace| trace.to_string().lines().map(str::to_owned).collect::<Vec<_>>())
}

/// What is wrong: two sets of records as a diff, anything else side by side.
fn explain(problem: &Problem) -> String {
    match problem {
        Problem::Unexpected { expected: Answered::Records(expected), found: Answered::Records(found) } => {
            let missing = expected.iter().filter(|line| !found.contains(line)).map(|line| ('-', line));
            let surplus = found.iter().filter(|line| !expected.contains(line)).map(|line| ('+', line));
            let same = expected.iter().filter(|line| found.contains(line)).map(|line| (' ', line));
            let lines = same.chain(missing).chain(surplus);
            let lines: String = lines.map(|(sign, line)| format!("      {sign} {line}\n")).collect();
            format!("      - expected, + got\n{lines}")
        }
        Problem::Unexpected { expected, found } => {
            format!("      expected {expected}\n      got      {found}\n")
        }
        Problem::Failed(_) | Problem::NotPermitted(_) => format!("      {problem}\n"),
    }
}

/// Which vectors hold.
#[derive(Serialize, JsonSchema)]
pub(in super::super) struct Document {
    /// How many hold.
    passed: usize,
    /// How many do not.
    failed: usize,
    /// Each of them.
    vectors: Vec<VectorRow>,
}

/// One vector.
#[derive(Serialize, JsonSchema)]
struct VectorRow {
    /// The file that it stands in.
    file: String,
    /// Its name.
    vector: String,
    /// Whether it holds.
    passed: bool,
    /// Why it does not; `null` where it holds.
    problem: Option<String>,
    /// What the vector says, where the answer is another one.
    expected: Option<String>,
    /// What was answered instead.
    got: Option<String>,
    /// With `--debug`, what the module printed and where it trapped, by lines.
    debug: Vec<String>,
}

impl Document {
    fn of(rows: &[Answer], failed: usize) -> Self {
        let vectors = rows.iter().map(|Answer { file, vector, problem, traces }| {
            let (expected, found) = match problem {
                Some(Problem::Unexpected { expected, found }) => (Some(expected), Some(found)),
                Some(Problem::Failed(_) | Problem::NotPermitted(_)) | None => (None, None),
            };
            VectorRow {
                file: file.clone(),
                vector: vector.clone(),
                passed: problem.is_none(),
                problem: problem.as_ref().map(ToString::to_string),
                expected: expected.map(ToString::to_string),
                got: found.map(ToString::to_string),
                debug: debug_lines(traces).collect(),
            }
        });
        Self { passed: rows.len() - failed, failed, vectors: vectors.collect() }
    }
}
