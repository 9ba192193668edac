//! What an author reads in the status of a route: our entry beside those of others.

use openmcp_dns_kube_memory::{Effect, Fault, Server, Verb};
use serde_json::{Value, json};

use crate::objects::{CLUSTER, CLUSTERS, HTTP_ROUTE, POLICY, gateway, policy, route};
use crate::world::{World, eventually, requests, text, until};

const HOST: &str = "shop.w1.openmcp.cluster";
const STATUS: &str = "httproutes/status";

/// A cluster with a Gateway, under a policy with more in its spec that has routes told.
async fn told(spec: Value) -> (World, Server) {
    let mut world = World::empty().await;
    let w1 = world.add_cluster("w1");
    let mut wanted = json!({ "report": { "routeStatus": true } });
    wanted.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    world.platform.put(policy(POLICY, wanted)).unwrap();
    w1.put(gateway("10.0.0.1")).unwrap();
    world.start();
    (world, w1)
}

fn parents(w1: &Server, name: &str) -> Vec<Value> {
    let route = HTTP_ROUTE.get(w1, "default", name).unwrap_or_default();
    route["status"]["parents"].as_array().cloned().unwrap_or_default()
}

/// Our entry; null while there is none.
fn own(w1: &Server, name: &str) -> Value {
    let is_own = |entry: &Value| entry["controllerName"] == "dns.openmcp.cloud/openmcp-dns";
    let mut own = parents(w1, name).into_iter().filter(is_own);
    let first = own.next().unwrap_or_default();
    assert!(own.next().is_none(), "one for the one parent");
    first
}

/// As `kubectl wait` does: waits until a condition of ours has this status and reason; gives its message.
async fn is(w1: &Server, name: &str, condition: &str, status: &str, reason: &str) -> String {
    eventually(&format!("{condition} of {name} is {status} with {reason}"), || {
        let own = own(w1, name);
        let conditions = own["conditions"].as_array().cloned().unwrap_or_default();
        let found = conditions.into_iter().find(|found| {
            found["type"] == condition && found["status"] == status && found["reason"] == reason
        });
        found.map(|found| text(&found["message"])).ok_or_else(|| format!("{own:#}"))
    })
    .await
}

#[tokio::test]
async fn a_route_says_when_its_name_is_recorded_and_resolvable_and_the_entries_of_others_stay() {
    let (world, w1) = told(json!({})).await;
    w1.put(route("shop", HOST)).unwrap();
    is(&w1, "shop", "Recorded", "True", "Succeeded").await;
    is(&w1, "shop", "Resolvable", "True", "Succeeded").await;
    let waits = is(&w1, "shop", "Propagated", "Unknown", "InProgress").await;
    assert!(waits.contains("may keep an old answer for"), "{waits}");
    let entries = parents(&w1, "shop");
    assert_eq!(entries.len(), 2);
    assert_eq!(entries[0], route("shop", HOST)["status"]["parents"][0], "the Gateway's own stays as it is");
    assert_eq!(own(&w1, "shop")["parentRef"]["name"], "entry");
    let generation = HTTP_ROUTE.get(&w1, "default", "shop").unwrap()["metadata"]["generation"].clone();
    assert_eq!(own(&w1, "shop")["conditions"][1]["observedGeneration"], generation);
    assert!(world.holds(HOST));
}

#[tokio::test]
async fn a_denial_is_said_with_the_modules_reason_and_goes_with_the_name() {
    let (_world, w1) = told(json!({})).await;
    w1.put(route("shop", "deny-me.w1.openmcp.cluster")).unwrap();
    let why = is(&w1, "shop", "Recorded", "False", "HostNameDenied").await;
    assert!(why.contains("(prefix-denied)"), "{why}");
    is(&w1, "shop", "Resolvable", "False", "HostNameDenied").await;
    HTTP_ROUTE.merge(&w1, "default", "shop", &json!({ "spec": { "hostnames": [HOST] } })).await;
    is(&w1, "shop", "Resolvable", "True", "Succeeded").await;
    // Nobody accepts it any more: it claims nothing.
    HTTP_ROUTE
        .merge(&w1, "default", "shop", &json!({ "spec": { "parentRefs": [{ "name": "other" }] } }))
        .await;
    until("our entry is gone", || own(&w1, "shop").is_null()).await;
    assert_eq!(parents(&w1, "shop").len(), 1);
}

#[tokio::test]
async fn who_gives_way_reads_to_whom() {
    let (world, w1) = told(json!({})).await;
    w1.put(crate::objects::ingress("web", &[HOST], "10.0.0.2")).unwrap();
    world.published(HOST, &["10.0.0.2"]).await;
    w1.put(gateway("lb.example.com")).unwrap();
    w1.put(route("shop", HOST)).unwrap();
    let why = is(&w1, "shop", "Recorded", "False", "HostNameConflict").await;
    assert!(why.contains("Ingress/default/web of cluster openmcp/w1"), "{why}");
}

#[tokio::test]
async fn what_stands_there_is_not_written_again_at_rest_nor_after_a_restart() {
    let (mut world, w1) = told(json!({})).await;
    for number in 0..20 {
        w1.put(route(&format!("r{number}"), &format!("deny-{number}.w1.openmcp.cluster"))).unwrap();
    }
    for number in 0..20 {
        is(&w1, &format!("r{number}"), "Propagated", "False", "HostNameDenied").await;
    }
    let versions = || {
        let routes = HTTP_ROUTE
            .list(&w1)
            .into_iter()
            .map(|route| (text(&route["metadata"]["name"]), text(&route["metadata"]["resourceVersion"])));
        routes.filter(|(name, _)| name != "new").collect::<Vec<_>>()
    };
    let before = versions();
    world.stop().await;
    w1.forget_requests();
    world.start();
    // After all that is known after a restart, one route more is told something.
    world.all_is_well("w1").await;
    w1.put(route("new", "deny-new.w1.openmcp.cluster")).unwrap();
    is(&w1, "new", "Propagated", "False", "HostNameDenied").await;
    assert_eq!(versions(), before, "the others stay as they are");
    assert_eq!(requests(&w1, Verb::Patch, STATUS), 1);
}

#[tokio::test]
async fn nothing_is_said_unless_the_policy_wants_it_and_what_was_said_goes_when_it_does_no_more() {
    let (world, w1) = told(json!({ "report": {} })).await;
    w1.put(route("shop", HOST)).unwrap();
    world.published(HOST, &["10.0.0.1"]).await;
    world.all_is_well("w1").await;
    assert!(own(&w1, "shop").is_null());
    world.change_policy(POLICY, json!({ "report": { "routeStatus": true } })).await;
    is(&w1, "shop", "Resolvable", "True", "Succeeded").await;
    world.change_policy(POLICY, json!({ "report": { "routeStatus": false } })).await;
    until("our entry is gone", || own(&w1, "shop").is_null()).await;
    assert_eq!(parents(&w1, "shop").len(), 1, "that of another one is not");
}

#[tokio::test]
async fn a_module_that_is_only_compared_says_nothing() {
    let (world, w1) = told(json!({ "mode": "Monitor" })).await;
    w1.put(route("shop", HOST)).unwrap();
    world.policy_condition(POLICY, "Ready", "False", "NoActiveModule").await;
    world.status_is("w1", "the cluster is looked at", |status| !status.is_null()).await;
    assert!(own(&w1, "shop").is_null());
    assert_eq!(requests(&w1, Verb::Patch, STATUS), 0);
}

#[tokio::test]
async fn without_the_right_to_it_that_is_said_once_and_everything_else_goes_on() {
    let (world, w1) = told(json!({})).await;
    w1.fail(Fault::new(Effect::Refuse(403)).kind("httproutes").verbs([Verb::Patch]));
    for number in 0..20 {
        w1.put(route(&format!("r{number}"), &format!("r{number}.w1.openmcp.cluster"))).unwrap();
    }
    let why = world.condition("w1", "Recorded", "True", "RouteStatusRefused").await;
    assert!(why.contains("deploy/cluster-access.yaml"), "{why}");
    for number in 0..20 {
        world.published(&format!("r{number}.w1.openmcp.cluster"), &["10.0.0.1"]).await;
    }
    // As many as may be under way when the first of them is refused.
    assert!(requests(&w1, Verb::Patch, STATUS) <= 4, "{}", requests(&w1, Verb::Patch, STATUS));
}

#[tokio::test]
async fn what_was_said_goes_when_the_cluster_leaves() {
    let (world, w1) = told(json!({})).await;
    w1.put(route("shop", HOST)).unwrap();
    is(&w1, "shop", "Resolvable", "True", "Succeeded").await;
    CLUSTER.delete(&world.platform, CLUSTERS, "w1");
    until("the Cluster is gone", || world.cluster("w1").is_none()).await;
    assert!(own(&w1, "shop").is_null());
    assert_eq!(parents(&w1, "shop").len(), 1);
}
