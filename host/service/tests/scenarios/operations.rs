//! What people ask for by openMCP's operation annotations: that an object is left alone, or looked at anew.

use openmcp_dns_api::{DNS_OPERATION_ANNOTATION, OPERATION_ANNOTATION};
use openmcp_dns_kube_memory::Verb;
use serde_json::{Value, json};

use crate::objects::{CLUSTER, CLUSTERS, CONFIG_MAP, DNS_POLICY, INGRESS, POLICY, ingress};
use crate::world::{World, changes_beside_the_status, forwards, requests, until};

const HOST: &str = "shop.w1.openmcp.cluster";
const SHARED: &str = "shop.openmcp.cluster";
const LATER: &str = "later.w1.openmcp.cluster";

fn annotation(key: &str, value: Option<&str>) -> Value {
    json!({ "metadata": { "annotations": { key: value } } })
}

#[tokio::test]
async fn a_cluster_that_is_ignored_is_left_alone_with_its_names_and_is_looked_after_again_afterwards() {
    let (world, w1) = World::with_ingress(&[HOST]).await;
    world.change_cluster("w1", annotation(DNS_OPERATION_ANNOTATION, Some("ignore"))).await;
    // The policy counts no cluster that is left alone.
    world.policy_status_is(POLICY, "it is left alone", |status| status["clusters"] == 0).await;
    let before = (world.status("w1"), changes_beside_the_status(&w1));

    w1.put(ingress("web2", &[LATER], "10.0.0.2")).unwrap();
    let nothing = json!({ "data": { "Corefile": ".:53 {\n    errors\n}\n" } });
    CONFIG_MAP.merge(&w1, "kube-system", "coredns", &nothing).await;
    // Somebody's other change of the object is no reason either.
    world.change_cluster("w1", json!({ "metadata": { "labels": { "tier": "gold" } } })).await;
    world.change_policy(POLICY, json!({ "deletionGuard": { "freeNames": 5 } })).await;
    world.policy_status_is(POLICY, "it was looked at", |status| status["observedGeneration"] == 2).await;
    assert!(!forwards(&w1) && world.holds(HOST) && !world.holds(LATER));
    assert_eq!((world.status("w1"), changes_beside_the_status(&w1)), before);

    world.change_cluster("w1", annotation(DNS_OPERATION_ANNOTATION, None)).await;
    world.published(LATER, &["10.0.0.2"]).await;
    until("it forwards again", || forwards(&w1)).await;
}

#[tokio::test]
async fn a_cluster_that_is_deleted_while_it_is_ignored_stays_until_somebody_takes_the_annotation_away() {
    let (world, _) = World::with_ingress(&[HOST]).await;
    world.change_cluster("w1", annotation(OPERATION_ANNOTATION, Some("ignore"))).await;
    world.policy_status_is(POLICY, "it is left alone", |status| status["clusters"] == 0).await;
    CLUSTER.delete(&world.platform, CLUSTERS, "w1");
    world.change_policy(POLICY, json!({ "deletionGuard": { "freeNames": 5 } })).await;
    world.policy_status_is(POLICY, "it was looked at", |status| status["observedGeneration"] == 2).await;
    assert!(world.is_held("w1") && world.holds(HOST));

    // What is said to us counts more than what is said to all.
    world.change_cluster("w1", annotation(DNS_OPERATION_ANNOTATION, Some(""))).await;
    until("it is released", || world.cluster("w1").is_none()).await;
    assert!(!world.holds(HOST));
}

#[tokio::test]
async fn a_cluster_is_looked_at_anew_once_and_the_annotation_for_us_is_removed() {
    let (world, w1) = World::with_ingress(&[HOST]).await;
    let lists = || requests(&w1, Verb::List, INGRESS.plural);
    let before = lists();
    world.change_cluster("w1", annotation(DNS_OPERATION_ANNOTATION, Some("reconcile"))).await;
    until("its objects are listed anew", || lists() > before).await;
    until("the annotation is gone", || world.annotation("w1", DNS_OPERATION_ANNOTATION).is_none()).await;
    world.all_is_well("w1").await;
    assert!(world.holds(HOST));

    // The object is its provider's, who is to see the other one.
    let before = lists();
    world.change_cluster("w1", annotation(OPERATION_ANNOTATION, Some("reconcile"))).await;
    until("its objects are listed anew", || lists() > before).await;
    world.all_is_well("w1").await;
    let after = lists();
    world.change_cluster("w1", json!({ "metadata": { "labels": { "tier": "gold" } } })).await;
    w1.put(ingress("web2", &[LATER], "10.0.0.2")).unwrap();
    world.published(LATER, &["10.0.0.2"]).await;
    assert_eq!(lists(), after, "once");
    assert!(world.annotation("w1", OPERATION_ANNOTATION).is_some());
}

#[tokio::test]
async fn a_policy_that_is_ignored_counts_as_it_was_before_and_its_clusters_say_so() {
    let (world, w1) = World::with_ingress(&[HOST]).await;
    let change = |patch: Value| {
        let platform = world.platform.clone();
        async move { DNS_POLICY.merge(&platform, "", POLICY, &patch).await }
    };
    let before = world.policy_status(POLICY);
    change(annotation(OPERATION_ANNOTATION, Some("ignore"))).await;
    let shared = json!([{ "name": SHARED, "clusters": [{ "namespace": CLUSTERS, "name": "w1" }] }]);
    change(json!({ "spec": { "sharedNames": shared } })).await;
    let said = world.condition("w1", "Recorded", "Unknown", "InProgress").await;
    assert!(said.contains(POLICY) && said.contains(OPERATION_ANNOTATION), "{said}");
    w1.put(ingress("web2", &[LATER, SHARED], "10.0.0.2")).unwrap();
    world.published(LATER, &["10.0.0.2"]).await;
    assert!(world.holds(HOST) && !world.holds(SHARED), "what was decided by before decides");
    assert_eq!(world.policy_status(POLICY), before);

    change(annotation(OPERATION_ANNOTATION, None)).await;
    world.published(SHARED, &["10.0.0.2"]).await;
}

#[tokio::test]
async fn a_policy_whose_module_could_not_be_had_tries_again_at_once_when_it_is_asked_to() {
    let mut world = World::empty().await;
    let module = json!({ "module": crate::objects::from_config_map() });
    world.platform.put(crate::objects::policy(POLICY, module)).unwrap();
    world.add_cluster("w1");
    world.start();
    world.policy_condition(POLICY, "Ready", "False", "ModuleUnavailable").await;
    let reads = || requests(&world.platform, Verb::Get, CONFIG_MAP.plural);
    let before = reads();
    DNS_POLICY
        .merge(&world.platform, "", POLICY, &annotation(DNS_OPERATION_ANNOTATION, Some("reconcile")))
        .await;
    until("it is read again", || reads() > before).await;
    let object = || DNS_POLICY.get(&world.platform, "", POLICY).unwrap();
    until("the annotation is gone", || {
        object()["metadata"]["annotations"].get(DNS_OPERATION_ANNOTATION).is_none()
    })
    .await;
}
