//! What a module asks for of a claim reaches it, from the objects of real watches: the example `landscape-rules`.

use openmcp_dns_kube_memory::Server;
use serde_json::{Value, json};

use crate::objects::{
    DNS_POLICY, GATEWAY, HTTP_ROUTE, NAMESPACE, POLICY, from_config_map, gateway, ingress,
    module_in_config_map, policy, route,
};
use crate::world::{World, events, until};

const RULES: &[u8] = include_bytes!("../../../../policies/landscape-rules/landscape-rules.wasm");
/// Outside the cluster's domain.
const BLUE: &str = "shop.blue.openmcp.cluster";

/// A cluster under rules, with a Gateway of the class `example`, that may publish below a suffix.
async fn under(configuration: Value) -> (World, Server) {
    let mut world = World::empty().await;
    world.platform.put(module_in_config_map(RULES)).unwrap();
    let w1 = world.add_cluster("w1");
    let spec = json!({
        "module": from_config_map(),
        "configuration": configuration,
        "sharedSuffixes": [{
            "suffix": "blue.openmcp.cluster",
            "clusters": [{ "namespace": crate::objects::CLUSTERS, "name": "w1" }],
        }],
        "sources": { "moduleAnnotations": ["example.org/dns-ttl"] },
    });
    world.platform.put(policy(POLICY, spec)).unwrap();
    w1.put(gateway("10.0.0.1")).unwrap();
    world.start();
    (world, w1)
}

async fn label_namespace(w1: &Server, labels: Value) {
    NAMESPACE.merge(w1, "", "default", &json!({ "metadata": { "labels": labels } })).await;
}

async fn is_denied(w1: &Server, code: &str) {
    let told = || events(w1, "HostNameDenied").iter().any(|event| event.to_string().contains(code));
    until(&format!("the author is told {code}"), told).await;
}

#[tokio::test]
async fn a_suffix_is_for_the_namespaces_whose_label_names_it() {
    let (world, w1) = under(json!({ "suffixLabel": "dns-suffix" })).await;
    w1.put(route("shop", BLUE)).unwrap();
    is_denied(&w1, "its label dns-suffix").await;
    label_namespace(&w1, json!({ "dns-suffix": "blue.openmcp.cluster" })).await;
    world.published(BLUE, &["10.0.0.1"]).await;
    label_namespace(&w1, json!({ "dns-suffix": null })).await;
    world.published(BLUE, &[]).await;
}

#[tokio::test]
async fn a_name_has_srv_records_for_the_listeners_that_serve_it_where_the_policy_wants_them() {
    let (world, w1) = under(json!({})).await;
    w1.put(route("shop", "shop.w1.openmcp.cluster")).unwrap();
    world.published("shop.w1.openmcp.cluster", &["10.0.0.1"]).await;
    let service = "_http._tcp.shop.w1.openmcp.cluster";
    assert!(!world.holds(service));
    let srv = |is_wanted: bool| json!({ "spec": { "records": { "srv": is_wanted } } });
    DNS_POLICY.merge(&world.platform, "", POLICY, &srv(true)).await;
    world.published(service, &["shop.w1.openmcp.cluster:80"]).await;
    let mut moved = gateway("10.0.0.1");
    moved["spec"]["listeners"][0]["port"] = json!(9443);
    w1.put(moved).unwrap();
    world.published(service, &["shop.w1.openmcp.cluster:9443"]).await;
    DNS_POLICY.merge(&world.platform, "", POLICY, &srv(false)).await;
    world.published(service, &[]).await;
    world.published("shop.w1.openmcp.cluster", &["10.0.0.1"]).await;
}

#[tokio::test]
async fn the_services_of_a_route_and_the_class_of_its_gateway_reach_the_module() {
    let (world, w1) = under(json!({ "serviceNames": true, "gatewayClasses": ["example"] })).await;
    let mut shop = route("shop", "shop.w1.openmcp.cluster");
    shop["spec"]["rules"] = json!([{ "backendRefs": [{ "name": "front", "port": 80 }] }]);
    w1.put(shop).unwrap();
    world.published("front.default.w1.openmcp.cluster", &["10.0.0.1"]).await;
    let other = json!([{ "backendRefs": [{ "name": "back", "port": 80 }] }]);
    HTTP_ROUTE.merge(&w1, "default", "shop", &json!({ "spec": { "rules": other } })).await;
    world.published("back.default.w1.openmcp.cluster", &["10.0.0.1"]).await;
    world.published("front.default.w1.openmcp.cluster", &[]).await;
    GATEWAY.merge(&w1, "default", "entry", &json!({ "spec": { "gatewayClassName": "other" } })).await;
    is_denied(&w1, "has class other").await;
    world.published("shop.w1.openmcp.cluster", &[]).await;
}

#[tokio::test]
async fn a_namespace_has_as_many_names_as_it_may_and_one_that_goes_makes_room() {
    let (world, w1) = under(json!({ "maxNamesPerNamespace": 1 })).await;
    w1.put(ingress("first", &["first.w1.openmcp.cluster"], "10.0.0.1")).unwrap();
    world.published("first.w1.openmcp.cluster", &["10.0.0.1"]).await;
    w1.put(ingress("second", &["second.w1.openmcp.cluster"], "10.0.0.1")).unwrap();
    is_denied(&w1, "has 1 names already").await;
    assert!(world.holds("first.w1.openmcp.cluster"));
    crate::objects::INGRESS.delete(&w1, "default", "first");
    world.published("second.w1.openmcp.cluster", &["10.0.0.1"]).await;
}

#[tokio::test]
async fn an_annotation_that_the_policy_names_reaches_the_module() {
    let (world, w1) = under(json!({ "ttlAnnotation": "example.org/dns-ttl" })).await;
    let mut shop = ingress("shop", &["shop.w1.openmcp.cluster"], "10.0.0.1");
    shop["metadata"]["annotations"] = json!({ "example.org/dns-ttl": "5m" });
    w1.put(shop.clone()).unwrap();
    is_denied(&w1, "'5m' is no number of seconds").await;
    shop["metadata"]["annotations"] = json!({ "example.org/dns-ttl": "300" });
    w1.put(shop).unwrap();
    world.published("shop.w1.openmcp.cluster", &["10.0.0.1"]).await;
}
