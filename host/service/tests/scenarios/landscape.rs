//! Which clusters are looked after, under which policy, and when.

use openmcp_dns_api::ZONE_ANNOTATION;
use openmcp_dns_kube_memory::{Effect, Fault, Server, Verb};
use openmcp_dns_service::inventory::Access;
use serde_json::json;

use crate::objects::{CLUSTER, CLUSTERS, DNS_POLICY, POLICY, ingress, policy, stage};
use crate::world::{World, changes_beside_the_status, corefile, requests, until};

const HOST: &str = "shop.w1.openmcp.cluster";

#[tokio::test]
async fn a_cluster_stands_under_the_oldest_policy_that_selects_it() {
    let mut world = World::empty().await;
    world.platform.put(policy("z-is-the-oldest", json!({}))).unwrap();
    world.platform.put(policy("a-is-younger", json!({}))).unwrap();
    world.add_cluster("w1");
    world.start();
    world.all_is_well("w1").await;
    assert_eq!(world.status("w1")["policy"], "z-is-the-oldest");
    world.policy_status_is("z-is-the-oldest", "it has the cluster", |status| status["clusters"] == 1).await;
    world.policy_status_is("a-is-younger", "it has none", |status| status["clusters"] == 0).await;
}

#[tokio::test]
async fn a_policy_whose_zone_lies_inside_of_an_older_one_governs_nothing_until_that_is_gone() {
    let mut world = World::empty().await;
    world.platform.put(policy("outer", stage("outer"))).unwrap();
    let mut inner = stage("inner");
    inner["baseDomain"] = json!("dev.openmcp.cluster");
    world.platform.put(policy("inner", inner)).unwrap();
    let w1 = world.add_cluster_with("w1", json!({ "labels": { "stage": "outer" } }));
    w1.put(ingress("web", &[HOST], "10.0.0.1")).unwrap();
    let w2 = world.add_cluster_with("w2", json!({ "labels": { "stage": "inner" } }));
    w2.put(ingress("web", &["shop.w2.dev.openmcp.cluster"], "10.0.0.2")).unwrap();
    world.start();
    let message = world.policy_condition("inner", "Ready", "False", "ZoneConflict").await;
    assert!(
        message.contains("inside of openmcp.cluster") && message.contains("DNSPolicy outer"),
        "{message}"
    );
    world.policy_condition("outer", "Ready", "True", "Succeeded").await;
    world.published(HOST, &["10.0.0.1"]).await;
    assert!(!world.is_held("w2") && w2.requests().is_empty());

    DNS_POLICY.delete(&world.platform, "", "outer");
    world.policy_condition("inner", "Ready", "True", "Succeeded").await;
    world.published("shop.w2.dev.openmcp.cluster", &["10.0.0.2"]).await;
    assert!(world.holds(HOST), "its cluster has no policy any more, and loses nothing");
}

#[tokio::test]
async fn a_cluster_that_comes_later_is_looked_after_as_the_first() {
    let (world, _) = World::with_one_cluster().await;
    world.all_is_well("w1").await;
    let later = world.add_cluster("later");
    later.put(ingress("web", &["shop.later.openmcp.cluster"], "10.0.0.9")).unwrap();
    world.published("shop.later.openmcp.cluster", &["10.0.0.9"]).await;
    world.all_is_well("later").await;
    assert!(world.is_held("later"));
}

#[tokio::test]
async fn a_cluster_whose_labels_change_gets_another_policy_or_none_and_its_records_stay() {
    let mut world = World::empty().await;
    for name in ["test", "live"] {
        world.platform.put(policy(name, stage(name))).unwrap();
    }
    let w1 = world.add_cluster_with("w1", json!({ "labels": { "stage": "test" } }));
    w1.put(ingress("web", &[HOST], "10.0.0.1")).unwrap();
    world.start();
    world.published(HOST, &["10.0.0.1"]).await;
    world.status_is("w1", "the first policy holds", |status| status["policy"] == "test").await;

    world.change_cluster("w1", json!({ "metadata": { "labels": { "stage": "live" } } })).await;
    world.status_is("w1", "the other policy holds", |status| status["policy"] == "live").await;
    assert!(world.holds(HOST));

    world.change_cluster("w1", json!({ "metadata": { "labels": { "stage": null } } })).await;
    let message = world.condition("w1", "Recorded", "False", "NoPolicy").await;
    assert!(message.contains("what is published stays"), "{message}");
    assert!(world.holds(HOST));

    // It is looked after again, and what has changed meanwhile is taken up.
    w1.put(ingress("web", &[HOST], "10.0.0.2")).unwrap();
    world.change_cluster("w1", json!({ "metadata": { "labels": { "stage": "test" } } })).await;
    world.published(HOST, &["10.0.0.2"]).await;
}

#[tokio::test]
async fn a_cluster_that_moves_to_another_zone_while_the_service_is_down_takes_all_along_over_restarts() {
    let mut world = World::empty().await;
    world.platform.put(policy("old", stage("old"))).unwrap();
    let mut new = stage("new");
    new["baseDomain"] = json!("other.cluster");
    new["deletionGuard"] = json!({ "holdSeconds": 600 });
    world.platform.put(policy("new", new)).unwrap();
    let w1 = world.add_cluster_with("w1", json!({ "labels": { "stage": "old" } }));
    let moved = "shop.w1.other.cluster";
    w1.put(ingress("web", &[HOST, moved], "10.0.0.1")).unwrap();
    world.start();
    world.published(HOST, &["10.0.0.1"]).await;
    until("the old zone is forwarded", || corefile(&w1).contains("openmcp.cluster")).await;
    until("the old zone is noted", || world.annotation("w1", ZONE_ANNOTATION).is_some()).await;

    world.stop().await;
    world.change_cluster("w1", json!({ "metadata": { "labels": { "stage": "new" } } })).await;
    world.start();
    world.published(moved, &["10.0.0.1"]).await;
    world.condition("w1", "Recorded", "False", "DeletionHeld").await;
    until("the new zone is noted", || {
        world.annotation("w1", ZONE_ANNOTATION).as_deref() == Some("other.cluster")
    })
    .await;
    assert_eq!(world.status("w1")["leftZones"], json!(["openmcp.cluster"]));
    until("the old zone is not forwarded", || !corefile(&w1).contains("openmcp.cluster {")).await;

    world.stop().await;
    world.change_policy("new", json!({ "deletionGuard": { "holdSeconds": 1 } })).await;
    world.start();
    world.published(HOST, &[]).await;
    let is_done = |status: &serde_json::Value| status["leftZones"] == json!(null);
    world.status_is("w1", "nothing is left in the old zone", is_done).await;
    assert!(world.holds(moved) && corefile(&w1).contains("other.cluster"));
}

#[tokio::test]
async fn a_policy_that_is_deleted_takes_no_record_with_it() {
    let (world, w1) = World::with_ingress(&[HOST]).await;
    let before = world.names();
    DNS_POLICY.delete(&world.platform, "", POLICY);
    world.condition("w1", "Recorded", "False", "NoPolicy").await;
    // What goes on in the cluster changes nothing either.
    w1.put(ingress("other", &["other.w1.openmcp.cluster"], "10.0.0.1")).unwrap();
    assert_eq!(world.names(), before);
    assert!(world.is_held("w1"), "there are records to be taken back one day");

    world.platform.put(policy(POLICY, json!({}))).unwrap();
    world.published("other.w1.openmcp.cluster", &["10.0.0.1"]).await;
    assert!(world.holds(HOST));
}

/// A landscape with a list that cannot be read: nothing happens until it can.
async fn nothing_happens_without(kind: crate::objects::Kind) {
    let mut world = World::empty().await;
    world.platform.put(policy(POLICY, json!({}))).unwrap();
    let w1 = world.add_cluster("w1");
    w1.put(ingress("web", &[HOST], "10.0.0.1")).unwrap();
    let fault = Fault::new(Effect::Refuse(503)).kind(kind.plural).verbs([Verb::List]);
    let fault = world.platform.fail(fault);
    world.start();
    let others = [CLUSTER, DNS_POLICY].into_iter().filter(|other| other.plural != kind.plural);
    for other in others {
        until("the other list is read", || requests(&world.platform, Verb::Watch, other.plural) > 0).await;
    }
    until("the list is asked for again", || requests(&world.platform, Verb::List, kind.plural) > 1).await;
    assert_nothing_was_done(&world, &w1).await;

    world.platform.heal(fault);
    world.published(HOST, &["10.0.0.1"]).await;
    assert!(world.is_ready().await && world.lives().await);
}

async fn assert_nothing_was_done(world: &World, w1: &Server) {
    assert!(!world.is_ready().await);
    assert!(!world.is_held("w1"));
    assert_eq!(changes_beside_the_status(&world.platform), []);
    assert_eq!((world.status("w1"), w1.requests().len(), world.transactions()), (json!(null), 0, 0));
}

#[tokio::test]
async fn nothing_happens_before_the_policies_are_known() {
    nothing_happens_without(DNS_POLICY).await;
}

#[tokio::test]
async fn nothing_happens_before_the_clusters_are_known() {
    nothing_happens_without(CLUSTER).await;
}

#[tokio::test]
async fn nothing_happens_before_the_access_to_clusters_is_known() {
    let mut world = World::empty().await;
    world.platform.put(policy(POLICY, json!({}))).unwrap();
    let w1 = world.add_cluster("w1");
    w1.put(ingress("web", &[HOST], "10.0.0.1")).unwrap();
    world.access.keep_silent();
    world.start_without_access();
    // The policy's own status does not wait for it.
    world.policy_condition(POLICY, "Ready", "True", "Succeeded").await;
    assert!(!world.is_ready().await && !world.is_held("w1"));
    assert_eq!((w1.requests().len(), world.transactions()), (0, 0));

    world.access.grant("w1", Access::by_client("w1", w1.client(), 1));
    world.published(HOST, &["10.0.0.1"]).await;
    assert!(world.is_ready().await);
}

#[tokio::test]
async fn a_watch_of_the_platform_that_is_lost_or_too_old_misses_nothing() {
    let (world, w1) = World::with_ingress(&[HOST]).await;
    world.platform.expire_history();
    let w2 = world.add_cluster("w2");
    w2.put(ingress("web", &["shop.w2.openmcp.cluster"], "10.0.0.2")).unwrap();
    world.published("shop.w2.openmcp.cluster", &["10.0.0.2"]).await;
    world.platform.drop_watches();
    CLUSTER.delete(&world.platform, CLUSTERS, "w2");
    world.published("shop.w2.openmcp.cluster", &[]).await;
    assert!(world.holds(HOST), "{:?}", w1.requests());
}

#[tokio::test]
async fn a_part_that_fails_ends_the_service_with_the_reason() {
    let (mut world, _) = World::with_one_cluster().await;
    world.all_is_well("w1").await;
    assert!(world.lives().await);
    world.access.break_down();
    let why = world.failed().await;
    assert!(why.contains("its inventory of access has ended (panic: the test wants it)"), "{why}");
    assert!(!world.lives().await, "nobody answers any more");
}
