//! `explain` as people run it: the example landscape, and the DNS server of a demo.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fmt::Write as _;
use std::fs;

use support::{Running, copy_of_the_example, document, example, run};

const NAME: &str = "svc-abc123.workload01.openmcp.cluster";

#[test]
fn every_end_of_a_way_in_the_example_is_explained() {
    let mut all = String::new();
    for (subject, code) in [
        (NAME, 1),
        ("shop.workload02.openmcp.cluster", 0),
        ("Ingress/tools/wiki-v6", 0),
        ("waiting.workload02.openmcp.cluster", 1),
        ("httproute/default/invalid-name", 1),
        ("HTTPRoute/default/claims-another-cluster", 1),
        ("unknown.workload01.openmcp.cluster", 1),
    ] {
        let done = run(&["explain", subject, example()]);
        assert_eq!(done.code, code, "{done:?}");
        writeln!(all, "$ explain {subject}\n{}", done.stdout).unwrap();
    }
    insta::assert_snapshot!(all);
}

#[test]
fn programs_get_one_json_document() {
    let done = run(&["explain", NAME, example(), "--output", "json"]);
    assert_eq!(done.code, 1, "{done:?}");
    let explanation = document("explain", &done.stdout);
    insta::assert_snapshot!(serde_json::to_string_pretty(&explanation).unwrap());
}

#[test]
fn what_a_server_answers_is_the_end_of_the_way() {
    let demo = Running::start(example().as_ref());
    let server = demo.server.to_string();
    let alias = "shop.workload02.openmcp.cluster";
    let done = run(&["explain", alias, example(), "--server", &server]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.stdout.contains("answer     A CNAME lb-4711"), "{}", done.stdout);
    // The server of another landscape: it has another address for the name.
    let other = copy_of_the_example();
    let file = other.path().join("workload01/ingress.yaml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("172.18.201.20", "172.18.201.21")).unwrap();
    let wiki = "wiki.workload01.openmcp.cluster";
    let done = run(&["explain", wiki, other.path().to_str().unwrap(), "--server", &server]);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.stdout.contains("A 172.18.201.20, mismatch (from 127.0.0.1"), "{}", done.stdout);
}

#[test]
fn what_cannot_be_explained_ends_with_2() {
    for (arguments, expected) in [
        (&["a_b", example()][..], "is no host name"),
        (&["Namespace/default/denied", example()], "is no kind that claims host names"),
        (&[NAME], "<FOLDER>"),
        (&[NAME, "/does/not/exist"], "failed to read the landscape"),
        (&[NAME, example(), "--all"], "--kubeconfig"),
        (&[NAME, example(), "--module", "active"], "is the module of a running landscape"),
    ] {
        let done = run(&[&["explain"], arguments].concat());
        assert!(done.code == 2 && done.stderr.contains(expected), "{expected}: {done:?}");
    }
    let elsewhere = copy_of_the_example();
    let file = elsewhere.path().join("platform/policy.yaml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("builtIn: standard", "oci: {reference: 'ghcr.io/a/b:1'}")).unwrap();
    let done = run(&["explain", NAME, elsewhere.path().to_str().unwrap()]);
    assert!(done.code == 2 && done.stderr.contains("--module"), "{done:?}");
    let done = run(&["explain", NAME, elsewhere.path().to_str().unwrap(), "--module", "standard"]);
    assert_eq!(done.code, 1, "{done:?}");
}
