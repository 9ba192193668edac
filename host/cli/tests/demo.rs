//! The demo as people run it: the real binary on the example landscape and on copies of it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use support::{BINARY, Running, ask, copy_of_the_example, example, masked, run};

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
    let mut picture: Value = serde_json::from_str(&done.stdout).unwrap();
    for probe in picture["probes"].as_array_mut().unwrap() {
        assert!(probe["took_milliseconds"].is_f64());
        probe["took_milliseconds"] = Value::from("TIME");
    }
    picture["landscape"] = Value::from("LANDSCAPE");
    picture["module"]["sha256"] = Value::from("SHA256");
    insta::assert_snapshot!(masked(&serde_json::to_string_pretty(&picture).unwrap()));
}

#[test]
fn an_edited_address_and_a_deleted_file_change_the_answers() {
    let landscape = copy_of_the_example();
    let mut demo = Running::start(landscape.path());
    assert_eq!(demo.ask(NAME), ["172.18.201.1"]);

    let file = landscape.path().join("workload01/example.yaml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("value: 172.18.201.1", "value: 172.18.201.9")).unwrap();
    let changed = demo.event("answered", |event| event["name"] == NAME);
    assert_eq!(changed["how"], "changed");
    assert_eq!(changed["before"], "A 172.18.201.1");
    assert_eq!(changed["now"], "A 172.18.201.9");
    assert_eq!(changed["cause"]["object"], "Gateway/default/example-gateway");
    assert_eq!(changed["cause"]["file"], "workload01/example.yaml");
    // A tenth of a second on a quiet machine; here it only must not be a matter of polling.
    assert!(changed["after_milliseconds"].as_f64().unwrap() < 5000.0, "{changed}");
    assert_eq!(demo.ask(NAME), ["172.18.201.9"]);

    fs::remove_file(&file).unwrap();
    let removed = demo.event("answered", |event| event["name"] == NAME);
    assert_eq!(removed["how"], "removed");
    assert_eq!(removed["cause"]["how"], "removed");
    assert_eq!(demo.ask(NAME), ["NXDOMAIN"]);

    fs::write(&file, text).unwrap();
    let added = demo.event("answered", |event| event["name"] == NAME);
    assert_eq!(added["how"], "added");
    assert_eq!(demo.ask(NAME), ["172.18.201.1"]);
    assert_eq!(demo.end("-INT")["changes"], 3);
}

#[test]
fn what_a_broken_file_published_stays_and_the_error_names_the_file() {
    let landscape = copy_of_the_example();
    let mut demo = Running::start(landscape.path());
    let file = landscape.path().join("workload01/example.yaml");
    let text = fs::read(&file).unwrap();
    for broken in [&b"spec: [unclosed"[..], b"", b"\xff\xfe"] {
        fs::write(&file, broken).unwrap();
        let problem = demo.event("problem", |event| event["file"] == "workload01/example.yaml");
        assert!(!problem["hint"].as_str().unwrap().is_empty());
        assert_eq!(demo.ask(NAME), ["172.18.201.1"], "{problem}");
        // The other files go on.
        let other = landscape.path().join("workload01/ingress.yaml");
        let others = fs::read_to_string(&other).unwrap();
        let (from, to) = if others.contains("201.20") { ("201.20", "201.21") } else { ("201.21", "201.20") };
        fs::write(&other, others.replace(from, to)).unwrap();
        demo.event("answered", |event| event["name"] == "wiki.workload01.openmcp.cluster");
    }
    fs::write(&file, text).unwrap();
    demo.event("solved", |event| event["file"] == "workload01/example.yaml");
    assert_eq!(demo.ask(NAME), ["172.18.201.1"]);
    demo.end("-TERM");
}

#[test]
fn a_file_counts_when_it_has_been_written_to_its_end() {
    let landscape = copy_of_the_example();
    let mut demo = Running::start(landscape.path());
    let path = landscape.path().join("workload01/example.yaml");
    let text = fs::read_to_string(&path).unwrap();
    let text = text.replace("value: 172.18.201.1", "value: 172.18.201.9");
    // The first half, cut within the host name, is a valid manifest of something else.
    let (head, tail) = text.split_at(text.find("workload01.openmcp.cluster").unwrap());
    let mut file = fs::File::create(&path).unwrap();
    file.write_all(head.as_bytes()).unwrap();
    // Other files are read meanwhile.
    fs::remove_file(landscape.path().join("workload02/shop.yaml")).unwrap();
    demo.event("answered", |event| event["name"] == "shop.workload02.openmcp.cluster");
    assert_eq!(demo.ask(NAME), ["172.18.201.1"]);
    file.write_all(tail.as_bytes()).unwrap();
    drop(file);
    let changed = demo.event("answered", |event| event["name"] == NAME);
    assert_eq!(changed["now"], "A 172.18.201.9");
    demo.end("-TERM");
}

#[test]
fn clusters_come_and_go_with_their_resources() {
    let landscape = copy_of_the_example();
    let mut demo = Running::start(landscape.path());
    let clusters = landscape.path().join("platform/clusters.yaml");
    let text = fs::read_to_string(&clusters).unwrap();
    let (without, _) = text.rsplit_once("---").unwrap();
    fs::write(&clusters, without).unwrap();
    let shop = "shop.workload02.openmcp.cluster";
    let removed = demo.event("answered", |event| event["name"] == shop);
    assert_eq!(removed["cause"]["object"], "Cluster/openmcp-system/workload02");
    assert_eq!(demo.ask(shop), ["NXDOMAIN"]);
    fs::write(&clusters, &text).unwrap();
    demo.event("answered", |event| event["name"] == shop && event["how"] == "added");
    demo.end("-TERM");
}

#[test]
fn a_policy_can_share_a_name_while_the_demo_runs() {
    let landscape = copy_of_the_example();
    let mut demo = Running::start(landscape.path());
    let policy = landscape.path().join("platform/policy.yaml");
    let text = fs::read_to_string(&policy).unwrap();
    let shared = "  sharedNames:\n  - name: svc-abc123.workload01.openmcp.cluster\n    \
                  clusters: [{name: workload02, namespace: openmcp-system}]\n";
    fs::write(&policy, format!("{text}{shared}")).unwrap();
    let changed = demo.event("answered", |event| event["name"] == NAME);
    assert_eq!(changed["now"], "A 172.18.201.1 172.18.202.1");
    assert_eq!(changed["cause"]["object"], "DNSPolicy/landscape");
    // What the module does not accept changes nothing.
    fs::write(&policy, format!("{text}  configuration: {{nonsense: true}}\n{shared}")).unwrap();
    let problem = demo.event("problem", |event| event["file"] == "platform/policy.yaml");
    assert!(problem["message"].as_str().unwrap().contains("refuses its configuration"), "{problem}");
    assert_eq!(demo.ask(NAME).len(), 2);
    demo.end("-TERM");
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
fn an_end_of_the_reader_is_no_error() {
    let command = format!("'{BINARY}' demo '{}' --once 2>&1 | head -n 1", example());
    let done = Command::new("bash").args(["-o", "pipefail", "-c", &command]).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    assert!(!String::from_utf8_lossy(&done.stdout).contains("panicked"));
    // `ask` is used by other tests of this file; here it only shows that nothing answers any more.
    assert!(ask("127.0.0.1:9".parse().unwrap(), NAME)[0].starts_with("error"));
}
