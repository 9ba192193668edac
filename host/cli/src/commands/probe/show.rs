//! How the answers are shown.

use std::time::Duration;

use serde_json::json;

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

/// One JSON document for programs.
pub(super) fn json(probes: &[Probe]) -> serde_json::Result<String> {
    let rows: Vec<serde_json::Value> = probes
        .iter()
        .map(|Probe { question, server, expected, answer, verdict, took }| {
            json!({
                "name": question.name,
                "type": question.record_type.to_string(),
                "server": server.address.to_string(),
                "cluster": server.cluster,
                "answer": answer.to_string(),
                "expected": expected.to_string(),
                "tookMilliseconds": milliseconds(*took),
                "verdict": verdict.as_str(),
            })
        })
        .collect();
    let all_match = probes.iter().all(|probe| probe.verdict == Verdict::Match);
    let text = serde_json::to_string_pretty(&json!({ "probes": rows, "allMatch": all_match }))?;
    Ok(format!("{text}\n"))
}

fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10_000.0).round() / 10.0
}
