//! `openmcp-dns policy bench`: how long a module takes to decide.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use openmcp_dns_core::cluster::{ClusterFacts, ClusterId, SourceRef};
use openmcp_dns_core::decide::{AllowedNames, Decision, cluster_domain, decide};
use openmcp_dns_core::kinds::Kind;
use openmcp_dns_core::policy::{Context, Policy};
use openmcp_dns_core::resolve::Claim;
use openmcp_dns_policy::Module;
use serde_json::json;

use super::module::{ModuleArg, engine};
use super::questions::Questions;
use super::{Outcome, configuration, note};
use crate::demo::rules::DEFAULT_BASE_DOMAIN;
use crate::terminal::hint::{Hint as _, hinted};
use crate::terminal::output::{OutputFormat, print, render, table};
use openmcp_dns_policy::metered::{Metered, Question};

/// Questions that are asked before it counts: the first ones find cold caches.
const WARM_UP: u64 = 100;

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

/// When to stop.
#[derive(Clone, Copy)]
enum Until {
    Decisions(u64),
    Time(Duration),
}

/// What was measured of one question.
struct Row {
    function: &'static str,
    p50: Duration,
    p99: Duration,
    fuel: u64,
}

/// What is asked.
struct Subject {
    context: Context,
    allowed: AllowedNames,
    source: SourceRef,
    wanted: Claim,
}

/// Runs the command.
pub(super) fn run(args: &BenchArgs) -> anyhow::Result<Outcome> {
    let BenchArgs { module: argument, decisions, seconds, config, output } = args;
    let configuration = configuration::text(config.as_deref())?;
    let engine = engine(&[argument])?;
    let started = Instant::now();
    let module = Arc::new(argument.admit(&engine, &configuration)?);
    let admission = started.elapsed();
    let subject = subject(&module, configuration)?;
    let until = match seconds {
        Some(seconds) => Until::Time(Duration::from_secs_f64(seconds / 2.0)),
        None => Until::Decisions(decisions.get()),
    };
    if cfg!(debug_assertions) {
        note("this is a development build of openmcp-dns; a release build is faster");
    }
    note("measuring on one core ...");
    let rows = one_core(&module, &subject, until)?;
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    note(&format!("measuring on all cores ({threads}) ..."));
    let (count, took) = all_cores(&module, &subject, until, threads);
    let rate = count as f64 / took.as_secs_f64();
    print(&match output {
        OutputFormat::Text => {
            let description = module.description();
            let mut shown = table(&["question", "p50", "p99", "fuel"]);
            for Row { function, p50, p99, fuel } in &rows {
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
        OutputFormat::Json => {
            let questions: Vec<serde_json::Value> = rows
                .iter()
                .map(|Row { function, p50, p99, fuel }| {
                    json!({
                        "function": function,
                        "p50_seconds": p50.as_secs_f64(),
                        "p99_seconds": p99.as_secs_f64(),
                        "fuel": fuel,
                    })
                })
                .collect();
            let text = serde_json::to_string_pretty(&json!({
                "module": argument.to_string(),
                "sha256": module.digest(),
                "fresh_instance_per_question": true,
                "admission_seconds": admission.as_secs_f64(),
                "questions": questions,
                "cores": threads,
                "decisions": count,
                "decisions_per_second": rate,
            }))?;
            format!("{text}\n")
        }
    })?;
    Ok(Outcome::Yes)
}

fn subject(module: &Module, configuration: String) -> anyhow::Result<Subject> {
    let id = ClusterId::new("default", "workload01");
    let facts = ClusterFacts { id, purposes: vec!["workload".to_owned()], labels: BTreeMap::new() };
    let context = Context {
        base_domain: DEFAULT_BASE_DOMAIN.parse()?,
        cluster: facts,
        configuration,
        shared_names: Vec::new(),
    };
    let domain = cluster_domain(module, &context)
        .hint("the module gives no domain to cluster default/workload01 with this configuration")?;
    let host_name = format!("shop.{domain}");
    let source = SourceRef { kind: Kind::HttpRoute, namespace: "default".into(), name: "shop".into() };
    Ok(Subject {
        context,
        allowed: AllowedNames { domain, shared_names: std::collections::BTreeSet::new(), wildcards: true },
        source,
        wanted: Claim { host_name, targets: vec!["10.0.0.1".to_owned()] },
    })
}

impl Subject {
    fn decide(&self, policy: &dyn Policy) -> Decision {
        let Self { context, allowed, source, wanted } = self;
        decide(policy, context, allowed, source, &BTreeMap::new(), wanted)
    }
}

impl Until {
    fn is_reached(self, count: u64, started: Instant) -> bool {
        match self {
            Self::Decisions(decisions) => count >= decisions,
            Self::Time(time) => started.elapsed() >= time && count > 0,
        }
    }
}

fn one_core(module: &Arc<Module>, subject: &Subject, until: Until) -> anyhow::Result<Vec<Row>> {
    let measured = Metered::new(Arc::clone(module), Questions::default());
    for _ in 0..WARM_UP {
        if let Decision::Undecided(failure) = subject.decide(&measured) {
            return Err(hinted(failure, "try the module with `openmcp-dns policy test`"));
        }
    }
    measured.meter().take();
    let mut times: BTreeMap<&'static str, (Vec<Duration>, u64)> = BTreeMap::new();
    let (started, mut count) = (Instant::now(), 0);
    while !until.is_reached(count, started) {
        cluster_domain(&measured, &subject.context)?;
        subject.decide(&measured);
        count += 1;
        for Question { function, fuel, time, failure: _ } in measured.meter().take() {
            let (all, last_fuel) = times.entry(function).or_default();
            all.push(time);
            *last_fuel = fuel;
        }
    }
    let rows = ["domain-filter", "validate-hostname", "name-records"].into_iter().filter_map(|function| {
        let (mut all, fuel) = times.remove(function)?;
        all.sort_unstable();
        Some(Row { function, p50: percentile(&all, 50), p99: percentile(&all, 99), fuel })
    });
    Ok(rows.collect())
}

/// How many decisions all cores made together, and how long that took.
fn all_cores(module: &Module, subject: &Subject, until: Until, threads: usize) -> (u64, Duration) {
    let begun = AtomicU64::new(0);
    let done = AtomicU64::new(0);
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while !until.is_reached(begun.fetch_add(1, Ordering::Relaxed), started) {
                    subject.decide(module);
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    (done.into_inner(), started.elapsed())
}

/// The value that this share of the sorted values does not exceed.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let index = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(index).copied().unwrap_or_default()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let times: Vec<Duration> = (1..=200).map(Duration::from_micros).collect();
        assert_eq!(percentile(&times, 50), Duration::from_micros(100));
        assert_eq!(percentile(&times, 99), Duration::from_micros(198));
        assert_eq!(percentile(&times[..1], 99), Duration::from_micros(1));
    }
}
