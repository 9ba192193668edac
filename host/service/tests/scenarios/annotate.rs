//! A cluster's domain and zone on its `Cluster`.

use openmcp_dns_api::{CLUSTER_DOMAIN_ANNOTATION, FIELD_MANAGER, ZONE_ANNOTATION};
use openmcp_dns_kube_memory::Verb;
use serde_json::{Value, json};

use crate::objects::{CLUSTER, CLUSTERS, POLICY, ZONE, policy};
use crate::world::{World, requests, until};

/// Who owns an annotation.
fn owners(cluster: &Value, annotation: &str) -> Vec<String> {
    let managers = cluster["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
    let field = format!("f:{annotation}");
    let owning = managers
        .iter()
        .filter(|manager| manager["fieldsV1"]["f:metadata"]["f:annotations"].get(&field).is_some());
    owning.map(|manager| manager["manager"].as_str().unwrap().to_owned()).collect()
}

fn domain(world: &World) -> Option<String> {
    world.annotation("w1", CLUSTER_DOMAIN_ANNOTATION)
}

#[tokio::test]
async fn domain_and_zone_are_written_by_managers_of_their_own() {
    let (world, _) = World::with_one_cluster().await;
    world.all_is_well("w1").await;
    assert_eq!(domain(&world).as_deref(), Some("w1.openmcp.cluster"));
    assert_eq!(world.annotation("w1", ZONE_ANNOTATION).as_deref(), Some(ZONE));
    let cluster = world.cluster("w1").unwrap();
    assert_eq!(owners(&cluster, CLUSTER_DOMAIN_ANNOTATION), [FIELD_MANAGER]);
    assert_eq!(owners(&cluster, ZONE_ANNOTATION), ["openmcp-dns-zone"]);
}

#[tokio::test]
async fn a_domain_of_somebody_else_is_left_alone_and_reported_until_it_is_removed() {
    let mut world = World::empty().await;
    world.platform.put(policy(POLICY, json!({}))).unwrap();
    let theirs = json!({ CLUSTER_DOMAIN_ANNOTATION: "theirs.example.com" });
    world.add_cluster_with("w1", json!({ "annotations": theirs }));
    world.start();
    let message = world.condition("w1", "Annotated", "False", "ForeignValue").await;
    assert!(message.contains("remove it to have it managed"), "{message}");
    assert_eq!(domain(&world).as_deref(), Some("theirs.example.com"));
    // The clean-up needs the zone all the same.
    assert_eq!(world.annotation("w1", ZONE_ANNOTATION).as_deref(), Some(ZONE));

    let none = json!({ "metadata": { "annotations": { CLUSTER_DOMAIN_ANNOTATION: null } } });
    world.change_cluster("w1", none).await;
    world.condition("w1", "Annotated", "True", "Succeeded").await;
    assert_eq!(domain(&world).as_deref(), Some("w1.openmcp.cluster"));
}

#[tokio::test]
async fn a_domain_that_somebody_removes_comes_back() {
    let (world, _) = World::with_one_cluster().await;
    world.all_is_well("w1").await;
    let none = json!({ "metadata": { "annotations": { CLUSTER_DOMAIN_ANNOTATION: null } } });
    world.change_cluster("w1", none).await;
    until("it is back", || domain(&world).is_some()).await;
}

#[tokio::test]
async fn only_our_own_values_are_removed() {
    let mut world = World::empty().await;
    world.platform.put(policy(POLICY, json!({}))).unwrap();
    let annotations = json!({ CLUSTER_DOMAIN_ANNOTATION: "theirs.example.com", "example.com/note": "stays" });
    let held = json!(["example.com/hold"]);
    world.add_cluster_with("w1", json!({ "annotations": annotations, "finalizers": held }));
    world.start();
    world.condition("w1", "Annotated", "False", "ForeignValue").await;
    CLUSTER.delete(&world.platform, CLUSTERS, "w1");
    until("our finalizer is gone", || !world.is_held("w1")).await;
    assert_eq!(world.annotation("w1", ZONE_ANNOTATION), None);
    assert_eq!(domain(&world).as_deref(), Some("theirs.example.com"));
    assert_eq!(world.annotation("w1", "example.com/note").as_deref(), Some("stays"));
}

#[tokio::test]
async fn what_stands_there_is_not_written_again() {
    let (world, _) = World::with_one_cluster().await;
    world.all_is_well("w1").await;
    world.platform.forget_requests();
    world.change_cluster("w1", json!({ "spec": { "tenancy": "Shared" } })).await;
    world.status_is("w1", "the change was looked at", |status| status["observedGeneration"] == 2).await;
    assert_eq!(requests(&world.platform, Verb::Patch, CLUSTER.plural), 1, "the change of the test");
}
