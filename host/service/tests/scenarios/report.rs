//! What people are told: Events, and the status of clusters and policies.

use openmcp_dns_api::CLUSTER_DOMAIN_ANNOTATION;
use openmcp_dns_kube_memory::Verb;
use serde_json::{Value, json};

use crate::objects::{CLUSTER, CLUSTERS, POLICY, gateway, ingress, policy, route, stage};
use crate::world::{World, events, requests, text, transition, until};

const HOST: &str = "shop.w1.openmcp.cluster";

#[tokio::test]
async fn the_author_of_a_denied_route_is_told_once() {
    let (world, w1) = World::with_one_cluster().await;
    w1.put(gateway("10.0.0.7")).unwrap();
    let denied = w1.put(route("denied", "deny-me.w1.openmcp.cluster")).unwrap();
    until("there is an Event", || !events(&w1, "HostNameDenied").is_empty()).await;
    let event = events(&w1, "HostNameDenied").remove(0);
    let note = event["note"].as_str().unwrap();
    assert!(note.starts_with("\"deny-me.w1.openmcp.cluster\" is not published (prefix-denied): "), "{note}");
    assert_eq!((&event["type"], &event["action"]), (&json!("Warning"), &json!("Publish")));
    let regarding = &event["regarding"];
    let expected = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "namespace": "default", "name": "denied", "uid": denied["metadata"]["uid"],
    });
    assert_eq!(*regarding, expected);
    assert_eq!(event["metadata"]["namespace"], "default");

    // A watch that begins anew with a list says nothing that was not said before.
    w1.expire_history();
    w1.put(route("later", "deny-it.w1.openmcp.cluster")).unwrap();
    until("the later one is told", || events(&w1, "HostNameDenied").len() > 1).await;
    let all = events(&w1, "HostNameDenied");
    assert_eq!(all.len(), 2, "{all:#?}");
    assert!(all.iter().all(|event| event["series"].is_null()), "{all:#?}");

    // What is said again counts in the Event that says it.
    w1.put(route("later", "allowed.w1.openmcp.cluster")).unwrap();
    world.published("allowed.w1.openmcp.cluster", &["10.0.0.7"]).await;
    w1.put(route("later", "deny-it.w1.openmcp.cluster")).unwrap();
    let counts = || -> Vec<i64> {
        events(&w1, "HostNameDenied").iter().filter_map(|event| event["series"]["count"].as_i64()).collect()
    };
    until("it is counted", || counts() == [2]).await;
    assert_eq!(events(&w1, "HostNameDenied").len(), 2);
}

#[tokio::test]
async fn who_gives_way_to_another_is_told() {
    let (world, w1) = World::with_ingress(&[HOST]).await;
    w1.put(ingress("alias", &[HOST], "elsewhere.example.com")).unwrap();
    until("there is an Event", || !events(&w1, "HostNameConflict").is_empty()).await;
    let event = events(&w1, "HostNameConflict").remove(0);
    assert_eq!(
        (&event["regarding"]["kind"], &event["regarding"]["name"]),
        (&json!("Ingress"), &json!("alias"))
    );
    assert!(event["note"].as_str().unwrap().contains("a CNAME cannot stand beside"), "{event:#}");
    let status = world.status_is("w1", "the conflict is counted", |status| status["conflicts"] == 1).await;
    assert_eq!(status["problems"][0]["code"], "conflict", "{status:#}");
    world.published(HOST, &["10.0.0.1"]).await;
}

#[tokio::test]
async fn claims_are_counted_and_at_most_twenty_problems_are_listed() {
    let denied: Vec<String> = (0..25).map(|number| format!("deny-{number:02}.w1.openmcp.cluster")).collect();
    let (world, w1) = World::with_ingress(&[HOST]).await;
    let denied: Vec<&str> = denied.iter().map(String::as_str).collect();
    w1.put(ingress("denied", &denied, "10.0.0.1")).unwrap();
    w1.put(ingress("outside", &["shop.example.com"], "10.0.0.1")).unwrap();
    let status = world.status_is("w1", "all claims are counted", |status| status["denied"] == 26).await;
    assert_eq!(status["published"], 1);
    assert_eq!(status["problems"].as_array().unwrap().len(), 20, "{status:#}");
    let problem = &status["problems"][0];
    assert_eq!(problem["source"], "Ingress/default/denied");
    assert_eq!((&problem["hostName"], &problem["code"]), (&json!(denied[0]), &json!("prefix-denied")));
}

#[tokio::test]
async fn a_policy_counts_what_its_clusters_have() {
    let (world, w1) = World::with_ingress(&[HOST]).await;
    let w2 = world.add_cluster("w2");
    w2.put(ingress("web", &["a.w2.openmcp.cluster", "deny-b.w2.openmcp.cluster"], "10.0.0.2")).unwrap();
    let counts = |status: &Value| ["clusters", "published", "denied"].map(|count| status[count].as_i64());
    let expected = [Some(2), Some(2), Some(1)];
    world.policy_status_is(POLICY, "both clusters are counted", |status| counts(status) == expected).await;
    w1.put(ingress("more", &["more.w1.openmcp.cluster"], "10.0.0.1")).unwrap();
    let expected = [Some(2), Some(3), Some(1)];
    world.policy_status_is(POLICY, "the new one is counted", |status| counts(status) == expected).await;
    CLUSTER.delete(&world.platform, CLUSTERS, "w2");
    let expected = [Some(1), Some(2), Some(0)];
    world.policy_status_is(POLICY, "the one that left is not", |status| counts(status) == expected).await;
}

#[tokio::test]
async fn a_condition_that_stays_as_it_is_keeps_its_time() {
    let (world, w1) = World::with_ingress(&[HOST]).await;
    let before = world.status("w1");
    let second = || k8s_openapi::jiff::Timestamp::now().as_second();
    let began = second();
    // Times are whole seconds: only in a later one, another time would be another text.
    until("a second has passed", || second() > began + 1).await;
    w1.put(ingress("more", &["more.w1.openmcp.cluster"], "10.0.0.1")).unwrap();
    let after = world.status_is("w1", "the claim is counted", |status| status["published"] == 2).await;
    for condition in ["Reachable", "Forwarded", "Annotated"] {
        assert_eq!(transition(&after, condition), transition(&before, condition), "{condition}");
    }
}

#[tokio::test]
async fn the_status_of_a_cluster_is_written_only_when_it_says_something_new() {
    let (world, _) = World::with_ingress(&[HOST]).await;
    world.platform.forget_requests();
    // Each of them leads to a look, and nothing is to be said.
    for number in 0..5 {
        world
            .change_cluster("w1", json!({ "metadata": { "labels": { "number": number.to_string() } } }))
            .await;
    }
    world.change_cluster("w1", json!({ "spec": { "tenancy": "Shared" } })).await;
    world.status_is("w1", "the last change was looked at", |status| status["observedGeneration"] == 2).await;
    assert_eq!(requests(&world.platform, Verb::Patch, "clusterdnses/status"), 1);
}

#[tokio::test]
async fn the_status_of_a_policy_is_written_only_when_it_says_something_new() {
    let (world, _) = World::with_ingress(&[HOST]).await;
    world.platform.put(policy("idle", stage("none"))).unwrap();
    world.policy_condition("idle", "Ready", "True", "Succeeded").await;
    world.policy_status_is(POLICY, "it is counted", |status| status["published"] == 1).await;
    world.platform.forget_requests();
    // All policies are looked at together, and of the other one there is nothing to be said.
    for generation in 2..4 {
        world.change_policy("idle", json!({ "deletionGuard": { "freeNames": generation } })).await;
        let seen = |status: &Value| status["observedGeneration"] == generation;
        world.policy_status_is("idle", "the change was looked at", seen).await;
    }
    assert_eq!(requests(&world.platform, Verb::Patch, "dnspolicies/status"), 2);
}

#[tokio::test]
async fn the_cluster_has_events_of_how_it_stands_with_it_and_a_restart_is_none() {
    let (mut world, _) = World::with_ingress(&[HOST]).await;
    let told = |world: &World, reason: &str| -> Vec<(String, String)> {
        let of_cluster = |event: &Value| event["regarding"]["kind"] == "Cluster";
        let all = events(&world.platform, reason).into_iter().filter(of_cluster);
        all.map(|event| (text(&event["type"]), text(&event["note"]))).collect()
    };
    until("that all is well is told", || told(&world, "Reconciled").len() == 1).await;
    assert_eq!(told(&world, "Reconciled")[0].0, "Normal");

    let theirs =
        json!({ "metadata": { "annotations": { CLUSTER_DOMAIN_ANNOTATION: "theirs.example.com" } } });
    let none = json!({ "metadata": { "annotations": { CLUSTER_DOMAIN_ANNOTATION: null } } });
    world.change_cluster("w1", theirs).await;
    until("that it is not is told", || told(&world, "ConfigurationProblem").len() == 1).await;
    let (kind, note) = told(&world, "ConfigurationProblem").remove(0);
    assert!(
        kind == "Warning" && note.starts_with("Annotated: ") && note.ends_with("(ForeignValue)"),
        "{note}"
    );

    world.change_cluster("w1", none).await;
    let again = |world: &World| events(&world.platform, "Reconciled")[0]["series"]["count"].clone();
    until("that it is again is told", || again(&world) == json!(2)).await;
    world.stop().await;
    world.start();
    world.all_is_well("w1").await;
    world.change_policy(POLICY, json!({ "deletionGuard": { "freeNames": 5 } })).await;
    world.policy_status_is(POLICY, "it was looked at", |status| status["observedGeneration"] == 2).await;
    assert_eq!(again(&world), json!(2));
}
