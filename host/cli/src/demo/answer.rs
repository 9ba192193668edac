//! Answers: how the DNS server answers beside what the store holds.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use openmcp_dns_core::name::HostName;
use openmcp_dns_core::record::RecordType;

use super::event::{Answered, Cause};
use super::overview::ProbeOverview;
use super::view::Value;
use openmcp_dns_service::probe::{Expectation, Probed, Verdict};

/// Whether these values are what was to be probed.
pub fn expects(expectation: &Expectation, values: &BTreeSet<Value>) -> bool {
    expectation.records() == by_type(values)
}

fn by_type(values: &BTreeSet<Value>) -> BTreeMap<RecordType, BTreeSet<String>> {
    let mut by_type: BTreeMap<RecordType, BTreeSet<String>> = BTreeMap::new();
    for value in values {
        by_type.entry(value.record_type).or_default().insert(value.text.clone());
    }
    by_type
}

/// The values in one line, each type before its values.
fn line(values: &BTreeSet<Value>) -> String {
    let types = by_type(values);
    let types = types.iter().map(|(record_type, values)| format!("{record_type} {}", join(values)));
    types.collect::<Vec<_>>().join(", ")
}

fn join(values: &BTreeSet<String>) -> String {
    values.iter().map(String::as_str).collect::<Vec<_>>().join(" ")
}

/// A name is answered otherwise than before.
pub fn answered(
    probed: &Probed,
    before: &BTreeSet<Value>,
    now: &BTreeSet<Value>,
    cause: Option<(Cause, Instant)>,
) -> Answered {
    let how = match (before.is_empty(), now.is_empty()) {
        (true, false) => "added",
        (false, true) => "removed",
        _ => "changed",
    };
    let (cause, since) = cause.unzip();
    Answered {
        name: probed.expectation.name.to_string(),
        how,
        before: line(before),
        now: line(now),
        verdict: probed.verdict.as_str(),
        answer: probed.answer.to_string(),
        cause,
        after_milliseconds: since.map(|since| milliseconds(since.elapsed())),
    }
}

/// One row for each type that was asked for.
pub fn rows(name: &HostName, probed: &Probed) -> Vec<ProbeOverview> {
    let Probed { expectation, verdict, answer, took } = probed;
    let row = |record_type: String, expected: String, answer: String| ProbeOverview {
        name: name.to_string(),
        record_type,
        expected,
        answer,
        took_milliseconds: milliseconds(*took),
        verdict: verdict.as_str(),
    };
    let types: Vec<(RecordType, String)> =
        expectation.records().iter().map(|(record_type, values)| (*record_type, join(values))).collect();
    let shown = |record_type: RecordType, values: &str| match record_type {
        // The question is one for addresses.
        RecordType::Cname => format!("CNAME {values}"),
        _ => values.to_owned(),
    };
    let asked = |record_type: RecordType| match record_type {
        RecordType::Cname => RecordType::A.to_string(),
        other => other.to_string(),
    };
    if *verdict == Verdict::Match && types.len() > 1 {
        // Only the last answer is at hand, but all of them were compared and found to be the same.
        return types
            .into_iter()
            .map(|(record_type, values)| row(asked(record_type), shown(record_type, &values), values))
            .collect();
    }
    let asked: Vec<String> = types.iter().map(|(record_type, _)| asked(*record_type)).collect();
    let expected: Vec<String> =
        types.iter().map(|(record_type, values)| shown(*record_type, values)).collect();
    vec![row(asked.join(" "), expected.join(" "), answer.to_string())]
}

fn milliseconds(duration: Duration) -> f64 {
    // Tenths are more than anybody compares.
    (duration.as_secs_f64() * 10_000.0).round() / 10.0
}
