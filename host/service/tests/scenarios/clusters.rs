//! What is done for one cluster, when, and what is said of it.

use openmcp_dns_kube_memory::{Effect, Fault, Verb};
use openmcp_dns_service::inventory::Access;
use serde_json::json;

use crate::objects::{CLUSTER, CLUSTER_DNS, CLUSTERS, CONFIG_MAP, INGRESS, POLICY, cluster, ingress, policy};
use crate::world::{World, changes_beside_the_status, forwards, requests, until};

const HOST: &str = "shop.w1.openmcp.cluster";

#[tokio::test]
async fn a_healthy_cluster_has_its_domain_and_all_conditions_are_good() {
    let (world, w1) = World::with_ingress(&[HOST]).await;
    let status = world.status_is("w1", "the claim is counted", |status| status["published"] == 1).await;
    assert_eq!((&status["domain"], &status["policy"]), (&json!("w1.openmcp.cluster"), &json!(POLICY)));
    assert_eq!(status["phase"], "Ready");
    assert_eq!((&status["denied"], &status["problems"]), (&json!(0), &json!([])));
    let conditions = status["conditions"].as_array().unwrap();
    let types: Vec<&str> = conditions.iter().filter_map(|condition| condition["type"].as_str()).collect();
    assert_eq!(
        types,
        ["Ready", "Reachable", "Forwarded", "Annotated", "Recorded", "Agent", "NodesForwarded", "Probed"]
    );
    assert!(world.is_held("w1") && forwards(&w1));
    let object = CLUSTER_DNS.get(&world.platform, CLUSTERS, "w1").unwrap();
    assert_eq!(
        object["metadata"]["ownerReferences"][0]["uid"],
        world.cluster("w1").unwrap()["metadata"]["uid"]
    );
}

#[tokio::test]
async fn nothing_is_done_for_a_cluster_before_our_finalizer_stands_on_it() {
    let mut world = World::empty().await;
    world.platform.put(policy(POLICY, json!({}))).unwrap();
    world.start();
    world.policy_condition(POLICY, "Ready", "True", "Succeeded").await;
    world.platform.fail(Fault::new(Effect::Refuse(500)).kind(CLUSTER.plural).verbs([Verb::Patch]));
    let w1 = world.add_cluster("w1");
    w1.put(ingress("web", &[HOST], "10.0.0.1")).unwrap();
    until("the finalizer is refused", || requests(&world.platform, Verb::Patch, CLUSTER.plural) > 0).await;
    // The status of the policy comes after whatever that look at the cluster would have done.
    world.change_policy(POLICY, json!({ "deletionGuard": { "freeNames": 5 } })).await;
    world.policy_status_is(POLICY, "it was looked at", |status| status["observedGeneration"] == 2).await;
    assert!(w1.requests().is_empty(), "{:?}", w1.requests());
    assert_eq!((world.transactions(), world.status("w1")), (0, json!(null)));
}

#[tokio::test]
async fn a_finalizer_that_somebody_removed_stands_there_again() {
    let (world, _) = World::with_ingress(&[HOST]).await;
    world.change_cluster("w1", json!({ "metadata": { "finalizers": null } })).await;
    until("it is held again", || world.is_held("w1")).await;
}

#[tokio::test]
async fn a_cluster_that_is_made_anew_between_two_looks_is_held_as_the_first_one() {
    let (world, w1) = World::with_ingress(&[HOST]).await;
    let address = world.annotation("w1", "dns.openmcp.cloud/cluster-dns-address");
    let annotations = json!({ "dns.openmcp.cloud/cluster-dns-address": address });
    CLUSTER.vanish(&world.platform, CLUSTERS, "w1");
    world.platform.put(cluster("w1", json!({ "annotations": annotations }))).unwrap();
    until("it is held", || world.is_held("w1")).await;
    world.all_is_well("w1").await;
    // And so nothing of it is left when it goes.
    CLUSTER.delete(&world.platform, CLUSTERS, "w1");
    world.published(HOST, &[]).await;
    until("it is released", || world.cluster("w1").is_none()).await;
    assert!(!forwards(&w1));
}

#[tokio::test]
async fn a_cluster_dns_that_somebody_deleted_is_made_again() {
    let (world, _) = World::with_ingress(&[HOST]).await;
    CLUSTER_DNS.delete(&world.platform, CLUSTERS, "w1");
    world.all_is_well("w1").await;
}

#[tokio::test]
async fn a_cluster_without_access_says_what_to_do_and_is_served_when_access_comes() {
    let mut world = World::empty().await;
    world.platform.put(policy(POLICY, json!({}))).unwrap();
    world.platform.put(cluster("w1", json!({}))).unwrap();
    world.start();
    let message = world.condition("w1", "Reachable", "False", "KubeconfigMissing").await;
    assert_eq!(message, "ask the test for access to openmcp/w1");
    world.condition("w1", "Forwarded", "Unknown", "Unreachable").await;

    world.access.grant("w1", Access::by_kubeconfig("a test", Err("it is empty".to_owned())));
    let message = world.condition("w1", "Reachable", "False", "KubeconfigInvalid").await;
    assert_eq!(message, "it is empty");

    let w1 = world.cluster_server("w1");
    w1.put(ingress("web", &[HOST], "10.0.0.1")).unwrap();
    world.access.grant("w1", Access::by_client("w1", w1.client(), 1));
    world.published(HOST, &["10.0.0.1"]).await;
    world.condition("w1", "Reachable", "True", "Succeeded").await;
}

#[tokio::test]
async fn access_that_is_withdrawn_leaves_what_is_published() {
    let (world, w1) = World::with_ingress(&[HOST]).await;
    world.access.withdraw("w1");
    world.condition("w1", "Reachable", "False", "KubeconfigMissing").await;
    w1.put(ingress("web", &["other.w1.openmcp.cluster"], "10.0.0.1")).unwrap();
    assert!(world.holds(HOST));
    world.access.grant("w1", Access::by_client("w1", w1.client(), 1));
    world.published("other.w1.openmcp.cluster", &["10.0.0.1"]).await;
}

#[tokio::test]
async fn a_platform_that_answers_no_write_of_a_status_keeps_no_cluster_from_being_looked_after() {
    let (world, _) = World::with_ingress(&[HOST]).await;
    world.platform.fail(Fault::new(Effect::Hang).kind(CLUSTER_DNS.plural).verbs([Verb::Patch]));
    world.platform.forget_requests();
    world.access.withdraw("w1");
    until("there is something to say", || requests(&world.platform, Verb::Patch, "clusterdnses/status") > 0)
        .await;
    let other = world.cluster_server("w1-made-anew");
    other.put(ingress("web", &[HOST], "10.0.0.2")).unwrap();
    world.access.grant("w1", Access::by_client("w1", other.client(), 2));
    world.published(HOST, &["10.0.0.2"]).await;
    until("the other cluster forwards", || forwards(&other)).await;
    assert!(world.lives().await);
}

#[tokio::test]
async fn access_to_another_cluster_under_the_same_name_is_taken_up() {
    let (world, _) = World::with_ingress(&[HOST]).await;
    let other = world.cluster_server("w1-made-anew");
    other.put(ingress("web", &[HOST], "10.0.0.2")).unwrap();
    world.access.grant("w1", Access::by_client("w1", other.client(), 2));
    world.published(HOST, &["10.0.0.2"]).await;
    until("the other cluster forwards", || forwards(&other)).await;
}

/// A cluster that has been served has this trouble with its Ingresses, and gets over it.
async fn a_cluster_gets_over(effect: Effect, says: &str) {
    let (world, w1) = World::with_ingress(&[HOST]).await;
    let fault = w1.fail(Fault::new(effect).kind(INGRESS.plural).verbs([Verb::List, Verb::Watch]));
    w1.drop_watches();
    let message = world.condition("w1", "Reachable", "False", "Unreachable").await;
    assert!(message.contains("unable to watch Ingress; what is published stays"), "{message}");
    assert!(message.contains(says), "{message}");
    w1.put(ingress("web", &[HOST], "10.0.0.2")).unwrap();
    assert!(world.holds(HOST));
    w1.heal(fault);
    world.published(HOST, &["10.0.0.2"]).await;
    world.condition("w1", "Reachable", "True", "Succeeded").await;
}

#[tokio::test]
async fn a_cluster_that_forbids_a_list_keeps_its_names_and_is_read_when_it_permits_it() {
    a_cluster_gets_over(Effect::Refuse(403), "forbidden").await;
}

#[tokio::test]
async fn a_cluster_that_fails_keeps_its_names_and_is_read_when_it_is_well_again() {
    a_cluster_gets_over(Effect::Refuse(500), "an error on the server").await;
}

#[tokio::test]
async fn a_cluster_that_cannot_be_connected_to_keeps_its_names_and_is_read_when_it_is_back() {
    a_cluster_gets_over(Effect::Disconnect, "refused").await;
}

#[tokio::test]
async fn a_cluster_that_falls_silent_is_unreachable_although_no_watch_has_trouble() {
    let (world, w1) = World::with_ingress(&[HOST]).await;
    // As if its process were stopped: the watches stay open, and whatever is asked is never answered.
    let fault = w1.fail(Fault::new(Effect::Hang));
    let message = world.condition("w1", "Reachable", "False", "Unreachable").await;
    assert!(message.contains("no answer from the API server within 10 s"), "{message}");
    assert!(world.holds(HOST));
    w1.heal(fault);
    world.condition("w1", "Reachable", "True", "Succeeded").await;
}

#[tokio::test]
async fn a_list_that_is_never_answered_holds_up_no_other_kind_and_no_other_cluster() {
    let mut world = World::empty().await;
    world.platform.put(policy(POLICY, json!({}))).unwrap();
    let (w1, w2) = (world.add_cluster("w1"), world.add_cluster("w2"));
    w1.fail(Fault::new(Effect::Hang).kind("gateways"));
    for (server, host_name) in [(&w1, HOST), (&w2, "shop.w2.openmcp.cluster")] {
        server.put(ingress("web", &[host_name], "10.0.0.1")).unwrap();
    }
    world.start();
    world.published(HOST, &["10.0.0.1"]).await;
    world.published("shop.w2.openmcp.cluster", &["10.0.0.1"]).await;
    let message = world.condition("w1", "Reachable", "False", "Unreachable").await;
    assert!(message.contains("unable to watch Gateway") && message.contains("no answer"), "{message}");
    world.all_is_well("w2").await;
}

#[tokio::test]
async fn a_second_run_of_the_service_changes_nothing() {
    let (mut world, w1) = World::with_ingress(&[HOST]).await;
    until("the module is kept", || !CONFIG_MAP.list(&world.platform).is_empty()).await;
    // What is said of a policy is written beside everything else, and a restart goes by it.
    world.policy_condition(POLICY, "ModuleActive", "True", "Succeeded").await;
    world.stop().await;
    let transactions = world.transactions();
    world.platform.forget_requests();
    w1.forget_requests();
    world.start();
    // What is new is what shows that it has read everything.
    w1.put(ingress("new", &["new.w1.openmcp.cluster"], "10.0.0.1")).unwrap();
    world.published("new.w1.openmcp.cluster", &["10.0.0.1"]).await;
    world.status_is("w1", "both claims are published", |status| status["published"] == 2).await;
    world.all_is_well("w1").await;
    assert_eq!(changes_beside_the_status(&world.platform), []);
    assert_eq!(w1.writes(), 0);
    assert_eq!(world.transactions(), transactions + 1, "the new name, and nothing else");
}

#[tokio::test]
async fn names_that_changed_while_the_service_was_away_are_put_right() {
    let [two, three] = ["two.w1.openmcp.cluster", "three.w1.openmcp.cluster"];
    let (mut world, w1) = World::with_ingress(&[HOST, two, three, "old.w1.openmcp.cluster"]).await;
    world.stop().await;
    w1.put(ingress("web", &[HOST, two, three, "new.w1.openmcp.cluster"], "10.0.0.2")).unwrap();
    world.start();
    world.published("old.w1.openmcp.cluster", &[]).await;
    world.published("new.w1.openmcp.cluster", &["10.0.0.2"]).await;
    world.published(HOST, &["10.0.0.2"]).await;
}

#[tokio::test]
async fn two_clusters_of_one_name_cannot_have_one_domain() {
    let (world, _) = World::with_ingress(&[HOST]).await;
    let mut other = cluster("w1", json!({}));
    other["metadata"]["namespace"] = json!("elsewhere");
    world.platform.put(other).unwrap();
    let said = || {
        let other = CLUSTER_DNS.get(&world.platform, "elsewhere", "w1").unwrap_or_default();
        let all = other["status"]["conditions"].as_array().cloned().unwrap_or_default();
        all.into_iter().find(|condition| condition["type"] == "Recorded").unwrap_or_default()
    };
    until("the younger has no domain", || said()["reason"] == "DomainConflict").await;
    assert!(said()["message"].as_str().unwrap().contains("older cluster openmcp/w1"), "{}", said());
    assert_eq!(world.status("w1")["domain"], "w1.openmcp.cluster");
}
