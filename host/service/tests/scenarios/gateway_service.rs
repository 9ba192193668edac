//! What openMCP's gateway service says of the domains of clusters.

use openmcp_dns_api::CLUSTER_DOMAIN_ANNOTATION;
use serde_json::{Value, json};

use crate::objects::{GATEWAY_SERVICE_CONFIG, POLICY, ZONE, gateway_service_config, ingress, policy};
use crate::world::{World, until};

/// The layout of domains is left to the module that is part of the service.
fn built_in() -> Value {
    json!({ "module": { "builtIn": "standard" } })
}

#[tokio::test]
async fn the_layout_of_the_gateway_service_is_taken_by_itself() {
    let mut world = World::empty().await;
    world.platform.register(GATEWAY_SERVICE_CONFIG.resource(), None);
    world.platform.put(gateway_service_config(ZONE)).unwrap();
    world.platform.put(policy(POLICY, built_in())).unwrap();
    let w1 = world.add_cluster("w1");
    world.start();
    let host = "shop.w1.openmcp.openmcp.cluster";
    w1.put(ingress("web", &[host], "10.0.0.1")).unwrap();
    world.published(host, &["10.0.0.1"]).await;
    world.all_is_well("w1").await;
    let domain = world.annotation("w1", CLUSTER_DOMAIN_ANNOTATION);
    assert_eq!(domain.as_deref(), Some("w1.openmcp.openmcp.cluster"));
}

#[tokio::test]
async fn a_gateway_that_carries_another_domain_is_told_with_all_who_say_one() {
    let mut world = World::empty().await;
    world.platform.register(GATEWAY_SERVICE_CONFIG.resource(), None);
    world.platform.put(gateway_service_config("dev.example.com")).unwrap();
    world.platform.put(policy(POLICY, built_in())).unwrap();
    let w1 = world.add_cluster("w1");
    world.start();
    let said = world.condition("w1", "Annotated", "False", "DomainDisagrees").await;
    assert!(said.contains("w1.openmcp.cluster") && said.contains("w1.openmcp.dev.example.com"), "{said}");

    // A Gateway that agrees does not make the configuration right.
    w1.put(crate::objects::openmcp_gateway("w1.openmcp.cluster")).unwrap();
    GATEWAY_SERVICE_CONFIG.delete(&world.platform, "", "gateway");
    world.condition("w1", "Annotated", "True", "Succeeded").await;

    w1.put(crate::objects::openmcp_gateway("openmcp.cluster.local")).unwrap();
    let said = world.condition("w1", "Annotated", "False", "DomainDisagrees").await;
    assert!(said.contains("openmcp.cluster.local") && said.contains("no GatewayServiceConfig"), "{said}");
    assert_eq!(
        world.annotation("w1", CLUSTER_DOMAIN_ANNOTATION).as_deref(),
        Some("w1.openmcp.cluster"),
        "our own value all the same"
    );
}

#[tokio::test]
async fn a_gateway_service_that_comes_later_is_found() {
    let mut world = World::empty().await;
    world.platform.put(policy(POLICY, built_in())).unwrap();
    let w1 = world.add_cluster("w1");
    world.start();
    world.all_is_well("w1").await;
    world.platform.register(GATEWAY_SERVICE_CONFIG.resource(), None);
    world.platform.put(gateway_service_config(ZONE)).unwrap();
    let later = "shop.w1.openmcp.openmcp.cluster";
    w1.put(ingress("web", &[later], "10.0.0.1")).unwrap();
    until("its layout is taken", || world.holds(later)).await;
}
