//! What a decision log says: `history`, `explain --log` and `policy replay`, as people run them.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use support::{document, example, run};

const NAME: &str = "wiki.workload01.openmcp.cluster";

/// One line.
fn line(time: &str, mut event: Value) -> String {
    event["time"] = format!("2026-01-01T{time}.000Z").into();
    format!("{event}\n")
}

/// What is said of the Ingress of the example.
fn answered(time: &str, answer: Value, records: &[&str]) -> String {
    let event = json!({
        "event": "decided",
        "cluster": { "namespace": "openmcp-system", "name": "workload01" },
        "object": "Ingress/tools/wiki",
        "hostName": NAME,
        "question": { "askedIn": "c1", "targets": ["172.18.201.20"] },
        "answer": answer,
        "records": records,
        "modules": [{ "digest": "0123456789abcdef0123456789abcdef" }],
    });
    line(time, event)
}

fn recorded(time: &str, revision: i64, records: &[&str]) -> String {
    let event = json!({
        "event": "recorded", "name": NAME, "records": records, "clusters": [], "revision": revision
    });
    line(time, event)
}

/// A log in two files, with a line that was cut off.
fn log() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let asked_in = json!({
        "event": "askedIn",
        "id": "c1",
        "policy": "openmcp",
        "domain": "workload01.openmcp.cluster",
        "wildcards": true,
        "details": [],
        "context": {
            "baseDomain": "openmcp.cluster",
            "cluster": {
                "id": { "namespace": "openmcp-system", "name": "workload01" }, "purposes": [], "labels": {}
            },
            "configuration": "{}",
            "sharedNames": [],
            "sharedSuffixes": [],
        },
    });
    let record = format!("{NAME} 60 A 172.18.201.20");
    let published = json!({ "verdict": "published" });
    let denied = json!({ "verdict": "denied", "code": "reserved-name", "message": "wiki is reserved" });
    let first = [
        line("10:00:00", asked_in),
        answered("10:00:00", published.clone(), &[&record]),
        recorded("10:00:00", 7, &["A 172.18.201.20"]),
        answered("11:00:00", denied, &[]),
    ];
    let second = [
        recorded("11:00:00", 9, &[]),
        line("11:30:00", json!({ "event": "lost", "events": 12 })),
        line("11:40:00", json!({ "event": "of-a-later-version", "name": NAME })),
        answered("12:00:00", published, &[&record]),
        recorded("12:00:00", 11, &["A 172.18.201.20"]),
    ];
    let cut = "{\"time\":\"2026-01-01T11:00\n";
    fs::write(folder.path().join("decisions-00000001.jsonl"), first.concat() + cut).unwrap();
    fs::write(folder.path().join("decisions-00000002.jsonl"), second.concat()).unwrap();
    folder
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn the_history_of_a_name_is_told_to_people_and_programs() {
    let log = log();
    let done = run(&["history", NAME, "--log", text(log.path())]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.stderr.contains("lines of the log that cannot be read: 1"), "{done:?}");
    insta::assert_snapshot!(done.stdout);
    let done = run(&["history", NAME, "--log", text(log.path()), "--output", "json"]);
    let history = document("history", &done.stdout);
    assert_eq!(history["events"].as_array().unwrap().len(), 7);
    assert_eq!(history["claims"][0]["since"], "2026-01-01T12:00:00.000Z");
    assert_eq!(history["recorded"]["revision"], 11);
}

#[test]
fn a_name_that_the_log_does_not_know_and_a_log_that_is_none_are_told_apart() {
    let log = log();
    let done = run(&["history", "other.openmcp.cluster", "--log", text(log.path())]);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.stdout.contains("the log knows nothing of it"), "{done:?}");
    let nothing = tempfile::tempdir().unwrap();
    let done = run(&["history", NAME, "--log", text(nothing.path())]);
    assert_eq!(done.code, 2, "{done:?}");
    assert!(
        done.stderr.contains("there is no decision log in") && done.stderr.contains("hint: "),
        "{done:?}"
    );
}

#[test]
fn an_explanation_says_since_when_it_is_so() {
    let log = log();
    let done = run(&["explain", NAME, example(), "--log", text(log.path())]);
    assert_eq!(done.code, 0, "{done:?}");
    for expected in [
        "since      2026-01-01T12:00:00.000Z\n",
        "recorded   since 2026-01-01T12:00:00.000Z at revision 11\n",
    ] {
        assert!(done.stdout.contains(expected), "{}", done.stdout);
    }
    // What the log says of another time is not said of now.
    fs::remove_file(log.path().join("decisions-00000002.jsonl")).unwrap();
    let done = run(&["explain", NAME, example(), "--log", text(log.path())]);
    assert!(!done.stdout.contains("\n  since  "), "{}", done.stdout);
}

#[test]
fn another_module_is_asked_the_same_questions() {
    let log = log();
    let replay = |more: &[&str]| {
        let done = run(&[&["policy", "replay", text(log.path()), "standard"], more].concat());
        (done.code, done.stdout)
    };
    assert_eq!(
        replay(&[]),
        (
            0,
            "- the log\n+ standard 0.1.0\n\n1 questions: 1 decided the same; clusters with another domain: 0\n"
                .to_owned()
        )
    );
    let (code, text) = replay(&["--config", r#"{"reservedNames":["wiki"]}"#]);
    assert_eq!(code, 1, "{text}");
    insta::assert_snapshot!(text);
    let (code, text) = replay(&["--config", r#"{"ttlSeconds":30}"#, "--output", "json"]);
    let document = document("policy-replay", &text);
    assert_eq!((code, &document["differences"][0]["difference"]), (1, &json!("other records")));
    let (code, text) = replay(&["--config", r#"{"unknown":30}"#]);
    assert_eq!(code, 2, "{text}");
    assert!(text.contains("not asked: 1: the module refuses the configuration"), "{text}");
}
