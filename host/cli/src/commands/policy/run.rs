//! `openmcp-dns policy run`: one whole decision.

use std::time::Duration;

use openmcp_dns_core::decide::Decision;
use openmcp_dns_core::details::AskedClaim;
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::policy::{Denial, PolicyFailure};
use openmcp_dns_core::record::{RecordSet, RecordType, lines};
use openmcp_dns_kit::{Decided, Trial};
use openmcp_dns_policy::metered::Question;
use openmcp_dns_policy::{Description, digest};
use schemars::JsonSchema;
use serde::Serialize;

use super::debug::DebugArgs;
use super::guards;
use super::module::{ModuleArg, note_raised_options};
use super::subject::{ClusterArgs, PolicyOptions, SubjectArgs};
use super::{Outcome, note};
use crate::terminal::output::{OutputFormat, json, print, render, table};

/// Decides on a host name as the service would: which domain the cluster has, whether the name is
/// allowed, and what is recorded; with the fuel and the time that each question took.
///
/// The host's own rules hold as well: a module can narrow what is published, never widen it. Wildcards
/// are decided on as with the built-in DNS server; with CoreDNS's etcd plugin the host denies them.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Exit code: 0 when every name is allowed, 1 when one is denied, 2 when one could not be decided.

Examples:
  openmcp-dns policy run standard --host shop.workload01.openmcp.cluster --target 10.0.0.1
  openmcp-dns policy run my-policy.wasm --object route.yaml --gateway gateway.yaml --policy dnspolicy.yaml
  openmcp-dns policy run my-policy.debug.wasm --debug --host shop.workload01.openmcp.cluster --target 10.0.0.1
  openmcp-dns policy run my-policy.wasm --claim claim.yaml --cluster blue --purpose onboarding --output json")]
pub(super) struct RunArgs {
    /// The module: a file, or `standard`
    module: ModuleArg,

    #[command(flatten)]
    subject: SubjectArgs,

    #[command(flatten)]
    cluster: ClusterArgs,

    #[command(flatten)]
    policy: PolicyOptions,

    #[command(flatten)]
    debug: DebugArgs,

    /// `text` for people, `json` for programs
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT", hide_possible_values = true)]
    output: OutputFormat,
}

/// All that is shown.
struct Report {
    module: Description,
    sha256: String,
    cluster: String,
    domain: Result<HostName, PolicyFailure>,
    domain_questions: Vec<Question>,
    decided: Vec<Decided>,
}

/// Runs the command.
pub(super) fn run(args: &RunArgs) -> anyhow::Result<Outcome> {
    let RunArgs { module, subject, cluster, policy, debug, output } = args;
    let bytes = module.read()?;
    let (folder, policy) = (policy.folder(), policy.policy()?);
    let sha256 = digest(&bytes);
    if policy.spec.module.sha256.as_ref().is_some_and(|expected| *expected != sha256) {
        note(&format!("spec.module.sha256 of the DNSPolicy names another module; this one has {sha256}"));
    }
    let debugging = debug.start();
    let engine = debugging.engine(&[module])?;
    note_raised_options(&bytes, &engine)?;
    let guards = debugging.loaded(guards::in_folder(&engine, folder, &policy))?;
    let active = debugging.loaded(module.under(&engine, &bytes, &policy))?.behind(guards);
    let (id, cluster) = cluster.resource();
    if !active.selects(&cluster) {
        note("the clusterSelector of the DNSPolicy does not select this cluster; it is asked all the same");
    }
    let trial = Trial::begin(&active, &id, &cluster);
    let mut decided = Vec::new();
    if let Ok(domain) = &trial.domain {
        for asked in subject.claims(domain, &active)? {
            decided.push(trial.decide(domain, asked));
        }
    }
    debugging.show();
    let report = Report {
        module: active.module.description().clone(),
        sha256,
        cluster: id.to_string(),
        domain: trial.domain,
        domain_questions: trial.domain_questions,
        decided,
    };
    print(&match output {
        OutputFormat::Text => text(&report),
        OutputFormat::Json => json(&Document::of(&report))?,
    })?;
    Ok(report.outcome())
}

impl Report {
    fn outcome(&self) -> Outcome {
        let any = |matches: fn(&Decision) -> bool| self.decided.iter().any(|one| matches(&one.decision));
        if self.domain.is_err() || any(|decision| matches!(decision, Decision::Undecided(_))) {
            Outcome::Unknown
        } else if any(|decision| matches!(decision, Decision::Deny(_))) {
            Outcome::No
        } else {
            Outcome::Yes
        }
    }
}

fn text(report: &Report) -> String {
    let Report { module, sha256, cluster, domain, domain_questions, decided } = report;
    let mut rows: Vec<(&str, String)> = vec![
        ("module", format!("{} {} (sha256 {sha256})", module.name, module.version)),
        ("cluster", cluster.clone()),
    ];
    match domain {
        Ok(domain) => rows.push(("domain", domain.to_string())),
        Err(failure) => rows.push(("domain", format!("none: {failure}"))),
    }
    for Decided { asked: AskedClaim { source, claim, .. }, decision, by_module, questions: _ } in decided {
        rows.push(("", String::new()));
        rows.push(("claim", format!("{} -> {} ({source})", claim.host_name, claim.targets.join(", "))));
        let by = if *by_module { "the module" } else { "the host" };
        match decision {
            Decision::Publish(sets) => {
                rows.push(("verdict", "allowed".to_owned()));
                let records = lines(sets);
                if records.is_empty() {
                    rows.push(("records", "none".to_owned()));
                }
                for (index, line) in records.into_iter().enumerate() {
                    rows.push((if index == 0 { "records" } else { "" }, line));
                }
            }
            Decision::Deny(Denial { code, message, guard: _ }) => {
                rows.push(("verdict", format!("denied by {by}: {code}")));
                rows.push(("message", message.clone()));
            }
            Decision::Undecided(failure) => rows.push(("verdict", format!("undecided: {failure}"))),
        }
    }
    let shown = rows.iter().map(|(name, value)| format!("{name:<9} {value}").trim_end().to_owned() + "\n");
    let mut text: String = shown.collect();
    let mut questions = table(&["question", "fuel", "time"]);
    for Question { function, fuel, time, failure: _ } in all_questions(domain_questions, decided) {
        questions.add_row([
            (*function).to_owned(),
            fuel.to_string(),
            format!("{:.1} µs", microseconds(*time)),
        ]);
    }
    text.push('\n');
    text.push_str(&render(&questions, ""));
    text
}

/// One whole decision.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct Document {
    /// The module that was asked.
    module: ModuleRow,
    /// NAMESPACE/NAME of the Cluster.
    cluster: String,
    /// Its domain; `null` where it has none.
    domain: Option<String>,
    /// Why it has none; `null` where it has one.
    domain_error: Option<String>,
    /// What was decided on each host name.
    decisions: Vec<DecisionRow>,
    /// Each question to the module.
    questions: Vec<QuestionRow>,
}

/// A module.
#[derive(Serialize, JsonSchema)]
pub(super) struct ModuleRow {
    /// What it calls itself.
    pub(super) name: String,
    /// Its version, as it says itself.
    pub(super) version: String,
    /// SHA-256 of its bytes as hexadecimal digits.
    pub(super) sha256: String,
}

/// What was decided on one host name.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct DecisionRow {
    /// The object that asks, as kind, namespace and name.
    object: String,
    /// The host name as the object has it.
    host_name: String,
    /// Where it leads.
    targets: Vec<String>,
    /// `allowed`, `denied` or `undecided`.
    verdict: &'static str,
    /// `module`, or `host` where a rule of the service decided before the module was asked.
    decided_by: &'static str,
    /// For machines, why not; `null` where it is allowed.
    code: Option<String>,
    /// For people, why not; `null` where it is allowed.
    message: Option<String>,
    /// What is recorded; `null` where it is not allowed.
    records: Option<Vec<RecordSetRow>>,
}

/// Records of one type at one name.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct RecordSetRow {
    /// The name.
    name: String,
    /// The record type; `null` where there is no value.
    #[serde(rename = "type")]
    record_type: Option<&'static str>,
    /// Time to live.
    ttl_seconds: u32,
    /// The values.
    values: Vec<String>,
}

/// One question to the module.
#[derive(Serialize, JsonSchema)]
struct QuestionRow {
    /// The function of the contract.
    function: &'static str,
    /// What it used, in units of work of the WebAssembly engine.
    fuel: u64,
    /// How long it took.
    microseconds: f64,
}

impl Document {
    fn of(report: &Report) -> Self {
        let Report { module, sha256, cluster, domain, domain_questions, decided } = report;
        let questions =
            all_questions(domain_questions, decided).map(|Question { function, fuel, time, failure: _ }| {
                QuestionRow { function, fuel: *fuel, microseconds: microseconds(*time) }
            });
        Self {
            module: ModuleRow {
                name: module.name.clone(),
                version: module.version.clone(),
                sha256: sha256.clone(),
            },
            cluster: cluster.clone(),
            domain: domain.as_ref().ok().map(ToString::to_string),
            domain_error: domain.as_ref().err().map(ToString::to_string),
            decisions: decided.iter().map(DecisionRow::of).collect(),
            questions: questions.collect(),
        }
    }
}

impl DecisionRow {
    fn of(decided: &Decided) -> Self {
        let Decided { asked: AskedClaim { source, claim, .. }, decision, by_module, questions: _ } = decided;
        let (verdict, code, message, records) = match decision {
            Decision::Publish(sets) => {
                ("allowed", None, None, Some(sets.iter().map(RecordSetRow::of).collect()))
            }
            Decision::Deny(Denial { code, message, guard: _ }) => {
                ("denied", Some(code.clone()), Some(message.clone()), None)
            }
            Decision::Undecided(failure) => {
                ("undecided", Some(failure.kind.as_str().to_owned()), Some(failure.message.clone()), None)
            }
        };
        Self {
            object: source.to_string(),
            host_name: claim.host_name.clone(),
            targets: claim.targets.clone(),
            verdict,
            decided_by: if *by_module { "module" } else { "host" },
            code,
            message,
            records,
        }
    }
}

impl RecordSetRow {
    fn of(set: &RecordSet) -> Self {
        Self {
            name: set.name.to_string(),
            record_type: set.record_type().map(RecordType::as_str),
            ttl_seconds: set.ttl_seconds,
            values: set.values.iter().map(ToString::to_string).collect(),
        }
    }
}

fn all_questions<'q>(domain: &'q [Question], decided: &'q [Decided]) -> impl Iterator<Item = &'q Question> {
    domain.iter().chain(decided.iter().flat_map(|decided| &decided.questions))
}

fn microseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 10_000_000.0).round() / 10.0
}
