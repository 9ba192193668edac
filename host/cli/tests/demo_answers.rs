//! Files that change while the demo runs change its answers.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fs;
use std::io::Write as _;

use support::{Running, copy_of_the_example, ingress};

const NAME: &str = "svc-abc123.workload01.openmcp.cluster";

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
    assert!(changed["afterMilliseconds"].as_f64().unwrap() < 5000.0, "{changed}");
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

/// As only a server that answers from memory can: CoreDNS's etcd plugin does not find a stored wildcard.
#[test]
fn a_wildcard_is_served_to_every_name_below_it() {
    let landscape = copy_of_the_example();
    let mut demo = Running::start(landscape.path());
    let file = landscape.path().join("workload01/ingress.yaml");
    let text = fs::read_to_string(&file).unwrap();
    let wildcard = text.replace("wiki.workload01.openmcp.cluster", "'*.workload01.openmcp.cluster'");
    fs::write(&file, wildcard).unwrap();
    demo.event("answered", |event| event["name"] == "*.workload01.openmcp.cluster");
    assert_eq!(demo.ask("any-name-at-all.workload01.openmcp.cluster"), ["172.18.201.20"]);
    demo.end("-TERM");
}

#[test]
fn an_alias_that_gives_no_address_is_not_answered_as_it_should_be() {
    let landscape = copy_of_the_example();
    let alias = |name: &str, target: &str| {
        let host = format!("{name}.workload01.openmcp.cluster");
        ingress(&host).replace("ip: 172.18.201.77", &format!("hostname: {target}"))
    };
    let aliases = [
        alias("lost", "nobody.workload01.openmcp.cluster"),
        alias("round", "about.workload01.openmcp.cluster"),
        alias("about", "round.workload01.openmcp.cluster"),
        alias("through", NAME),
        alias("outside", "lb.example.com"),
    ];
    fs::write(landscape.path().join("workload01/aliases.yaml"), aliases.join("---\n")).unwrap();
    let demo = Running::start_however(landscape.path(), &[]);
    let probes = demo.started["probes"].as_array().unwrap();
    for (name, verdict) in [
        ("lost", "mismatch"),
        ("round", "mismatch"),
        ("about", "mismatch"),
        ("through", "ok"),
        // Whether that has an address is for others to say.
        ("outside", "ok"),
    ] {
        let name = format!("{name}.workload01.openmcp.cluster");
        let probe = probes.iter().find(|probe| probe["name"] == *name).unwrap();
        assert_eq!(probe["verdict"], verdict, "{probe}");
    }
    demo.end("-TERM");
}
