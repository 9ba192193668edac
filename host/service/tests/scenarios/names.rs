//! Clusters under one name, and under names that make no label of a domain.

use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_policy::STANDARD;
use openmcp_dns_service::api_client::limited;
use openmcp_dns_service::inventory::Access;
use serde_json::{Value, json};

use crate::objects::{
    CLUSTER, CLUSTER_DNS, CLUSTERS, COREFILE, POLICY, from_config_map, ingress, module_in_config_map, policy,
};
use crate::world::{World, corefile, forwards, until};

const ELSEWHERE: &str = "elsewhere";

/// As openMCP's gateway service makes the domain of a cluster.
fn by_namespace() -> Value {
    json!({ "module": from_config_map(), "configuration": { "domainTemplate": "{cluster}.{namespace}.{base}" } })
}

#[tokio::test]
async fn two_clusters_of_one_name_have_a_domain_each_where_the_namespace_is_part_of_it() {
    let mut world = World::empty().await;
    world.platform.put(module_in_config_map(STANDARD)).unwrap();
    world.platform.put(policy(POLICY, by_namespace())).unwrap();
    let one = world.add_cluster("w1");
    let mut other_object = world.cluster("w1").unwrap();
    other_object["metadata"] = json!({
        "name": "w1", "namespace": ELSEWHERE, "annotations": other_object["metadata"]["annotations"],
    });
    world.platform.put(other_object).unwrap();
    let other = world.cluster_server("the other w1");
    let access = Access::by_client("the other w1", limited(other.client()), 1);
    world.access.grant_to(ClusterId::new(ELSEWHERE, "w1"), access);
    let [first, second] =
        [CLUSTERS, ELSEWHERE].map(|namespace| format!("shop.w1.{namespace}.openmcp.cluster"));
    one.put(ingress("web", &[&first], "10.0.0.1")).unwrap();
    other.put(ingress("web", &[&second], "10.0.0.2")).unwrap();
    world.start();
    world.published(&first, &["10.0.0.1"]).await;
    world.published(&second, &["10.0.0.2"]).await;
    let domain = |namespace: &str| {
        let object = CLUSTER_DNS.get(&world.platform, namespace, "w1").unwrap_or_default();
        object["status"]["domain"].clone()
    };
    for namespace in [CLUSTERS, ELSEWHERE] {
        until("each has its own", || domain(namespace) == format!("w1.{namespace}.openmcp.cluster")).await;
    }
    until("both forward", || forwards(&one) && forwards(&other)).await;

    // One that leaves takes nothing of the other.
    CLUSTER.delete(&world.platform, ELSEWHERE, "w1");
    until("it is gone", || CLUSTER.get(&world.platform, ELSEWHERE, "w1").is_none()).await;
    assert_eq!(corefile(&other), COREFILE);
    assert!(!world.holds(&second) && world.holds(&first) && forwards(&one) && world.is_held("w1"));
}

#[tokio::test]
async fn a_cluster_whose_name_makes_no_label_is_told_so_and_leaves_like_any_other() {
    let mut world = World::empty().await;
    world.platform.put(module_in_config_map(STANDARD)).unwrap();
    world.platform.put(policy(POLICY, json!({ "module": from_config_map() }))).unwrap();
    world.start();
    // The longest name that an object may have.
    let longest = ["a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(61)].join(".");
    for (name, why) in
        [("w1.dotted", "contains a dot"), (&"x".repeat(64), "63 bytes"), (&longest, "cluster name 'aaa")]
    {
        let server = world.add_cluster(name);
        server
            .put(ingress("web", &[&format!("shop.{name}.openmcp.cluster")[..]], "10.0.0.1"))
            .unwrap_or_default();
        let said = world.condition(name, "Recorded", "False", "NoDomain").await;
        assert!(said.contains(why), "{said}");
        // The others' names resolve there all the same.
        world.condition(name, "Forwarded", "True", "Succeeded").await;
        assert!(forwards(&server) && world.is_held(name) && world.names().is_empty());
        CLUSTER.delete(&world.platform, CLUSTERS, name);
        until("it is gone", || world.cluster(name).is_none()).await;
        assert_eq!(corefile(&server), COREFILE);
    }
}
