//! PTR records, and the reverse zones that clusters forward for them.

use openmcp_dns_core::corefile::remove_forward;
use openmcp_dns_kube_memory::{Server, Verb};
use serde_json::{Value, json};

use crate::objects::{
    CLUSTER, CLUSTERS, CONFIG_MAP, COREFILE, INGRESS, POLICY, ZONE, coredns, ingress, policy,
};
use crate::world::{REVERSE_ZONE, World, corefile, forwards, message, requests, until};

const HOST: &str = "shop.w1.openmcp.cluster";
/// The reverse name of the Ingress's address.
const NAME: &str = "1.0.0.10.in-addr.arpa";

fn listing(networks: &[&str]) -> Value {
    json!({ "records": { "ptr": { "networks": networks } } })
}

fn forwards_back(server: &Server) -> bool {
    corefile(server).contains(&format!("{REVERSE_ZONE}:53 {{"))
}

/// A cluster with an Ingress whose address leads back to its host name.
async fn led_back() -> (World, Server) {
    let mut world = World::empty().await;
    world.platform.put(policy(POLICY, listing(&["10.0.0.0/24"]))).unwrap();
    let w1 = world.add_cluster("w1");
    w1.put(ingress("web", &[HOST], "10.0.0.1")).unwrap();
    world.start();
    world.published(NAME, &[HOST]).await;
    world.all_is_well("w1").await;
    (world, w1)
}

#[tokio::test]
async fn an_address_leads_back_to_its_host_name_and_the_clusters_dns_forwards_the_question() {
    let (world, w1) = led_back().await;
    assert!(forwards(&w1) && forwards_back(&w1));
    assert_eq!(requests(&w1, Verb::Patch, CONFIG_MAP.plural), 1, "all zones in one change");
    let without = remove_forward(&corefile(&w1), REVERSE_ZONE).unwrap().text;
    assert_eq!(remove_forward(&without, ZONE).unwrap().text, COREFILE);
    let what = "all is said";
    let status = world
        .status_is("w1", what, |status| message(status, "Probed") == "2 names are answered as decided")
        .await;
    assert_eq!((&status["reverseZones"], &status["published"]), (&json!([REVERSE_ZONE]), &json!(1)));
    let said = message(&status, "Forwarded");
    assert!(said.contains(&format!("beside it {REVERSE_ZONE}")), "{said}");
    INGRESS.delete(&w1, "default", "web");
    world.published(NAME, &[]).await;
    world.all_is_well("w1").await;
}

#[tokio::test]
async fn what_the_policy_no_longer_lists_is_taken_back_everywhere_also_after_a_restart() {
    let (mut world, w1) = led_back().await;
    world.change_policy(POLICY, listing(&[])).await;
    world.published(NAME, &[]).await;
    until("the reverse zone is not forwarded", || !forwards_back(&w1)).await;
    assert!(forwards(&w1) && world.holds(HOST));
    world
        .status_is("w1", "nothing is left", |status| {
            status["reverseZones"].is_null() && status["leftZones"].is_null()
        })
        .await;
    world.change_policy(POLICY, listing(&["10.0.0.0/24"])).await;
    until("it is forwarded again", || forwards_back(&w1)).await;
    world.published(NAME, &[HOST]).await;
    world.stop().await;
    world.change_policy(POLICY, listing(&["10.0.1.0/24"])).await;
    world.start();
    world.published(NAME, &[]).await;
    until("the old zone is not forwarded", || !forwards_back(&w1)).await;
    until("the new one is", || corefile(&w1).contains("1.0.10.in-addr.arpa:53 {")).await;
}

#[tokio::test]
async fn a_cluster_that_leaves_takes_its_ptr_records_and_reverse_zones_along() {
    let (world, w1) = led_back().await;
    CLUSTER.delete(&world.platform, CLUSTERS, "w1");
    until("the Cluster is gone", || world.cluster("w1").is_none()).await;
    assert_eq!(corefile(&w1), COREFILE);
    assert!(!world.holds(HOST) && !world.holds(NAME));
}

#[tokio::test]
async fn a_reverse_zone_that_cannot_be_forwarded_is_told_and_the_zone_is_forwarded() {
    let mut world = World::empty().await;
    let listed = listing(&["10.0.0.0/24", "10.96.0.0/16", "10.0.0.0/25", "10.9.0.0/16"]);
    world.platform.put(policy(POLICY, listed)).unwrap();
    let w1 = world.add_cluster("w1");
    let theirs = format!("{COREFILE}10.9.0.0/16:53 {{\n    forward . 10.9.9.9\n}}\n");
    w1.put(coredns(&theirs)).unwrap();
    w1.put(json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": { "namespace": "kube-system", "name": "kube-dns", "labels": { "k8s-app": "kube-dns" } },
        "spec": { "clusterIP": "10.96.0.10", "selector": { "k8s-app": "kube-dns" } },
    }))
    .unwrap();
    world.start();
    let said = world.condition("w1", "Forwarded", "True", "Succeeded").await;
    for part in [
        "96.10.in-addr.arpa is not forwarded: the cluster's own DNS Service has the address 10.96.0.10",
        "9.10.in-addr.arpa is not forwarded: ",
        "beside it 0.0.10.in-addr.arpa,",
    ] {
        assert!(said.contains(part), "{said}");
    }
    assert!(forwards(&w1) && forwards_back(&w1) && !corefile(&w1).contains("96.10.in-addr.arpa"));
    let ready = world.policy_condition(POLICY, "Ready", "False", "InvalidSpec").await;
    assert!(ready.contains("\"10.0.0.0/25\": it overlaps with 10.0.0.0/24"), "{ready}");
}
