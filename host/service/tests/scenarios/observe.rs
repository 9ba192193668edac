//! The watches of a cluster's objects.

use serde_json::json;

use crate::objects::{GATEWAY, HTTP_ROUTE, INGRESS, POLICY, coredns, gateway, ingress, policy, route};
use crate::world::{World, until};

const HOST: &str = "shop.w1.openmcp.cluster";
const ROUTED: &str = "routed.w1.openmcp.cluster";

#[tokio::test]
async fn a_kind_that_is_not_served_is_named_and_read_when_it_is_installed() {
    let mut world = World::empty().await;
    world.platform.put(policy(POLICY, json!({}))).unwrap();
    let w1 = world.add_cluster("w1");
    for kind in [GATEWAY, HTTP_ROUTE] {
        w1.unregister("gateway.networking.k8s.io", kind.plural);
    }
    w1.put(ingress("web", &[HOST], "10.0.0.1")).unwrap();
    world.start();
    let message = world.condition("w1", "Reachable", "True", "KindNotServed").await;
    assert!(message.contains("does not serve Gateway and HTTPRoute"), "{message}");
    world.published(HOST, &["10.0.0.1"]).await;

    for kind in [GATEWAY, HTTP_ROUTE] {
        w1.register(kind.resource(), None);
    }
    w1.put(gateway("10.0.0.7")).unwrap();
    w1.put(route("routed", ROUTED)).unwrap();
    world.published(ROUTED, &["10.0.0.7"]).await;
    world.condition("w1", "Reachable", "True", "Succeeded").await;
}

#[tokio::test]
async fn a_kind_whose_definition_is_removed_leaves_its_names() {
    let (world, w1) = World::with_ingress(&[HOST]).await;
    w1.put(gateway("10.0.0.7")).unwrap();
    w1.put(route("routed", ROUTED)).unwrap();
    world.published(ROUTED, &["10.0.0.7"]).await;
    w1.unregister("gateway.networking.k8s.io", HTTP_ROUTE.plural);
    world.condition("w1", "Reachable", "True", "KindNotServed").await;
    assert!(world.holds(ROUTED) && world.holds(HOST));
}

#[tokio::test]
async fn what_happens_while_a_watch_is_dropped_is_not_lost() {
    let (world, w1) = World::with_ingress(&[HOST]).await;
    w1.drop_watches();
    w1.put(ingress("new", &["new.w1.openmcp.cluster"], "10.0.0.1")).unwrap();
    INGRESS.delete(&w1, "default", "web");
    world.published("new.w1.openmcp.cluster", &["10.0.0.1"]).await;
    world.published(HOST, &[]).await;
}

#[tokio::test]
async fn a_watch_that_is_too_old_begins_with_a_new_list() {
    let all = [HOST, "two.w1.openmcp.cluster", "three.w1.openmcp.cluster"];
    let (world, w1) = World::with_ingress(&all).await;
    w1.put(ingress("old", &["old.w1.openmcp.cluster"], "10.0.0.1")).unwrap();
    world.published("old.w1.openmcp.cluster", &["10.0.0.1"]).await;
    // A deletion and a change that no watch can tell of any more.
    INGRESS.delete(&w1, "default", "old");
    w1.put(ingress("web", &all, "10.0.0.2")).unwrap();
    w1.expire_history();
    world.published("old.w1.openmcp.cluster", &[]).await;
    world.published(HOST, &["10.0.0.2"]).await;
    world.all_is_well("w1").await;
}

#[tokio::test]
async fn a_list_that_comes_back_empty_withdraws_nothing() {
    let (world, w1) = World::with_ingress(&[HOST, "two.w1.openmcp.cluster"]).await;
    let before = world.names();
    // The kind is served anew, without the objects that were there.
    w1.register(INGRESS.resource(), None);
    world.condition("w1", "Recorded", "False", "DeletionHeld").await;
    world.status_is("w1", "both names are held", |status| status["heldDeletion"]["names"] == 2).await;
    assert_eq!(world.names(), before);

    w1.put(ingress("web", &[HOST, "two.w1.openmcp.cluster"], "10.0.0.1")).unwrap();
    world.condition("w1", "Recorded", "True", "Succeeded").await;
    assert_eq!(world.names(), before);
}

#[tokio::test]
async fn objects_that_say_nothing_of_names_are_no_trouble() {
    let (world, w1) = World::with_ingress(&[HOST]).await;
    w1.put(coredns("nothing of ours")).unwrap();
    w1.put(json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": { "namespace": "default", "name": "bare" }, "spec": { "rules": null },
    }))
    .unwrap();
    w1.put(ingress("last", &["last.w1.openmcp.cluster"], "10.0.0.1")).unwrap();
    world.published("last.w1.openmcp.cluster", &["10.0.0.1"]).await;
    world.condition("w1", "Reachable", "True", "Succeeded").await;
}

#[tokio::test]
async fn a_route_follows_its_gateway() {
    let (world, w1) = World::with_one_cluster().await;
    w1.put(gateway("10.0.0.7")).unwrap();
    w1.put(route("routed", ROUTED)).unwrap();
    world.published(ROUTED, &["10.0.0.7"]).await;
    w1.put(gateway("10.0.0.8")).unwrap();
    world.published(ROUTED, &["10.0.0.8"]).await;
    HTTP_ROUTE.delete(&w1, "default", "routed");
    world.published(ROUTED, &[]).await;
    until("nothing is left", || world.names().is_empty()).await;
}
