//! `openmcp-dns policy bench`: how long a module takes to decide.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use openmcp_dns_kit::bench::{Bench, BenchError, QuestionTimes, Until};
use schemars::JsonSchema;
use serde::Serialize;

use super::module::{ModuleArg, engine_that_compiles};
use super::{Outcome, configuration, note};
use crate::terminal::hint::Hint as _;
use crate::terminal::output::{OutputFormat, json, print, render, table};

/// Measures how long a module takes to decide: each question by itself on one core, then whole
/// decisions on all cores.
///
/// Each question is asked in a fresh instance, as the service asks it, and the time includes setting the
/// instance up and removing it. There is no figure for instances that are used again, because the service
/// never does that: nothing that a question leaves behind can reach the next one.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
A decision is validate-hostname and name-records, on one host name with one address. domain-filter is
asked once for each cluster.

Examples:
  openmcp-dns policy bench standard
  openmcp-dns policy bench my-policy.wasm --decisions 100000
  openmcp-dns policy bench my-policy.wasm --seconds 2 --config config.yaml --output json")]
pub(super) struct BenchArgs {
    /// The module: a file, or `standard`
    module: ModuleArg,

    /// How many decisions to measure, on one core and once more on all of them
    #[arg(long, value_name = "N", default_value = "10000", conflicts_with = "seconds")]
    decisions: std::num::NonZeroU64,

    /// How long to measure instead, in seconds: half of it on one core, half of it on all of them
    #[arg(long, value_name = "S", value_parser = parse_seconds)]
    seconds: Option<f64>,

    /// Configuration of the module: JSON, or a JSON or YAML file
    #[arg(long, value_name = "FILE|JSON")]
    config: Option<String>,

    /// `text` for people, `json` for programs
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT", hide_possible_values = true)]
    output: OutputFormat,
}

/// Runs the command.
pub(super) fn run(args: &BenchArgs) -> anyhow::Result<Outcome> {
    let BenchArgs { module: argument, decisions, seconds, config, output } = args;
    let configuration = configuration::text(config.as_deref())?;
    let engine = engine_that_compiles(&[argument])?;
    let started = Instant::now();
    let module = Arc::new(argument.admit(&engine, &configuration)?);
    let admission = started.elapsed();
    let bench = Bench::new(Arc::clone(&module), configuration).with_hint(next_step)?;
    let until = match seconds {
        Some(seconds) => Until::Time(Duration::from_secs_f64(seconds / 2.0)),
        None => Until::Decisions(decisions.get()),
    };
    if cfg!(debug_assertions) {
        note("this is a development build of openmcp-dns; a release build is faster");
    }
    note("measuring on one core ...");
    let rows = bench.one_core(until).with_hint(next_step)?;
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    note(&format!("measuring on all cores ({threads}) ..."));
    let throughput = bench.all_cores(until, threads);
    let (count, rate) = (throughput.decisions, throughput.rate());
    print(&match output {
        OutputFormat::Text => {
            let description = module.description();
            let mut shown = table(&["question", "p50", "p99", "fuel"]);
            for QuestionTimes { function, p50, p99, fuel } in &rows {
                shown.add_row([
                    (*function).to_owned(),
                    microseconds(*p50),
                    microseconds(*p99),
                    fuel.to_string(),
                ]);
            }
            format!(
                "{} {}: admitted in {:.0} ms; each question in a fresh instance, as the service asks it\n\n{}\n\
                 {rate:.0} decisions per second on {threads} cores ({count} decisions)\n",
                description.name,
                description.version,
                admission.as_secs_f64() * 1000.0,
                render(&shown, ""),
            )
        }
        OutputFormat::Json => json(&Document {
            module: argument.to_string(),
            sha256: module.digest().to_owned(),
            fresh_instance_per_question: true,
            admission_seconds: admission.as_secs_f64(),
            questions: rows.iter().map(QuestionRow::of).collect(),
            cores: threads,
            decisions: count,
            decisions_per_second: rate,
        })?,
    })?;
    Ok(Outcome::Yes)
}

/// How long a module takes to decide.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct Document {
    /// The file, or `standard`.
    module: String,
    /// SHA-256 of its bytes as hexadecimal digits.
    sha256: String,
    /// Whether each question was asked in a fresh instance, as the service does.
    fresh_instance_per_question: bool,
    /// How long it took to compile it and to ask it the vectors of the contract.
    admission_seconds: f64,
    /// Each kind of question, on one core.
    questions: Vec<QuestionRow>,
    /// On how many cores whole decisions were measured.
    cores: usize,
    /// How many there were.
    decisions: u64,
    /// How many on all cores in a second.
    decisions_per_second: f64,
}

/// One kind of question.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct QuestionRow {
    /// The function of the contract.
    function: &'static str,
    /// Half of the questions took at most so long.
    p50_seconds: f64,
    /// 99 of 100 questions took at most so long.
    p99_seconds: f64,
    /// What one used, in units of work of the WebAssembly engine.
    fuel: u64,
}

impl QuestionRow {
    const fn of(QuestionTimes { function, p50, p99, fuel }: &QuestionTimes) -> Self {
        Self { function, p50_seconds: p50.as_secs_f64(), p99_seconds: p99.as_secs_f64(), fuel: *fuel }
    }
}

/// What to do when there is nothing to measure.
const fn next_step(error: &BenchError) -> &'static str {
    match error {
        BenchError::NoDomain(_) => {
            "the module gives no domain to cluster default/workload01 with this configuration"
        }
        BenchError::Undecided(_) => "try the module with `openmcp-dns policy test`",
        BenchError::Zone(_) => "this is a bug; please report it",
    }
}

fn microseconds(time: Duration) -> String {
    format!("{:.1} µs", time.as_secs_f64() * 1_000_000.0)
}

fn parse_seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| "a number of seconds is needed".to_owned())?;
    if (0.01..=3600.0).contains(&seconds) {
        Ok(seconds)
    } else {
        Err("0.01 to 3600 seconds are possible".to_owned())
    }
}
