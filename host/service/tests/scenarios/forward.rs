//! The block in a cluster's Corefile.

use std::time::Duration;

use openmcp_dns_core::corefile::remove_forward;
use openmcp_dns_kube_memory::{Effect, Fault, Server, Verb};
use serde_json::json;

use crate::objects::{CONFIG_MAP, COREFILE, POLICY, ZONE, coredns, policy};
use crate::world::{World, corefile, forwards, requests, until};

/// A landscape whose cluster has this Corefile.
async fn with_corefile(text: &str) -> (World, Server) {
    let mut world = World::empty().await;
    world.platform.put(policy(POLICY, json!({}))).unwrap();
    let w1 = world.add_cluster("w1");
    w1.put(coredns(text)).unwrap();
    world.start();
    (world, w1)
}

#[tokio::test]
async fn our_block_is_written_and_nothing_else_is_touched() {
    let (world, w1) = with_corefile(COREFILE).await;
    let message = world.condition("w1", "Forwarded", "True", "Succeeded").await;
    assert!(message.contains("the cluster's DNS forwards openmcp.cluster"), "{message}");
    assert_eq!(remove_forward(&corefile(&w1), ZONE).unwrap().text, COREFILE);
    let config_map = CONFIG_MAP.get(&w1, "kube-system", "coredns").unwrap();
    assert_eq!(config_map["data"]["other"], "stays");
    world.all_is_well("w1").await;
    assert_eq!(requests(&w1, Verb::Patch, CONFIG_MAP.plural), 1);
}

#[tokio::test]
async fn a_corefile_that_is_not_understood_is_left_alone_until_it_is_mended() {
    let broken = COREFILE.replace("lameduck 5s\n    }", "lameduck 5s\n    }}");
    let (world, w1) = with_corefile(&broken).await;
    let message = world.condition("w1", "Forwarded", "False", "NotUnderstood").await;
    assert!(message.contains("line 1: this brace has no counterpart"), "{message}");
    assert!(message.contains("mend it, or forward openmcp.cluster to 127.0.0.1:"), "{message}");
    assert_eq!((corefile(&w1), w1.writes()), (broken, 0));
    w1.put(coredns(COREFILE)).unwrap();
    world.condition("w1", "Forwarded", "True", "Succeeded").await;
    assert!(forwards(&w1));
}

#[tokio::test]
async fn a_zone_that_somebody_else_serves_is_left_to_them() {
    let theirs = format!("{COREFILE}{ZONE}:53 {{\n    forward . 10.9.9.9\n}}\n");
    let (world, w1) = with_corefile(&theirs).await;
    world.condition("w1", "Forwarded", "False", "NotUnderstood").await;
    assert_eq!((corefile(&w1), w1.writes()), (theirs, 0));
}

#[tokio::test]
async fn a_block_that_somebody_removes_comes_back() {
    let (world, w1) = with_corefile(COREFILE).await;
    until("the block stands there", || forwards(&w1)).await;
    w1.put(coredns(COREFILE)).unwrap();
    until("it is back", || forwards(&w1)).await;
    world.all_is_well("w1").await;
}

#[tokio::test]
async fn a_cluster_without_the_config_map_says_what_to_do_until_there_is_one() {
    let mut world = World::empty().await;
    world.platform.put(policy(POLICY, json!({}))).unwrap();
    let w1 = world.add_cluster("w1");
    CONFIG_MAP.delete(&w1, "kube-system", "coredns");
    world.start();
    let message = world.condition("w1", "Forwarded", "False", "UnknownLayout").await;
    assert!(message.contains("forward openmcp.cluster to 127.0.0.1:"), "{message}");
    w1.put(coredns(COREFILE)).unwrap();
    world.condition("w1", "Forwarded", "True", "Succeeded").await;
}

#[tokio::test]
async fn a_change_of_somebody_else_in_between_is_not_lost() {
    let mut world = World::empty().await;
    world.platform.put(policy(POLICY, json!({}))).unwrap();
    let w1 = world.add_cluster("w1");
    let slow = Effect::Delay(Duration::from_millis(300));
    w1.fail(Fault::new(slow).kind(CONFIG_MAP.plural).verbs([Verb::Patch]).times(1));
    world.start();
    until("our write is on its way", || requests(&w1, Verb::Patch, CONFIG_MAP.plural) == 1).await;
    let theirs = COREFILE.replace("cache 30", "cache 60");
    w1.put(coredns(&theirs)).unwrap();
    world.condition("w1", "Forwarded", "True", "Succeeded").await;
    assert_eq!(remove_forward(&corefile(&w1), ZONE).unwrap().text, theirs);
}

#[tokio::test]
async fn a_cluster_that_refuses_the_write_is_reported() {
    let mut world = World::empty().await;
    world.platform.put(policy(POLICY, json!({}))).unwrap();
    let w1 = world.add_cluster("w1");
    w1.fail(Fault::new(Effect::Refuse(403)).kind(CONFIG_MAP.plural).verbs([Verb::Patch]));
    world.start();
    let message = world.condition("w1", "Forwarded", "False", "WriteFailed").await;
    assert!(message.contains("unable to write ConfigMap kube-system/coredns"), "{message}");
    assert_eq!(corefile(&w1), COREFILE);
}
