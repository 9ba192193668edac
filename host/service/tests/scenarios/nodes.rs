//! Names in the hosts files of nodes: what comes into a cluster for that, and how it goes.

use std::time::Duration;

use openmcp_dns_kube_memory::{Effect, Fault, Resource, Server, Verb};
use openmcp_dns_service::run::LeavingBounds;
use serde_json::{Value, json};

use crate::objects::{
    CLUSTER, CLUSTERS, CONFIG, CONFIG_MAP, DNS_SERVICE_CONFIG, dns_service_config, ingress,
};
use crate::world::{World, events, requests, until};

const NODES: &str = "openmcp-dns-nodes";
const HOST: &str = "hook.w1.openmcp.cluster";

/// What a cluster serves beside the kinds that all serve here.
fn serve(server: &Server) {
    for (group, kind, plural) in [
        ("", "ServiceAccount", "serviceaccounts"),
        ("", "Pod", "pods"),
        ("", "Event", "events"),
        ("networking.k8s.io", "NetworkPolicy", "networkpolicies"),
        ("apps", "DaemonSet", "daemonsets"),
    ] {
        server.register(Resource::custom(group, "v1", kind, plural), None);
    }
}

fn wanted(names: &[&str]) -> Value {
    dns_service_config(json!({"clusters": [{"forward": {"nodes": {"names": names}}}]}))
}

fn daemon_set(server: &Server) -> Option<Value> {
    server.get("apps/v1", "DaemonSet", NODES, NODES)
}

fn args(server: &Server) -> Vec<String> {
    let found = daemon_set(server).unwrap_or_default();
    let args = found.pointer("/spec/template/spec/containers/0/args").and_then(Value::as_array).cloned();
    args.unwrap_or_default().iter().map(|arg| arg.as_str().unwrap().to_owned()).collect()
}

fn takes_away(server: &Server) -> bool {
    let args = args(server);
    !args.is_empty() && !args.iter().any(|arg| arg.starts_with("--names"))
}

/// What the pods of so many of three nodes say, as their controller sums it up.
fn nodes_are_ready(server: &Server, ready: i64) {
    let mut found = daemon_set(server).unwrap();
    found["status"] = json!({
        "observedGeneration": found["metadata"]["generation"], "desiredNumberScheduled": 3,
        "updatedNumberScheduled": 3, "numberReady": ready,
    });
    server.put(found).unwrap();
}

fn names(server: &Server) -> String {
    let found = CONFIG_MAP.get(server, NODES, NODES).unwrap_or_default();
    found["data"]["hosts"].as_str().unwrap_or_default().to_owned()
}

/// A landscape in which the nodes of `w1` know one name.
async fn told() -> (World, Server) {
    let (world, w1) = World::with_ingress(&[HOST]).await;
    serve(&w1);
    world.platform.put(wanted(&["*.w1.openmcp.cluster"])).unwrap();
    let said = world.condition("w1", "NodesForwarded", "Unknown", "InProgress").await;
    assert!(said.starts_with("1 names: 0 of 0 nodes"), "{said}");
    assert_eq!(names(&w1), format!("10.0.0.1 {HOST}\n"));
    nodes_are_ready(&w1, 3);
    let said = world.condition("w1", "NodesForwarded", "True", "Succeeded").await;
    assert_eq!(said, "1 names are told to 3 nodes");
    (world, w1)
}

#[tokio::test]
async fn nodes_are_told_what_is_recorded_and_nothing_is_written_while_that_is_the_same() {
    let (world, w1) = told().await;
    let before = args(&w1);
    w1.forget_requests();
    for number in 0..3 {
        let looks = requests(&w1, Verb::Get, "daemonsets");
        world.change_cluster("w1", json!({"metadata": {"labels": {"number": number.to_string()}}})).await;
        until("it is looked at", || requests(&w1, Verb::Get, "daemonsets") > looks).await;
    }
    assert_eq!([w1.writes(), requests(&w1, Verb::List, "pods")], [0, 0], "{:?}", w1.requests());

    // Another name is another revision: one write for each of the two objects.
    w1.put(ingress("more", &["more.w1.openmcp.cluster"], "10.0.0.2")).unwrap();
    until("both are told", || names(&w1).lines().count() == 2).await;
    world.condition("w1", "NodesForwarded", "Unknown", "InProgress").await;
    assert_ne!(args(&w1), before);
    let written = |plural| requests(&w1, Verb::Patch, plural);
    assert_eq!([written("configmaps"), written("daemonsets"), written("namespaces")], [1, 1, 0]);
    nodes_are_ready(&w1, 3);
    world.condition("w1", "NodesForwarded", "True", "Succeeded").await;
}

#[tokio::test]
async fn when_no_names_are_wanted_the_nodes_take_them_away_before_all_of_it_goes() {
    let (world, w1) = told().await;
    DNS_SERVICE_CONFIG.delete(&world.platform, "", CONFIG);
    until("the pods are told to take them away", || takes_away(&w1)).await;
    nodes_are_ready(&w1, 2);
    let said = world.condition("w1", "NodesForwarded", "Unknown", "InProgress").await;
    assert!(said.contains("nodes have taken the names away") || said.contains("are told to"), "{said}");
    assert!(daemon_set(&w1).is_some() && !names(&w1).is_empty());
    nodes_are_ready(&w1, 3);
    let said = world.condition("w1", "NodesForwarded", "True", "Succeeded").await;
    assert_eq!(said, "no node is to know names");
    until("all of it is gone", || daemon_set(&w1).is_none() && names(&w1).is_empty()).await;
    world.all_is_well("w1").await;
}

#[tokio::test]
async fn nodes_that_are_selected_no_more_lose_their_names_before_the_rest_is_told_anew() {
    let (world, w1) = told().await;
    let only_some = json!({"names": ["*.w1.openmcp.cluster"], "nodeSelector": {"pool": "control"}});
    world.platform.put(dns_service_config(json!({"clusters": [{"forward": {"nodes": only_some}}]}))).unwrap();
    until("all nodes are told to take them away", || takes_away(&w1)).await;
    let selector =
        |server: &Server| daemon_set(server).unwrap()["spec"]["template"]["spec"]["nodeSelector"].clone();
    assert_eq!(selector(&w1), json!({"kubernetes.io/os": "linux"}));
    nodes_are_ready(&w1, 2);
    let said = world.condition("w1", "NodesForwarded", "Unknown", "InProgress").await;
    assert!(said.starts_with("fewer nodes or files are to have names; "), "{said}");
    assert!(takes_away(&w1));
    nodes_are_ready(&w1, 3);
    until("some are told them again", || !takes_away(&w1)).await;
    assert_eq!(selector(&w1), json!({"kubernetes.io/os": "linux", "pool": "control"}));
    nodes_are_ready(&w1, 1);
    assert_eq!(names(&w1), format!("10.0.0.1 {HOST}\n"));
}

#[tokio::test]
async fn a_service_that_was_stopped_goes_on_with_what_it_finds() {
    let (mut world, w1) = told().await;
    world.stop().await;
    w1.forget_requests();
    world.start();
    world.condition("w1", "NodesForwarded", "True", "Succeeded").await;
    until("it is looked at", || requests(&w1, Verb::Get, "daemonsets") > 0).await;
    assert_eq!(requests(&w1, Verb::Patch, "daemonsets"), 0);
    world.stop().await;
    DNS_SERVICE_CONFIG.delete(&world.platform, "", CONFIG);
    world.start();
    until("the pods are told to take them away", || takes_away(&w1)).await;
}

#[tokio::test]
async fn a_cluster_leaves_when_its_nodes_have_taken_the_names_away() {
    let (world, w1) = told().await;
    CLUSTER.delete(&world.platform, CLUSTERS, "w1");
    until("the pods are told to take them away", || takes_away(&w1)).await;
    assert!(world.is_held("w1"));
    nodes_are_ready(&w1, 3);
    until("the Cluster is gone", || world.cluster("w1").is_none()).await;
    assert_eq!(daemon_set(&w1), None);
}

/// A landscape in which the nodes of `w1` are told a name, and a cluster that leaves is waited for two seconds.
async fn about_to_leave() -> (World, Server) {
    let mut world = World::empty().await;
    world.leaving = LeavingBounds { cluster: Duration::from_secs(2), ..world.leaving };
    let (world, w1) = world.and_ingress(&[HOST]).await;
    serve(&w1);
    world.platform.put(wanted(&[HOST])).unwrap();
    until("the nodes are told", || daemon_set(&w1).is_some()).await;
    (world, w1)
}

/// What is said, once the Cluster is gone, of what was left behind.
async fn left_behind(world: &World, w1: &Server) -> String {
    CLUSTER.delete(&world.platform, CLUSTERS, "w1");
    until("the Cluster is gone", || world.cluster("w1").is_none()).await;
    assert_eq!(daemon_set(w1), None);
    let told = events(&world.platform, "LeftBehind");
    told[0]["note"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_node_that_is_down_holds_up_a_cluster_that_leaves_for_a_bounded_time_and_is_named() {
    let (world, w1) = about_to_leave().await;
    let labels = json!({"app.kubernetes.io/component": "nodes"});
    w1.put(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": NODES, "labels": labels},
        "spec": {"nodeName": "down", "containers": []}}))
        .unwrap();
    let note = left_behind(&world, &w1).await;
    assert!(note.contains("may still be there on down; on each of them"), "{note}");
}

#[tokio::test]
async fn a_cluster_that_nobody_can_ask_is_not_said_to_have_no_names() {
    let (mut world, _) = told().await;
    world.stop().await;
    world.leaving = LeavingBounds { cluster: Duration::from_secs(2), ..world.leaving };
    DNS_SERVICE_CONFIG.delete(&world.platform, "", CONFIG);
    world.access.withdraw("w1");
    world.start();
    let said = world.condition("w1", "NodesForwarded", "Unknown", "Unreachable").await;
    assert!(said.starts_with("no node is to know names; whether one still does is not known"), "{said}");
    // For whom nobody wants any, nobody waits.
    CLUSTER.delete(&world.platform, CLUSTERS, "w1");
    until("the Cluster is gone", || world.cluster("w1").is_none()).await;
    world.stop().await;
}

#[tokio::test]
async fn a_patch_that_does_not_hold_does_not_hold_up_a_cluster_that_leaves() {
    let (world, w1) = about_to_leave().await;
    nodes_are_ready(&w1, 3);
    w1.fail(Fault::new(Effect::Refuse(403)).kind("daemonsets").verbs([Verb::Patch]));
    let note = left_behind(&world, &w1).await;
    assert!(note.contains("may still be there on 3 nodes"), "{note}");
}

#[tokio::test]
async fn rights_that_are_missing_are_named_and_the_rest_of_the_cluster_goes_on() {
    let (world, w1) = World::with_ingress(&[HOST]).await;
    serve(&w1);
    w1.fail(Fault::new(Effect::Refuse(403)).kind("daemonsets"));
    w1.fail(Fault::new(Effect::Refuse(403)).kind("serviceaccounts"));
    world.platform.put(wanted(&[HOST])).unwrap();
    let said = world.condition("w1", "NodesForwarded", "False", "WriteFailed").await;
    assert!(said.contains("apply deploy/nodes-access.yaml"), "{said}");
    world.condition("w1", "Recorded", "True", "Succeeded").await;
}

#[tokio::test]
async fn pods_that_nobody_lets_mount_files_of_nodes_are_said_to_be_refused() {
    let (world, w1) = World::with_ingress(&[HOST]).await;
    serve(&w1);
    w1.put(json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": "e", "namespace": NODES},
        "reason": "FailedCreate", "message": "violates PodSecurity",
        "involvedObject": {"kind": "DaemonSet", "name": NODES}}))
        .unwrap();
    world.platform.put(wanted(&[HOST])).unwrap();
    let said = world.condition("w1", "NodesForwarded", "False", "NodesNotReady").await;
    assert!(said.starts_with("no pod can be made that writes on the nodes: violates PodSecurity"), "{said}");
}
