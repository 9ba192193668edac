//! Several replicas of the service: one leads, the others stand by.

use std::collections::BTreeMap;

use openmcp_dns_core::leadership::{Leader, LeaderKey};
use openmcp_dns_kube_memory::{Server, Verb};
use openmcp_dns_store::{Backup, Store as _};
use serde_json::json;

use crate::objects::{CLUSTER, CLUSTERS, INGRESS, POLICY, ingress, policy};
use crate::replica::Replica;
use crate::world::{World, requests, until};

const HOST: &str = "shop.w1.openmcp.cluster";
const ANOTHER: &str = "another.w1.openmcp.cluster";

/// A landscape that one replica leads, and another one that has seen all of it and stands by.
async fn leader_and_standby() -> (World, Server, Replica, Replica) {
    let world = World::empty().await;
    world.platform.put(policy(POLICY, json!({}))).unwrap();
    let w1 = world.add_cluster("w1");
    w1.put(ingress("web", &[HOST], "10.0.0.1")).unwrap();
    world.access.say_something();
    let first = Replica::start(&world, "first");
    world.published(HOST, &["10.0.0.1"]).await;
    world.all_is_well("w1").await;
    let watches = requests(&w1, Verb::Watch, INGRESS.plural);
    let second = Replica::start(&world, "second");
    until("the standby watches the cluster", || requests(&w1, Verb::Watch, INGRESS.plural) > watches).await;
    (world, w1, first, second)
}

/// What was asked to be written to a cluster, and how often.
fn writes(server: &Server) -> BTreeMap<(Verb, String), u64> {
    server.requests().into_iter().filter(|((verb, _), _)| verb.writes()).collect()
}

#[tokio::test]
async fn a_standby_knows_all_and_writes_nothing_until_the_leader_hands_over() {
    let (world, w1, first, second) = leader_and_standby().await;
    let before = (writes(&w1), world.transactions());
    // What changes meanwhile the leader writes, once.
    w1.put(ingress("another", &[ANOTHER], "10.0.0.2")).unwrap();
    world.published(ANOTHER, &["10.0.0.2"]).await;
    world.status_is("w1", "both are counted", |status| status["published"] == 2).await;
    assert_eq!((writes(&w1), world.transactions()), (before.0, before.1 + 1));
    assert_eq!((first.leads(), second.leads(), second.written()), (true, false, 0));

    first.stop().await;
    until("the standby leads", || second.leads()).await;
    w1.put(ingress("web", &[HOST], "10.0.0.9")).unwrap();
    world.published(HOST, &["10.0.0.9"]).await;
    assert_eq!(world.transactions(), before.1 + 2, "what the first has written is not written again");
    world.all_is_well("w1").await;
    second.stop().await;
}

#[tokio::test]
async fn a_leader_that_dies_is_followed_by_a_standby_that_catches_up_with_what_it_missed() {
    let (world, w1, first, second) = leader_and_standby().await;
    first.kill().await;
    w1.put(ingress("another", &[ANOTHER], "10.0.0.2")).unwrap();
    world.published(ANOTHER, &["10.0.0.2"]).await;
    assert!(second.leads());
    world.status_is("w1", "both are counted", |status| status["published"] == 2).await;
    second.stop().await;
}

#[tokio::test]
async fn a_cluster_that_the_leader_releases_is_left_alone_by_the_standby_and_by_the_leader_it_becomes() {
    let (world, _w1, first, second) = leader_and_standby().await;
    CLUSTER.delete(&world.platform, CLUSTERS, "w1");
    until("the cluster is released", || world.cluster("w1").is_none()).await;
    world.published(HOST, &[]).await;
    first.stop().await;
    until("the standby leads", || second.leads()).await;
    let w2 = world.add_cluster("w2");
    w2.put(ingress("web", &["shop.w2.openmcp.cluster"], "10.0.0.3")).unwrap();
    world.published("shop.w2.openmcp.cluster", &["10.0.0.3"]).await;
    assert!(!world.holds(HOST));
    second.stop().await;
}

#[tokio::test]
async fn who_finds_another_leader_in_the_store_ends_and_writes_nothing() {
    let (mut world, w1) = World::with_ingress(&[HOST]).await;
    let key = LeaderKey::of_platform("test");
    let (Some(leader), fence) = world.store.leader(&key).await.unwrap() else { panic!("nobody leads") };
    let other = Leader { term: leader.term + 1, holder: "other".to_owned() };
    world.store.lead(&fence, &other).await.unwrap();
    let transactions = world.transactions();
    w1.put(ingress("another", &[ANOTHER], "10.0.0.2")).unwrap();
    let why = world.failed().await;
    assert!(why.contains("the lead is lost: other in term 2 writes to the store now"), "{why}");
    assert_eq!((world.transactions(), world.holds(ANOTHER)), (transactions, false));
}

#[tokio::test]
async fn a_store_that_has_lost_everything_is_led_again_by_the_same_leader() {
    let (world, w1) = World::with_ingress(&[HOST]).await;
    world.store.restore_backup(Backup::default());
    w1.put(ingress("another", &[ANOTHER], "10.0.0.2")).unwrap();
    world.published(ANOTHER, &["10.0.0.2"]).await;
    world.published(HOST, &["10.0.0.1"]).await;
}
