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
use serde_json::json;

use super::guards;
use super::module::{ModuleArg, engine, note_raised_options};
use super::subject::{ClusterArgs, PolicyOptions, SubjectArgs};
use super::{Outcome, note};
use crate::terminal::output::{OutputFormat, print, render, table};

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
    let RunArgs { module, subject, cluster, policy, output } = args;
    let bytes = module.read()?;
    let (folder, policy) = (policy.folder(), policy.policy()?);
    let sha256 = digest(&bytes);
    if policy.spec.module.sha256.as_ref().is_some_and(|expected| *expected != sha256) {
        note(&format!("spec.module.sha256 of the DNSPolicy names another module; this one has {sha256}"));
    }
    note_raised_options(&bytes)?;
    let engine = engine(&[module])?;
    let guards = guards::in_folder(&engine, folder, &policy)?;
    let active = module.under(&engine, &bytes, &policy)?.behind(guards);
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
        OutputFormat::Json => json_text(&report)?,
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

fn json_text(report: &Report) -> serde_json::Result<String> {
    let Report { module, sha256, cluster, domain, domain_questions, decided } = report;
    let decisions: Vec<serde_json::Value> = decided.iter().map(decision_json).collect();
    let questions: Vec<serde_json::Value> = all_questions(domain_questions, decided)
        .map(|Question { function, fuel, time, failure: _ }| {
            json!({ "function": function, "fuel": fuel, "microseconds": microseconds(*time) })
        })
        .collect();
    let text = serde_json::to_string_pretty(&json!({
        "module": { "name": module.name, "version": module.version, "sha256": sha256 },
        "cluster": cluster,
        "domain": domain.as_ref().ok().map(HostName::as_str),
        "domainError": domain.as_ref().err().map(ToString::to_string),
        "decisions": decisions,
        "questions": questions,
    }))?;
    Ok(format!("{text}\n"))
}

fn decision_json(decided: &Decided) -> serde_json::Value {
    let Decided { asked: AskedClaim { source, claim, .. }, decision, by_module, questions: _ } = decided;
    let (verdict, code, message, records) = match decision {
        Decision::Publish(sets) => {
            ("allowed", None, None, Some(sets.iter().map(record_json).collect::<Vec<_>>()))
        }
        Decision::Deny(Denial { code, message, guard: _ }) => {
            ("denied", Some(code.as_str()), Some(message.clone()), None)
        }
        Decision::Undecided(failure) => {
            ("undecided", Some(failure.kind.as_str()), Some(failure.message.clone()), None)
        }
    };
    json!({
        "object": source.to_string(),
        "hostName": claim.host_name,
        "targets": claim.targets,
        "verdict": verdict,
        "decidedBy": if *by_module { "module" } else { "host" },
        "code": code,
        "message": message,
        "records": records,
    })
}

fn record_json(set: &RecordSet) -> serde_json::Value {
    let values: Vec<String> = set.values.iter().map(ToString::to_string).collect();
    json!({
        "name": set.name,
        "type": set.record_type().map(RecordType::as_str),
        "ttlSeconds": set.ttl_seconds,
        "values": values,
    })
}

fn all_questions<'q>(domain: &'q [Question], decided: &'q [Decided]) -> impl Iterator<Item = &'q Question> {
    domain.iter().chain(decided.iter().flat_map(|decided| &decided.questions))
}

fn microseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 10_000_000.0).round() / 10.0
}
