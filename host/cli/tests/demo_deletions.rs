//! Deletions: large ones are held until they are confirmed, and a Cluster that is deleted is released.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::cell::{Cell, RefCell};
use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use serde_json::Value;
use support::{Running, copy_of_the_example, ingress};

/// As many names as the landscape shall have, from this one on.
fn many(first: usize, last: usize) -> String {
    (first..=last).fold(String::new(), |mut text, number| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "---\n{}", ingress(&format!("app{number}.workload01.openmcp.cluster")));
        text
    })
}

#[test]
fn half_of_a_clusters_names_are_withdrawn_when_somebody_confirms_it() {
    let landscape = copy_of_the_example();
    let file = landscape.path().join("workload01/many.yaml");
    fs::write(&file, many(1, 30)).unwrap();
    let mut demo = Running::start(landscape.path());
    fs::write(&file, many(16, 30)).unwrap();
    // Files are deleted one after the other, as with kubectl: the first few names may be gone before it shows
    // that they are many.
    let (gone, held) = (Cell::new(0), RefCell::new(Value::Null));
    demo.next_event(|event| {
        match event["event"].as_str() {
            Some("answered") => gone.set(gone.get() + 1),
            Some("held") => drop(held.replace(event.clone())),
            _ => {}
        }
        held.borrow()["names"].as_i64().is_some_and(|names| names + gone.get() == 15)
    });
    let held = held.take();
    assert!(gone.get() <= 10, "more than deletionGuard.freeNames");
    assert_eq!((&held["cluster"], &held["holdSeconds"]), (&"workload01".into(), &600.into()));
    assert_eq!(demo.ask("app1.workload01.openmcp.cluster"), ["172.18.201.77"]);

    let confirm = held["confirm"].as_str().unwrap();
    assert!(Command::new("sh").args(["-c", confirm]).status().unwrap().success());
    demo.event("answered", |event| event["name"] == "app1.workload01.openmcp.cluster");
    assert_eq!(demo.ask("app1.workload01.openmcp.cluster"), ["NXDOMAIN"]);
    assert_eq!(demo.ask("app30.workload01.openmcp.cluster"), ["172.18.201.77"]);
    demo.end("-TERM");
}

#[test]
fn a_deletion_goes_on_by_itself_when_nothing_has_changed_for_a_while() {
    let landscape = copy_of_the_example();
    let policy = landscape.path().join("platform/policy.yaml");
    let text = fs::read_to_string(&policy).unwrap();
    fs::write(&policy, format!("{text}  deletionGuard: {{freeNames: 0, holdSeconds: 1}}\n")).unwrap();
    let mut demo = Running::start(landscape.path());
    fs::remove_file(landscape.path().join("workload02/shop.yaml")).unwrap();
    let held = demo.event("held", |event| event["cluster"] == "workload02");
    assert_eq!((&held["names"], &held["holdSeconds"]), (&1.into(), &1.into()));
    demo.event("answered", |event| event["name"] == "shop.workload02.openmcp.cluster");
    demo.end("-TERM");
}

#[test]
fn a_deleted_cluster_is_released_and_begins_anew_when_it_comes_back() {
    let landscape = copy_of_the_example();
    let mut demo = Running::start(landscape.path());
    let clusters = landscape.path().join("platform/clusters.yaml");
    let text = fs::read_to_string(&clusters).unwrap();
    fs::write(&clusters, text.rsplit_once("---").unwrap().0).unwrap();
    // It comes back before it is gone: the object of before has to be released by its finalizer first.
    demo.event("problem", |event| event["file"] == "workload02");
    fs::write(&clusters, &text).unwrap();
    // It begins anew: its domain is decided, and its claims are told, as of a cluster that is new. Whether
    // a probe comes in between and finds its name gone is a matter of milliseconds.
    demo.all(&[
        ("domain", &|event| event["domain"] == "workload02.openmcp.cluster"),
        ("claim", &|event| event["cluster"] == "workload02" && event["state"] == "denied"),
    ]);
    demo.wait_until_answered("shop.workload02.openmcp.cluster");
    demo.end("-TERM");
}

#[test]
fn a_cluster_without_a_folder_gets_one_and_publishes() {
    let landscape = copy_of_the_example();
    let clusters = landscape.path().join("platform/clusters.yaml");
    let text = fs::read_to_string(&clusters).unwrap();
    let third = text.rsplit_once("---").unwrap().1.replace("workload02", "workload03");
    fs::write(&clusters, format!("{text}---{third}")).unwrap();
    let mut demo = Running::start(landscape.path());
    let cluster = &demo.started["clusters"][3];
    let reachable = &cluster["conditions"][0];
    assert!(reachable["message"].as_str().unwrap().contains("create the folder workload03/"), "{cluster}");

    fs::create_dir(landscape.path().join("workload03")).unwrap();
    let name = "app.workload03.openmcp.cluster";
    fs::write(landscape.path().join("workload03/app.yaml"), ingress(name)).unwrap();
    demo.event("answered", |event| event["name"] == name);
    assert_eq!(demo.ask(name), ["172.18.201.77"]);
    demo.end("-TERM");
}

#[test]
fn the_names_of_a_cluster_whose_folder_is_away_stay() {
    let (landscape, elsewhere) = (copy_of_the_example(), tempfile::tempdir().unwrap());
    let mut demo = Running::start(landscape.path());
    let (folder, away) = (landscape.path().join("workload01"), elsewhere.path().join("workload01"));
    let reachable = |status: &'static str| {
        move |event: &Value| {
            event["cluster"] == "workload01" && event["type"] == "Reachable" && event["status"] == status
        }
    };
    fs::rename(&folder, &away).unwrap();
    demo.event("condition", reachable("False"));
    assert_eq!(demo.ask("svc-abc123.workload01.openmcp.cluster"), ["172.18.201.1"]);
    // What has changed meanwhile counts when it is back.
    let name = "meanwhile.workload01.openmcp.cluster";
    fs::write(away.join("meanwhile.yaml"), ingress(name)).unwrap();
    fs::rename(&away, &folder).unwrap();
    demo.all(&[
        ("condition", &reachable("True")),
        ("answered", &|event| event["name"] == name && event["how"] == "added"),
    ]);
    demo.end("-TERM");
}
