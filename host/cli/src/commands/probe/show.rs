//! How the answers are shown.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::Probe;
use crate::terminal::output::{render, table};
use openmcp_dns_service::probe::Verdict;

/// A table for people, and one line that says how it went.
pub(super) fn text(probes: &[Probe]) -> String {
    let mut rows = table(&["question", "server", "answer", "expected", "time", "verdict"]);
    for Probe { question, server, expected, answer, verdict, took } in probes {
        let server = match &server.cluster {
            Some(cluster) => format!("{} ({cluster})", server.address),
            None => server.address.to_string(),
        };
        rows.add_row([
            format!("{} {}", question.record_type, question.name),
            server,
            answer.to_string(),
            expected.to_string(),
            format!("{:.1} ms", milliseconds(*took)),
            verdict.as_str().to_owned(),
        ]);
    }
    let count = |verdict| probes.iter().filter(|probe| probe.verdict == verdict).count();
    let (mismatching, unanswered) = (count(Verdict::Mismatch), count(Verdict::NoAnswer));
    let mut text = render(&rows, "");
    text.push_str(&format!("\n{} of {} answers are as expected", count(Verdict::Match), probes.len()));
    for (number, what) in [(mismatching, "not"), (unanswered, "missing")] {
        if number > 0 {
            text.push_str(&format!(", {number} {what}"));
        }
    }
    text.push('\n');
    text
}

/// What was asked, and what was answered.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct Document {
    /// Each question to each server.
    probes: Vec<ProbeRow>,
    /// Whether each answer is as expected.
    all_match: bool,
}

/// One question to one server.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ProbeRow {
    /// The name.
    name: String,
    /// The record type.
    #[serde(rename = "type")]
    record_type: String,
    /// Address and port of the server.
    server: String,
    /// NAMESPACE/NAME of the Cluster whose DNS was asked; `null` for a server that was named.
    cluster: Option<String>,
    /// What was answered.
    answer: String,
    /// What should be.
    expected: String,
    /// From the question until the answer.
    took_milliseconds: f64,
    /// `ok`, `mismatch` or `no answer`.
    verdict: &'static str,
}

impl Document {
    pub(super) fn of(probes: &[Probe]) -> Self {
        let rows =
            probes.iter().map(|Probe { question, server, expected, answer, verdict, took }| ProbeRow {
                name: question.name.to_string(),
                record_type: question.record_type.to_string(),
                server: server.address.to_string(),
                cluster: server.cluster.clone(),
                answer: answer.to_string(),
                expected: expected.to_string(),
                took_milliseconds: milliseconds(*took),
                verdict: verdict.as_str(),
            });
        let all_match = probes.iter().all(|probe| probe.verdict == Verdict::Match);
        Self { probes: rows.collect(), all_match }
    }
}

fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10_000.0).round() / 10.0
}
