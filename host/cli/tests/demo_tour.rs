//! The tour: every step leads to what it tells, in both outputs.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fs;

use support::{document, example, run};

#[test]
fn every_step_of_the_tour_leads_to_what_it_tells() {
    let before = fs::read_to_string(format!("{}/platform/policy.yaml", example())).unwrap();
    let done = run(&["demo", example(), "--tour", "--output", "json"]);
    assert_eq!(done.code, 0, "{done:#?}");
    let events: Vec<_> = done.stdout.lines().map(|line| document("demo-events", line)).collect();
    let steps: Vec<_> = events.iter().filter(|event| event["event"] == "step").collect();
    let numbers: Vec<u64> = steps.iter().map(|step| step["number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=9).collect::<Vec<_>>());
    assert!(steps.iter().all(|step| !step["done"].as_array().unwrap().is_empty()));
    let told = events.iter().find(|event| event["event"] == "told").unwrap();
    assert_eq!(
        (&told["object"], &told["reason"]),
        (&"HTTPRoute/default/greedy".into(), &"HostNameDenied".into())
    );
    assert!(events.iter().any(|event| event["event"] == "held"));
    assert_eq!(events.last().unwrap()["event"], "toldAll");
    assert_eq!(fs::read_to_string(format!("{}/platform/policy.yaml", example())).unwrap(), before, "a copy");
}

#[test]
fn people_read_what_is_done_and_why() {
    let done = run(&["demo", example(), "--tour"]);
    assert_eq!(done.code, 0, "{done:#?}");
    for wanted in [
        "── 1/9  A route appears, and its name resolves\n\nA Gateway of workload01",
        "\n  $ cat > workload01/hello.yaml <<'END'\n    apiVersion: gateway.networking.k8s.io/v1\n",
        "\nasked      deny-me.workload01.openmcp.cluster  answer: NXDOMAIN\n",
        "\n  $ mv workload02 ..\n",
        "That was the tour.",
    ] {
        assert!(done.stdout.contains(wanted), "{wanted}: {}", done.stdout);
    }
}

#[test]
fn a_folder_that_the_tour_is_not_told_on_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let done = run(&["demo", folder.path().to_str().unwrap(), "--tour"]);
    assert_eq!(done.code, 1);
    assert!(done.stderr.contains("hint: the tour is told on examples/landscape"), "{done:?}");
}
