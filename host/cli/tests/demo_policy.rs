//! DNSPolicies of the landscape: their rules and zones, as in production.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fs;

use support::{Running, copy_of_the_example, ingress};

const NAME: &str = "svc-abc123.workload01.openmcp.cluster";

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
    fs::write(&policy, format!("{text}{shared}")).unwrap();
    demo.event("solved", |event| event["file"] == "platform/policy.yaml");
    demo.end("-TERM");
}

#[test]
fn a_second_policy_has_a_zone_of_its_own() {
    let landscape = copy_of_the_example();
    fs::write(landscape.path().join("workload02/app.yaml"), ingress("app.workload02.other.example")).unwrap();
    let mut demo = Running::start(landscape.path());
    assert_eq!(demo.ask("app.workload02.other.example"), ["error: DNS error: error response: Query Refused"]);
    let policies = "apiVersion: dns.openmcp.cloud/v1alpha1\nkind: DNSPolicy\nmetadata: {name: landscape}\n\
         spec: {baseDomain: openmcp.cluster, clusterSelector: {matchPurposes: [{operator: ContainsNone, values: [other]}], \
         matchLabels: {}, matchExpressions: [{key: zone, operator: DoesNotExist}]}}\n---\n\
         apiVersion: dns.openmcp.cloud/v1alpha1\nkind: DNSPolicy\nmetadata: {name: other}\n\
         spec: {baseDomain: other.example}\n";
    fs::write(landscape.path().join("platform/policy.yaml"), policies).unwrap();
    demo.event("module", |event| event["policy"] == "other");
    let clusters = landscape.path().join("platform/clusters.yaml");
    let text = fs::read_to_string(&clusters).unwrap();
    let labelled = text.replace("name: workload02", "name: workload02\n  labels: {zone: other}");
    fs::write(&clusters, labelled).unwrap();
    let added = demo.event("answered", |event| event["name"] == "app.workload02.other.example");
    assert_eq!(added["now"], "A 172.18.201.77");
    assert_eq!(demo.ask("app.workload02.other.example"), ["172.18.201.77"]);
    assert_eq!(demo.ask("nobody.other.example"), ["NXDOMAIN"]);
    assert_eq!(demo.ask(NAME), ["172.18.201.1"]);
    demo.end("-TERM");
}

#[test]
fn the_names_of_a_policy_move_with_its_zone() {
    let landscape = copy_of_the_example();
    fs::write(landscape.path().join("workload01/new.yaml"), ingress("app.workload01.new.example")).unwrap();
    let mut demo = Running::start(landscape.path());
    let policy = landscape.path().join("platform/policy.yaml");
    let text = fs::read_to_string(&policy).unwrap();
    fs::write(&policy, text.replace("baseDomain: openmcp.cluster", "baseDomain: new.example")).unwrap();
    let added = demo.event("answered", |event| event["name"] == "app.workload01.new.example");
    assert_eq!((&added["how"], &added["cause"]["object"]), (&"added".into(), &"DNSPolicy/landscape".into()));
    assert_eq!(demo.ask("app.workload01.new.example"), ["172.18.201.77"]);
    demo.end("-TERM");
}

#[test]
fn a_landscape_without_a_policy_has_the_defaults_until_it_has_one() {
    let landscape = copy_of_the_example();
    let policy = landscape.path().join("platform/policy.yaml");
    let text = fs::read_to_string(&policy).unwrap();
    fs::remove_file(&policy).unwrap();
    let mut demo = Running::start(landscape.path());
    assert_eq!(demo.started["policies"][0]["isDefault"], true);
    fs::write(&policy, text).unwrap();
    demo.event("module", |event| event["policy"] == "landscape");
    assert_eq!(demo.ask(NAME), ["172.18.201.1"]);
    demo.end("-TERM");
}
