//! What a policy UI reads: a report in each namespace with names that are denied or give way.

use openmcp_dns_kube_memory::{Effect, Fault, Server, Verb};
use serde_json::{Value, json};

use crate::objects::{CLUSTER, CLUSTERS, DNS_POLICY, POLICY, REPORT, gateway, ingress, policy, route};
use crate::world::{World, events, eventually, requests, text, until};

const HOST: &str = "shop.w1.openmcp.cluster";
const DENIED: &str = "deny-me.w1.openmcp.cluster";

/// A cluster with a Gateway, which serves reports, under a policy that wants them.
async fn reported() -> (World, Server) {
    let (mut world, w1) = prepared(true).await;
    w1.register(REPORT.resource(), None);
    world.start();
    (world, w1)
}

async fn prepared(is_wanted: bool) -> (World, Server) {
    let world = World::empty().await;
    let w1 = world.add_cluster("w1");
    world.platform.put(policy(POLICY, json!({ "report": { "openReports": is_wanted } }))).unwrap();
    w1.put(gateway("10.0.0.1")).unwrap();
    (world, w1)
}

/// What it says of each name: result, rule and object.
fn results(w1: &Server) -> Vec<(String, String, String)> {
    let report = REPORT.get(w1, "default", "openmcp-dns").unwrap_or_default();
    let results = report["results"].as_array().cloned().unwrap_or_default();
    let of = |result: Value| {
        (text(&result["result"]), text(&result["rule"]), text(&result["resources"][0]["name"]))
    };
    results.into_iter().map(of).collect()
}

async fn say(w1: &Server, expected: &[(&str, &str, &str)]) {
    let own = |(a, b, c): &(&str, &str, &str)| ((*a).to_owned(), (*b).to_owned(), (*c).to_owned());
    let expected: Vec<_> = expected.iter().map(own).collect();
    eventually("the report says so", || {
        let said = results(w1);
        if said == expected { Ok(()) } else { Err(format!("{said:?}")) }
    })
    .await;
}

async fn no_report(w1: &Server) {
    until("there is no report", || REPORT.list(w1).is_empty()).await;
}

#[tokio::test]
async fn a_denial_and_a_conflict_are_reported_in_the_words_of_their_events_and_go_when_they_are_no_more() {
    let (world, w1) = reported().await;
    w1.put(route("bad", DENIED)).unwrap();
    w1.put(ingress("web", &[HOST], "10.0.0.2")).unwrap();
    world.published(HOST, &["10.0.0.2"]).await;
    say(&w1, &[("fail", "prefix-denied", "bad")]).await;
    w1.put(gateway("lb.example.com")).unwrap();
    w1.put(route("shop", HOST)).unwrap();
    say(&w1, &[("fail", "prefix-denied", "bad"), ("warn", "conflict", "shop")]).await;
    let report = REPORT.get(&w1, "default", "openmcp-dns").unwrap();
    assert_eq!(report["summary"], json!({ "pass": 0, "fail": 1, "warn": 1, "error": 0, "skip": 0 }));
    assert_eq!(report["metadata"]["labels"]["app.kubernetes.io/managed-by"], "openmcp-dns");
    assert_eq!((&report["source"], &report["results"][0]["policy"]), (&"openmcp-dns".into(), &POLICY.into()));
    let winner = &report["results"][1]["properties"]["publishedFor"];
    assert_eq!(*winner, "Ingress/default/web of cluster openmcp/w1");
    for (index, reason) in [(0, "HostNameDenied"), (1, "HostNameConflict")] {
        let message = text(&report["results"][index]["message"]);
        until("an Event says the same", || events(&w1, reason).iter().any(|event| event["note"] == message))
            .await;
    }
    for name in ["bad", "shop"] {
        crate::objects::HTTP_ROUTE.delete(&w1, "default", name);
    }
    no_report(&w1).await;
    world.published(HOST, &["10.0.0.2"]).await;
}

#[tokio::test]
async fn after_a_restart_nothing_is_written_that_stands_there_and_what_was_mended_meanwhile_goes() {
    let (mut world, w1) = reported().await;
    w1.put(route("bad", DENIED)).unwrap();
    say(&w1, &[("fail", "prefix-denied", "bad")]).await;
    world.stop().await;
    w1.forget_requests();
    world.start();
    world.all_is_well("w1").await;
    until("it is compared", || requests(&w1, Verb::Get, REPORT.plural) >= 1).await;
    // It is told of one more, and it is the only write.
    w1.put(route("worse", "deny-worse.w1.openmcp.cluster")).unwrap();
    say(&w1, &[("fail", "prefix-denied", "bad"), ("fail", "prefix-denied", "worse")]).await;
    assert_eq!(
        (requests(&w1, Verb::Create, REPORT.plural), requests(&w1, Verb::Update, REPORT.plural)),
        (0, 1)
    );
    world.stop().await;
    for name in ["bad", "worse"] {
        crate::objects::HTTP_ROUTE.delete(&w1, "default", name);
    }
    world.start();
    no_report(&w1).await;
}

#[tokio::test]
async fn nothing_is_reported_unless_the_policy_wants_it_and_all_goes_when_it_does_no_more_or_is_deleted() {
    let (mut world, w1) = prepared(false).await;
    w1.register(REPORT.resource(), None);
    world.start();
    w1.put(route("bad", DENIED)).unwrap();
    until("the denial is told", || !events(&w1, "HostNameDenied").is_empty()).await;
    assert!(REPORT.list(&w1).is_empty());
    let report = |is: bool| json!({ "report": { "openReports": is } });
    world.change_policy(POLICY, report(true)).await;
    say(&w1, &[("fail", "prefix-denied", "bad")]).await;
    world.change_policy(POLICY, report(false)).await;
    no_report(&w1).await;
    world.change_policy(POLICY, report(true)).await;
    say(&w1, &[("fail", "prefix-denied", "bad")]).await;
    DNS_POLICY.delete(&world.platform, "", POLICY);
    no_report(&w1).await;
}

#[tokio::test]
async fn a_crd_that_comes_later_and_goes_and_comes_again_is_no_trouble() {
    let (mut world, w1) = prepared(true).await;
    world.start();
    w1.put(route("bad", DENIED)).unwrap();
    let without = |status: &Value| status.to_string().contains("does not serve the reports");
    world.status_is("w1", "reports are not served", without).await;
    world.all_is_well("w1").await;
    w1.register(REPORT.resource(), None);
    say(&w1, &[("fail", "prefix-denied", "bad")]).await;
    world.status_is("w1", "reports are served", |status| !without(status)).await;
    assert!(w1.unregister("openreports.io", REPORT.plural));
    w1.put(route("worse", "deny-worse.w1.openmcp.cluster")).unwrap();
    world.status_is("w1", "reports are not served", without).await;
    w1.register(REPORT.resource(), None);
    say(&w1, &[("fail", "prefix-denied", "bad"), ("fail", "prefix-denied", "worse")]).await;
}

#[tokio::test]
async fn without_the_right_to_it_that_is_said_once_and_everything_else_goes_on() {
    let (mut world, w1) = prepared(true).await;
    w1.register(REPORT.resource(), None);
    w1.fail(Fault::new(Effect::Refuse(403)).kind(REPORT.plural));
    world.start();
    w1.put(route("bad", DENIED)).unwrap();
    w1.put(route("shop", HOST)).unwrap();
    let why = world.condition("w1", "Recorded", "True", "ReportsIncomplete").await;
    assert!(why.contains("deploy/cluster-access.yaml"), "{why}");
    world.published(HOST, &["10.0.0.1"]).await;
    assert_eq!(requests(&w1, Verb::List, REPORT.plural), 1, "it is asked again a minute later");
}

#[tokio::test]
async fn a_report_of_somebody_else_is_left_alone() {
    let (mut world, w1) = prepared(true).await;
    w1.register(REPORT.resource(), None);
    let theirs = json!({
        "apiVersion": "openreports.io/v1alpha1", "kind": "Report", "source": "theirs",
        "metadata": { "namespace": "default", "name": "openmcp-dns" },
    });
    let before = w1.put(theirs).unwrap();
    world.start();
    w1.put(route("bad", DENIED)).unwrap();
    until("it is looked at", || requests(&w1, Verb::Get, REPORT.plural) >= 1).await;
    world.all_is_well("w1").await;
    assert_eq!(REPORT.get(&w1, "default", "openmcp-dns").unwrap(), before);
    CLUSTER.delete(&world.platform, CLUSTERS, "w1");
    until("the Cluster is gone", || world.cluster("w1").is_none()).await;
    assert_eq!(REPORT.get(&w1, "default", "openmcp-dns").unwrap(), before);
}

#[tokio::test]
async fn reports_go_when_the_cluster_leaves() {
    let (world, w1) = reported().await;
    w1.put(route("bad", DENIED)).unwrap();
    say(&w1, &[("fail", "prefix-denied", "bad")]).await;
    CLUSTER.delete(&world.platform, CLUSTERS, "w1");
    until("the Cluster is gone", || world.cluster("w1").is_none()).await;
    assert!(REPORT.list(&w1).is_empty());
}
