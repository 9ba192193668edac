//! `openmcp-dns policy test`: asks a module vectors, and shows what does not hold.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use openmcp_dns_policy::vectors::{Answered, Problem, Suite};
use serde_json::json;

use super::module::{ModuleArg, engine};
use super::{Outcome, configuration, note};
use crate::terminal::hint::{Hint as _, hinted};
use crate::terminal::output::{OutputFormat, print};

/// Asks a module the vectors of the contract, which the service asks as well before it uses a module,
/// and vectors of its own, which say what they expect.
///
/// Vectors are YAML files; wit/vectors/README.md says how they are written. Without VECTORS, the files in
/// the folder `vectors` beside the module are used, if there is one.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Exit code: 0 when every vector holds, 1 when one does not, 2 when they cannot be asked.

Examples:
  openmcp-dns policy test standard policies/standard/vectors
  openmcp-dns policy test my-policy/my-policy.wasm
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

    /// `text` for people, `json` for programs
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT", hide_possible_values = true)]
    output: OutputFormat,
}

/// Vectors with the name of their file.
struct Named {
    file: String,
    suite: Suite,
}

/// How a vector went.
struct Row {
    file: String,
    vector: String,
    problem: Option<Problem>,
}

/// Runs the command.
pub(super) fn run(args: &TestArgs) -> anyhow::Result<Outcome> {
    let TestArgs { module, vectors, config, verbose, output } = args;
    let configuration = configuration::text(config.as_deref())?;
    let suites = suites(module, vectors)?;
    let compiled = module.compile(&engine(&[module])?)?;
    let mut rows = Vec::new();
    for Named { file, suite } in &suites {
        rows.extend(suite.results(&compiled, &configuration).map(|(vector, result)| Row {
            file: file.clone(),
            vector: vector.to_owned(),
            problem: result.err(),
        }));
    }
    let failed = rows.iter().filter(|row| row.problem.is_some()).count();
    print(&match output {
        OutputFormat::Text => text(&rows, *verbose, failed),
        OutputFormat::Json => json_text(&rows, failed)?,
    })?;
    Ok(if failed == 0 { Outcome::Yes } else { Outcome::No })
}

fn suites(module: &ModuleArg, vectors: &[PathBuf]) -> anyhow::Result<Vec<Named>> {
    let mut suites = vec![Named { file: "contract".to_owned(), suite: Suite::contract()? }];
    let beside = match module {
        ModuleArg::File(file) if vectors.is_empty() => Some(file.with_file_name("vectors")),
        ModuleArg::File(_) | ModuleArg::Standard => None,
    };
    let beside = beside.filter(|folder| folder.is_dir());
    if let Some(folder) = &beside {
        note(&format!("with the vectors in {}", folder.display()));
    }
    for path in vectors.iter().chain(&beside) {
        for file in files(path)? {
            let what = || format!("failed to read the vectors in {}", file.display());
            let hint = "wit/vectors/README.md says how vectors are written";
            let yaml = std::fs::read_to_string(&file).with_context(what).hint(hint)?;
            let suite = Suite::parse(&yaml).with_context(|| file.display().to_string()).hint(hint)?;
            suites.push(Named { file: file.display().to_string(), suite });
        }
    }
    Ok(suites)
}

/// The file itself, or the files of vectors in a folder by name.
fn files(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let what = || format!("failed to read the vectors in {}", path.display());
    let hint = "name a YAML file with vectors, or a folder with such files";
    if !std::fs::metadata(path).with_context(what).hint(hint)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(path).with_context(what).hint(hint)? {
        let file = entry.with_context(what)?.path();
        if file.extension().is_some_and(|ending| ending == "yaml" || ending == "yml") {
            files.push(file);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(hinted(format!("there are no vectors in {}", path.display()), hint));
    }
    Ok(files)
}

fn text(rows: &[Row], verbose: bool, failed: usize) -> String {
    let mut text = String::new();
    for Row { file, vector, problem } in rows {
        match problem {
            None if verbose => text.push_str(&format!("ok    {file}: {vector}\n")),
            None => {}
            Some(problem) => {
                text.push_str(&format!("FAIL  {file}: {vector}\n"));
                text.push_str(&explain(problem));
            }
        }
    }
    text.push_str(&format!("{} passed, {failed} failed\n", rows.len() - failed));
    text
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

fn json_text(rows: &[Row], failed: usize) -> serde_json::Result<String> {
    let vectors: Vec<serde_json::Value> = rows
        .iter()
        .map(|Row { file, vector, problem }| {
            let (expected, found) = match problem {
                Some(Problem::Unexpected { expected, found }) => (Some(expected), Some(found)),
                Some(Problem::Failed(_) | Problem::NotPermitted(_)) | None => (None, None),
            };
            json!({
                "file": file,
                "vector": vector,
                "passed": problem.is_none(),
                "problem": problem.as_ref().map(ToString::to_string),
                "expected": expected.map(ToString::to_string),
                "got": found.map(ToString::to_string),
            })
        })
        .collect();
    let text = serde_json::to_string_pretty(&json!({
        "passed": rows.len() - failed,
        "failed": failed,
        "vectors": vectors,
    }))?;
    Ok(format!("{text}\n"))
}
