//! What is taken back when a `Cluster` is deleted, and in which order.

use openmcp_dns_api::{CLUSTER_DOMAIN_ANNOTATION, ZONE_ANNOTATION};
use openmcp_dns_kube_memory::{Effect, Fault, Verb};
use serde_json::json;

use crate::objects::{
    CLUSTER, CLUSTER_DNS, CLUSTERS, CONFIG_MAP, COREFILE, DNS_POLICY, POLICY, SERVICE, cluster,
};
use crate::world::{World, corefile, forwards, requests, until};

const HOST: &str = "shop.w1.openmcp.cluster";

fn delete(world: &World) {
    CLUSTER.delete(&world.platform, CLUSTERS, "w1");
}

async fn gone(world: &World) {
    until("the Cluster is gone", || world.cluster("w1").is_none()).await;
}

fn has_status(world: &World) -> bool {
    CLUSTER_DNS.get(&world.platform, CLUSTERS, "w1").is_some()
}

#[tokio::test]
async fn everything_is_taken_back_and_the_finalizer_goes_last() {
    let (world, w1) = World::with_ingress(&[HOST]).await;
    let blocked = w1.fail(Fault::new(Effect::Refuse(500)).kind(CONFIG_MAP.plural).verbs([Verb::Patch]));
    delete(&world);
    // The records do not wait for a cluster that does not take its block back.
    world.published(HOST, &[]).await;
    let zone = || world.annotation("w1", ZONE_ANNOTATION);
    assert!(forwards(&w1) && zone().is_some() && has_status(&world) && world.is_held("w1"));

    let kept = Fault::new(Effect::Refuse(500)).kind(CLUSTER_DNS.plural).verbs([Verb::Delete]);
    let kept = world.platform.fail(kept);
    w1.heal(blocked);
    // One write for each of them.
    let domain = || world.annotation("w1", CLUSTER_DOMAIN_ANNOTATION);
    until("the annotations are gone", || zone().is_none() && domain().is_none()).await;
    assert_eq!(corefile(&w1), COREFILE);
    assert!(has_status(&world) && world.is_held("w1"));

    world.platform.heal(kept);
    gone(&world).await;
    assert!(!has_status(&world));
    assert_eq!(world.names(), Default::default());
}

#[tokio::test]
async fn a_cluster_that_cannot_be_reached_is_not_released_early() {
    let (world, w1) = World::with_ingress(&[HOST]).await;
    w1.fail(Fault::new(Effect::Disconnect));
    w1.drop_watches();
    delete(&world);
    world.published(HOST, &[]).await;
    w1.forget_requests();
    until("taking back is tried again", || requests(&w1, Verb::List, SERVICE.plural) >= 2).await;
    assert!(world.is_held("w1") && has_status(&world));
    w1.heal_all();
    gone(&world).await;
    assert_eq!(corefile(&w1), COREFILE);
}

#[tokio::test]
async fn a_cluster_that_is_made_anew_under_its_name_is_looked_after_anew() {
    let (world, _) = World::with_ingress(&[HOST]).await;
    let first = world.cluster("w1").unwrap()["metadata"]["uid"].clone();
    delete(&world);
    gone(&world).await;
    world.platform.put(cluster("w1", json!({}))).unwrap();
    until("the new one has our finalizer", || world.is_held("w1")).await;
    assert_ne!(world.cluster("w1").unwrap()["metadata"]["uid"], first);
    world.published(HOST, &["10.0.0.1"]).await;
}

#[tokio::test]
async fn a_cluster_that_is_made_anew_while_the_old_one_is_cleaned_up_waits_for_its_turn() {
    let (world, w1) = World::with_ingress(&[HOST]).await;
    let blocked = w1.fail(Fault::new(Effect::Refuse(500)).kind(CONFIG_MAP.plural).verbs([Verb::Patch]));
    CLUSTER.vanish(&world.platform, CLUSTERS, "w1");
    world.published(HOST, &[]).await;
    world.platform.put(cluster("w1", json!({}))).unwrap();
    w1.forget_requests();
    until("the block is tried again", || requests(&w1, Verb::Patch, CONFIG_MAP.plural) > 0).await;
    assert!(!world.is_held("w1") && world.names().is_empty());
    w1.heal(blocked);
    world.published(HOST, &["10.0.0.1"]).await;
    assert!(world.is_held("w1"));
    until("it forwards", || forwards(&w1)).await;
}

#[tokio::test]
async fn finalizers_of_others_stay() {
    let (world, _) = World::with_ingress(&[HOST]).await;
    let both = json!(["example.com/hold", openmcp_dns_api::FINALIZER]);
    world.change_cluster("w1", json!({ "metadata": { "finalizers": both } })).await;
    delete(&world);
    until("ours is gone", || !world.is_held("w1")).await;
    let left = world.cluster("w1").unwrap()["metadata"]["finalizers"].clone();
    assert_eq!(left, json!(["example.com/hold"]));
    assert!(!world.holds(HOST) && !has_status(&world));
}

#[tokio::test]
async fn a_cluster_whose_finalizer_somebody_removed_is_cleaned_up_all_the_same() {
    let (world, w1) = World::with_ingress(&[HOST]).await;
    CLUSTER.vanish(&world.platform, CLUSTERS, "w1");
    world.published(HOST, &[]).await;
    until("the block is gone", || !forwards(&w1)).await;
    until("the status is gone", || !has_status(&world)).await;
}

#[tokio::test]
async fn a_cluster_is_cleaned_up_without_its_policy_and_by_another_life_of_the_service() {
    let (mut world, w1) = World::with_ingress(&[HOST]).await;
    world.stop().await;
    DNS_POLICY.delete(&world.platform, "", POLICY);
    delete(&world);
    assert!(world.is_held("w1"));
    world.start();
    gone(&world).await;
    assert_eq!((corefile(&w1).as_str(), world.holds(HOST)), (COREFILE, false));
}

#[tokio::test]
async fn one_cluster_that_leaves_takes_nothing_of_another() {
    let (world, _) = World::with_ingress(&[HOST]).await;
    let w2 = world.add_cluster("w2");
    w2.put(crate::objects::ingress("web", &["shop.w2.openmcp.cluster"], "10.0.0.2")).unwrap();
    world.published("shop.w2.openmcp.cluster", &["10.0.0.2"]).await;
    world.all_is_well("w2").await;
    delete(&world);
    gone(&world).await;
    assert!(world.holds("shop.w2.openmcp.cluster") && forwards(&w2));
}

#[tokio::test]
async fn records_of_a_cluster_that_vanished_unseen_stay_and_the_policy_names_their_owner() {
    let (mut world, _) = World::with_ingress(&[HOST]).await;
    let known = world.policy_condition(POLICY, "OwnersKnown", "True", "Succeeded").await;
    assert_eq!(known, "all records of the zone belong to a Cluster");
    world.stop().await;
    CLUSTER.vanish(&world.platform, CLUSTERS, "w1");
    world.start();
    let message = world.policy_condition(POLICY, "OwnersKnown", "False", "UnknownOwners").await;
    assert!(message.contains(&format!("openmcp.cluster/{CLUSTERS}/w1 (1 names)")), "{message}");
    assert!(world.metrics().await.contains("openmcp_dns_unknown_owner_names 1\n"));
    assert!(world.holds(HOST));
    world.platform.put(cluster("w1", json!({}))).unwrap();
    world.policy_condition(POLICY, "OwnersKnown", "True", "Succeeded").await;
    assert!(world.holds(HOST));
}
