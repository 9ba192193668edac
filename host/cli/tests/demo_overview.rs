//! What the demo shows, and how it starts and ends: the real binary on the example landscape.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use support::{BINARY, Running, ask, copy_of_the_example, document, example, ingress, masked, run};

const NAME: &str = "svc-abc123.workload01.openmcp.cluster";

#[test]
fn once_shows_the_whole_landscape_and_ends_well() {
    let done = run(&["demo", example(), "--once"]);
    assert_eq!(done.code, 0, "{done:?}");
    insta::assert_snapshot!(masked(&done.stdout));
}

#[test]
fn once_gives_one_json_document() {
    let done = run(&["demo", example(), "--once", "--output", "json"]);
    assert_eq!(done.code, 0, "{done:?}");
    let mut overview = document("demo", &done.stdout);
    for probe in overview["probes"].as_array_mut().unwrap() {
        assert!(probe["tookMilliseconds"].is_f64());
        probe["tookMilliseconds"] = Value::from("TIME");
    }
    for cluster in overview["clusters"].as_array_mut().unwrap() {
        // The kinds of a cluster are listed in any order: a route may be known before its Gateway. That all is well is told after it is.
        let whenever = ["HostNameUnresolved", "Reconciled"];
        let Some(events) = cluster.get_mut("events").and_then(Value::as_array_mut) else { continue };
        events.retain(|event| !whenever.iter().any(|reason| event["reason"] == *reason));
        if events.is_empty() {
            cluster.as_object_mut().unwrap().remove("events");
        }
    }
    overview["landscape"] = Value::from("LANDSCAPE");
    overview["policies"][0]["module"]["sha256"] = Value::from("SHA256");
    insta::assert_snapshot!(masked(&serde_json::to_string_pretty(&overview).unwrap()));
}

#[test]
fn once_ends_badly_when_a_file_cannot_be_read() {
    let landscape = copy_of_the_example();
    fs::write(landscape.path().join("workload02/broken.yaml"), "kind: [").unwrap();
    fs::write(landscape.path().join("workload02/other.txt"), "kind: [").unwrap();
    let done = run(&["demo", landscape.path().to_str().unwrap(), "--once"]);
    assert_eq!(done.code, 1);
    assert!(done.stdout.contains("workload02/broken.yaml:1: "), "{}", done.stdout);
    assert!(done.stdout.contains("svc-abc123.workload01.openmcp.cluster  A "), "{}", done.stdout);
}

#[test]
fn a_cluster_whose_files_describe_its_dns_is_not_asked_by_another_one() {
    let landscape = copy_of_the_example();
    let service = "apiVersion: v1\nkind: Service\nmetadata: {name: kube-dns, namespace: kube-system, labels: {k8s-app: kube-dns}}\n\
                   spec: {selector: {k8s-app: kube-dns}}\n";
    fs::write(landscape.path().join("workload02/dns.yaml"), service).unwrap();
    let done = run(&["demo", landscape.path().to_str().unwrap(), "--once"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.stdout.contains("Forwarded Unknown (NotProbed)  workload02\n"), "{}", done.stdout);
    assert!(done.stdout.contains("# as a pod of platform asks"), "{}", done.stdout);
}

#[test]
fn a_large_file_is_read_to_its_end() {
    let landscape = copy_of_the_example();
    let padding = format!("# {}\n", "x".repeat(5 << 20));
    let last = "last.workload01.openmcp.cluster";
    let text = [ingress("first.workload01.openmcp.cluster"), padding, ingress(last)].join("---\n");
    fs::write(landscape.path().join("workload01/large.yaml"), text).unwrap();
    let done = run(&["demo", landscape.path().to_str().unwrap(), "--once"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.stdout.contains(last), "{done:?}");
}

#[test]
fn what_cannot_start_says_what_to_do() {
    let empty = tempfile::tempdir().unwrap();
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let large = empty.path().join("large.wasm");
    fs::write(&large, [b"\0asm\r\0\x01\0", &[0; 2 << 20][..]].concat()).unwrap();
    for (arguments, expected) in [
        (vec!["demo".to_owned(), "/does/not/exist".to_owned()], "/does/not/exist"),
        (vec!["demo".to_owned(), "/does/not/exist".to_owned(), "--once".to_owned()], "/does/not/exist"),
        (vec!["demo".to_owned(), path(empty.path()), "--once".to_owned()], "there is no Cluster in"),
        (
            vec![
                "demo".to_owned(),
                example().to_owned(),
                "--once".to_owned(),
                "--policy".to_owned(),
                BINARY.to_owned(),
            ],
            "neither text nor WebAssembly",
        ),
        (
            vec![
                "demo".to_owned(),
                example().to_owned(),
                "--once".to_owned(),
                "--policy".to_owned(),
                path(&large),
            ],
            "raise the limits (`openmcp-dns policy inspect`",
        ),
        (
            vec![
                "demo".to_owned(),
                example().to_owned(),
                "--once".to_owned(),
                "--policy-fuel".to_owned(),
                "1000".to_owned(),
            ],
            "raise --policy-fuel",
        ),
        (
            vec![
                "demo".to_owned(),
                example().to_owned(),
                "--once".to_owned(),
                "--listen".to_owned(),
                "192.0.2.1:1".to_owned(),
            ],
            "192.0.2.1:1",
        ),
    ] {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let done = run(&arguments);
        assert_eq!(done.code, 1, "{done:?}");
        assert!(done.stderr.contains(expected), "{expected}: {done:?}");
        assert!(done.stderr.trim_end().lines().last().unwrap().starts_with("hint: "), "{done:?}");
        assert_eq!(done.stdout, "");
    }
}

#[test]
fn a_signal_ends_the_demo_with_a_last_line() {
    for signal in ["-INT", "-TERM"] {
        let landscape = copy_of_the_example();
        let demo = Running::start(landscape.path());
        assert_eq!(demo.end(signal)["names"], 5);
    }
}

#[test]
fn an_end_of_the_reader_is_no_error() {
    let command = format!("'{BINARY}' demo '{}' --once 2>&1 | head -n 1", example());
    let done = Command::new("bash").args(["-o", "pipefail", "-c", &command]).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    assert!(!String::from_utf8_lossy(&done.stdout).contains("panicked"));
    // `ask` is used by other tests of this file; here it only shows that nothing answers any more.
    assert!(ask("127.0.0.1:9".parse().unwrap(), NAME)[0].starts_with("error"));
}
