//! The life cycle of policies on real watches.

use openmcp_dns_api::CONFIRM_ANNOTATION;
use openmcp_dns_kube_memory::{Server, Verb};
use openmcp_dns_policy::STANDARD;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::objects::{
    CLUSTER_DNS, CLUSTERS, CONFIG_MAP, DENY_PREFIX, INGRESS, POLICY, from_config_map, ingress,
    module_in_config_map, policy,
};
use crate::world::{World, requests, text, until};

const HOST: &str = "shop.w1.openmcp.cluster";
/// The standard module allows it, the other one does not.
const DENIED: &str = "deny-it.w1.openmcp.cluster";

fn digest(module: &[u8]) -> String {
    Sha256::digest(module).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A landscape under the standard module, from a ConfigMap, where both names are published.
async fn under_standard() -> (World, Server) {
    let mut world = World::empty().await;
    world.platform.put(module_in_config_map(STANDARD)).unwrap();
    world.platform.put(policy(POLICY, json!({ "module": from_config_map() }))).unwrap();
    let w1 = world.add_cluster("w1");
    w1.put(ingress("web", &[HOST, DENIED], "10.0.0.1")).unwrap();
    world.start();
    world.published(HOST, &["10.0.0.1"]).await;
    world.published(DENIED, &["10.0.0.1"]).await;
    decides(&world, STANDARD).await;
    (world, w1)
}

async fn decides(world: &World, module: &[u8]) {
    let digest = digest(module);
    let what = format!("the module {digest} decides");
    world.policy_status_is(POLICY, &what, |status| status["module"]["activeDigest"] == digest).await;
}

#[tokio::test]
async fn a_module_that_is_changed_in_its_config_map_decides_from_then_on() {
    let (world, w1) = under_standard().await;
    world.platform.put(module_in_config_map(DENY_PREFIX)).unwrap();
    world.published(DENIED, &[]).await;
    decides(&world, DENY_PREFIX).await;
    world.policy_condition(POLICY, "ModuleActive", "True", "Succeeded").await;
    assert!(world.holds(HOST));
    until("its author is told", || !crate::world::events(&w1, "HostNameDenied").is_empty()).await;
    let module = &world.policy_status(POLICY)["module"];
    assert_eq!(module["previous"], json!(null), "the source is the same, so nothing else can come back");
}

#[tokio::test]
async fn a_module_whose_config_map_is_shown_again_and_again_is_not_loaded_again() {
    let (world, _) = under_standard().await;
    for stage in 0..5 {
        let mut same = module_in_config_map(STANDARD);
        same["metadata"]["labels"] = json!({ "stage": stage.to_string() });
        world.platform.put(same).unwrap();
    }
    world.platform.put(module_in_config_map(DENY_PREFIX)).unwrap();
    decides(&world, DENY_PREFIX).await;
    // The last change, and two at most at the start: the first list of the watch comes while it is loaded.
    let read = requests(&world.platform, Verb::Get, "configmaps");
    assert!((2..=3).contains(&read), "{read}");
}

#[tokio::test]
async fn a_module_that_is_refused_leaves_the_one_before_deciding() {
    let (world, w1) = under_standard().await;
    world.platform.put(module_in_config_map(b"no module")).unwrap();
    let message = world.policy_condition(POLICY, "ModuleActive", "False", "ModuleInvalid").await;
    assert!(message.contains(&format!("{} goes on deciding", digest(STANDARD))), "{message}");
    world.policy_condition(POLICY, "Ready", "True", "Succeeded").await;
    let module = world.policy_status(POLICY)["module"].clone();
    assert_eq!(text(&module["lastFetchedDigest"]), digest(b"no module"));
    assert_eq!(text(&module["activeDigest"]), digest(STANDARD));
    w1.put(ingress("more", &["deny-more.w1.openmcp.cluster"], "10.0.0.1")).unwrap();
    world.published("deny-more.w1.openmcp.cluster", &["10.0.0.1"]).await;
}

#[tokio::test]
async fn a_configuration_that_the_module_refuses_changes_nothing() {
    let (world, _) = World::with_ingress(&[HOST]).await;
    world.change_policy(POLICY, json!({ "configuration": { "unknown": 1 } })).await;
    let message = world.policy_condition(POLICY, "ModuleActive", "False", "ConfigurationRefused").await;
    assert!(message.contains("goes on deciding") && message.contains("unknown field"), "{message}");
    world.policy_condition(POLICY, "Ready", "True", "Succeeded").await;
    assert!(world.holds(HOST));
    world.change_policy(POLICY, json!({ "configuration": null })).await;
    world.policy_condition(POLICY, "ModuleActive", "True", "Succeeded").await;
}

#[tokio::test]
async fn clusters_wait_for_a_module_that_does_not_come_and_are_told_why() {
    let mut world = World::empty().await;
    world.platform.put(policy(POLICY, json!({ "module": from_config_map() }))).unwrap();
    let w1 = world.add_cluster("w1");
    w1.put(ingress("web", &[HOST], "10.0.0.1")).unwrap();
    world.start();
    world.policy_condition(POLICY, "Ready", "False", "ModuleUnavailable").await;
    let message = world.condition("w1", "Recorded", "Unknown", "InProgress").await;
    assert!(!message.is_empty());
    assert!(w1.requests().is_empty() && !world.is_held("w1"));
    world.platform.put(module_in_config_map(DENY_PREFIX)).unwrap();
    world.published(HOST, &["10.0.0.1"]).await;
}

#[tokio::test]
async fn a_module_is_compared_then_enforced_then_taken_back() {
    let (world, _) = under_standard().await;
    let deny_prefix = policy("unused", json!({}))["spec"]["module"]["file"].clone();
    let other = json!({ "mode": "Monitor", "module": { "configMap": null, "file": deny_prefix } });
    world.change_policy(POLICY, other).await;
    let compared = |status: &serde_json::Value| {
        let candidate = &status["candidate"];
        candidate["complete"] == true && candidate["compared"] == 2 && candidate["differing"] == 1
    };
    let status = world.policy_status_is(POLICY, "the candidate is compared", compared).await;
    let difference = &status["candidate"]["differences"][0];
    assert_eq!(
        (text(&difference["hostName"]), text(&difference["change"])),
        (DENIED.into(), "newly denied".into())
    );
    assert_eq!(text(&status["candidate"]["sha256"]), digest(DENY_PREFIX));
    world.policy_condition(POLICY, "ModuleActive", "False", "Monitored").await;
    assert!(world.holds(DENIED), "it decides nothing");

    world.change_policy(POLICY, json!({ "mode": "Enforce" })).await;
    world.published(DENIED, &[]).await;
    decides(&world, DENY_PREFIX).await;
    let previous =
        |status: &serde_json::Value| text(&status["module"]["previous"]["sha256"]) == digest(STANDARD);
    world.policy_status_is(POLICY, "the one before could come back", previous).await;

    world.change_policy(POLICY, json!({ "mode": "Rollback" })).await;
    world.published(DENIED, &["10.0.0.1"]).await;
    decides(&world, STANDARD).await;
}

#[tokio::test]
async fn a_guard_denies_by_its_name_also_after_a_restart_without_its_source() {
    let mut world = World::empty().await;
    world.platform.put(policy(POLICY, json!({ "module": { "builtIn": "standard", "file": null } }))).unwrap();
    let w1 = world.add_cluster("w1");
    w1.put(ingress("web", &[HOST, DENIED], "10.0.0.1")).unwrap();
    world.start();
    world.published(DENIED, &["10.0.0.1"]).await;
    // It waits for its module: until then, what decided before does.
    let guard = json!({ "name": "no-deny", "module": from_config_map() });
    world.change_policy(POLICY, json!({ "guards": [guard] })).await;
    let message = world.policy_condition(POLICY, "ModuleActive", "False", "ModuleUnavailable").await;
    assert!(message.contains("guard no-deny: "), "{message}");
    world.platform.put(module_in_config_map(DENY_PREFIX)).unwrap();
    world.published(DENIED, &[]).await;
    assert!(world.holds(HOST));
    let told = world
        .status_is("w1", "who denies is told", |status| status["problems"][0]["code"] == "prefix-denied");
    let message = text(&told.await["problems"][0]["message"]);
    assert!(message.starts_with("guard no-deny: "), "{message}");
    let message = world.policy_condition(POLICY, "ModuleActive", "True", "Succeeded").await;
    assert!(message.contains("behind the guards no-deny (deny-prefix"), "{message}");
    until("the guard is kept", || kept(&world) == [digest(DENY_PREFIX)[..40].to_owned()]).await;

    world.stop().await;
    CONFIG_MAP.delete(&world.platform, "modules", "policy");
    world.start();
    let more = ["more.w1.openmcp.cluster", "deny-more.w1.openmcp.cluster"];
    w1.put(ingress("more", &more, "10.0.0.1")).unwrap();
    world.published(more[0], &["10.0.0.1"]).await;
    assert!(!world.holds(more[1]));

    world.change_policy(POLICY, json!({ "guards": null })).await;
    world.published(more[1], &["10.0.0.1"]).await;
    world.published(DENIED, &["10.0.0.1"]).await;
}

#[tokio::test]
async fn a_service_that_starts_anew_goes_on_with_the_module_that_decided() {
    let (mut world, w1) = under_standard().await;
    world.stop().await;
    let broken =
        json!({ "mode": "Monitor", "module": { "configMap": null, "file": { "path": "/nowhere.wasm" } } });
    world.change_policy(POLICY, broken).await;
    world.start();
    decides(&world, STANDARD).await;
    w1.put(ingress("more", &["deny-more.w1.openmcp.cluster"], "10.0.0.1")).unwrap();
    world.published("deny-more.w1.openmcp.cluster", &["10.0.0.1"]).await;
    world.policy_condition(POLICY, "Ready", "True", "Succeeded").await;
}

/// The modules that are kept on the platform, by the first digits of their digest.
fn kept(world: &World) -> Vec<String> {
    let all = CONFIG_MAP.list(&world.platform).into_iter();
    let labels = all.filter_map(|object| {
        object["metadata"]["labels"]["dns.openmcp.cloud/module"].as_str().map(str::to_owned)
    });
    labels.collect()
}

#[tokio::test]
async fn a_service_that_starts_anew_while_its_module_is_away_goes_on_with_what_is_kept_and_says_so() {
    let (mut world, w1) = under_standard().await;
    until("the module is kept", || kept(&world) == [digest(STANDARD)[..40].to_owned()]).await;
    world.stop().await;
    CONFIG_MAP.delete(&world.platform, "modules", "policy");
    world.start();
    w1.put(ingress("more", &["deny-more.w1.openmcp.cluster"], "10.0.0.1")).unwrap();
    world.published("deny-more.w1.openmcp.cluster", &["10.0.0.1"]).await;
    world.policy_condition(POLICY, "Ready", "True", "Succeeded").await;
    let goes_on = format!("{} goes on deciding", digest(STANDARD));
    world.policy_status_is(POLICY, &goes_on, |status| status.to_string().contains(&goes_on)).await;
    world.policy_condition(POLICY, "ModuleActive", "False", "ModuleUnavailable").await;

    world.platform.put(module_in_config_map(DENY_PREFIX)).unwrap();
    decides(&world, DENY_PREFIX).await;
    until("only what is in use is kept", || kept(&world) == [digest(DENY_PREFIX)[..40].to_owned()]).await;
}

#[tokio::test]
async fn a_module_that_is_kept_and_was_changed_is_not_used() {
    let (mut world, _) = under_standard().await;
    until("the module is kept", || !kept(&world).is_empty()).await;
    world.stop().await;
    let mut all = CONFIG_MAP.list(&world.platform).into_iter();
    let mut changed = all.find(|object| object["metadata"]["labels"].is_object()).unwrap();
    changed["binaryData"]["piece"] =
        serde_json::to_value(k8s_openapi::ByteString(DENY_PREFIX.to_vec())).unwrap();
    world.platform.put(changed).unwrap();
    CONFIG_MAP.delete(&world.platform, "modules", "policy");
    world.start();
    world.policy_condition(POLICY, "Ready", "False", "ModuleUnavailable").await;
    assert!(world.holds(DENIED), "what is published stays");
}

/// A landscape where the deletion of three names is held.
async fn with_a_held_deletion() -> World {
    let mut world = World::empty().await;
    let guard = json!({ "deletionGuard": { "maxPercent": 30, "freeNames": 1, "holdSeconds": 600 } });
    world.platform.put(policy(POLICY, guard)).unwrap();
    let w1 = world.add_cluster("w1");
    w1.put(ingress("stays", &[HOST], "10.0.0.1")).unwrap();
    let names = ["a.w1.openmcp.cluster", "b.w1.openmcp.cluster", "c.w1.openmcp.cluster"];
    w1.put(ingress("web", &names, "10.0.0.1")).unwrap();
    world.start();
    for name in names.iter().chain([&HOST]) {
        world.published(name, &["10.0.0.1"]).await;
    }
    world.all_is_well("w1").await;
    INGRESS.delete(&w1, "default", "web");
    let message = world.condition("w1", "Recorded", "False", "DeletionHeld").await;
    assert!(message.contains("3 names would be withdrawn and are held"), "{message}");
    assert_eq!(world.names().len(), 4);
    world
}

async fn confirm(world: &World, token: &str) {
    let patch = json!({ "metadata": { "annotations": { CONFIRM_ANNOTATION: token } } });
    CLUSTER_DNS.merge(&world.platform, CLUSTERS, "w1", &patch).await;
}

/// The word that stands on the object.
fn confirmation(world: &World) -> serde_json::Value {
    let object = CLUSTER_DNS.get(&world.platform, CLUSTERS, "w1").unwrap();
    object["metadata"]["annotations"][CONFIRM_ANNOTATION].clone()
}

#[tokio::test]
async fn a_deletion_that_is_held_goes_on_when_somebody_confirms_it_with_its_word() {
    let world = with_a_held_deletion().await;
    let token = text(&world.status("w1")["heldDeletion"]["token"]);
    confirm(&world, "another word").await;
    // What comes after the wrong word is seen after it.
    world.change_cluster("w1", json!({ "spec": { "tenancy": "Shared" } })).await;
    world.status_is("w1", "it was looked at", |status| status["observedGeneration"] == 2).await;
    assert_eq!(world.names().len(), 4);

    assert_eq!(confirmation(&world), "another word", "what was not used stays");
    confirm(&world, &token).await;
    world.published("a.w1.openmcp.cluster", &[]).await;
    world.condition("w1", "Recorded", "True", "Succeeded").await;
    assert_eq!(world.names().into_keys().collect::<Vec<_>>(), [HOST]);
    assert_eq!(world.status("w1")["heldDeletion"], json!(null));
    until("the word is used up", || confirmation(&world) == json!(null)).await;
}

#[tokio::test]
async fn a_deletion_that_is_held_goes_on_without_a_word_after_its_time() {
    let world = with_a_held_deletion().await;
    world.change_policy(POLICY, json!({ "deletionGuard": { "holdSeconds": 1 } })).await;
    world.published("c.w1.openmcp.cluster", &[]).await;
    assert!(world.holds(HOST));
}
