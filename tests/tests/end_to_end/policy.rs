//! What the policy module decides, and how it is replaced.

use anyhow::{Context as _, ensure};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::{ObjectMeta, PostParams};
use openmcp_dns_tests::conditions::{wait_condition, wait_event, wait_object, wait_problem};
use openmcp_dns_tests::dns::Answer;
use openmcp_dns_tests::manifests::{CLUSTERS, POLICY, route_reference};
use openmcp_dns_tests::programs::repository;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{LATER, SEED, SOON, World};

pub(crate) async fn a_name_of_another_cluster_is_denied(world: &World) -> anyhow::Result<()> {
    let name = "stolen.workload02.openmcp.cluster";
    world.publish("thief", &[name]).await?;
    let source = "HTTPRoute/default/thief";
    let code = "outside-domain";
    let message = wait_problem(&world.platform(), "workload01", source, name, code, SOON).await?;
    assert!(message.contains("workload01.openmcp.cluster"), "{message}");
    let client = world.landscape.workload01.client();
    let note = wait_event(&client, "HTTPRoute", "thief", "HostNameDenied", 1, SOON).await?;
    assert!(note.contains(name) && note.contains(code), "{note}");
    assert_eq!(world.landscape.central.udp.a(name).await, Answer::NoSuchName);
    let stored = world.stored().await?;
    assert!(!stored.keys().any(|key| key.contains("/stolen/")), "{stored:#?}");
    // What is said again counts in the Event that says it.
    let own = "honest.workload01.openmcp.cluster";
    world.publish("thief", &[own]).await?;
    world.landscape.central.udp.wait_a(own, &Answer::of(["172.18.201.2"]), SOON).await?;
    world.publish("thief", &[name]).await?;
    wait_event(&client, "HTTPRoute", "thief", "HostNameDenied", 2, SOON).await?;
    world.landscape.central.udp.wait_a(own, &Answer::NoSuchName, SOON).await?;
    route_reference("thief").delete(&client).await?;
    wait_denied(world, 0).await
}

pub(crate) async fn a_module_that_is_none_is_refused_and_the_old_one_decides(
    world: &World,
) -> anyhow::Result<()> {
    let active = active_digest(world).await?;
    let digest = put_module(world, "broken", b"this is no module").await?;
    use_config_map(world, "broken", &digest).await?;
    wait_condition(&world.platform(), POLICY, "ModuleActive", "False", "ModuleInvalid", SOON).await?;
    let object = POLICY.get(&world.platform()).await?.context("the DNSPolicy is gone")?;
    assert_eq!(object["status"]["module"]["activeDigest"], active);
    assert_ne!(object["status"]["module"]["lastError"], "");
    // The old one still decides for new names.
    let name = "decided-by-the-old-one.workload01.openmcp.cluster";
    world.publish("old-module", &[name]).await?;
    world.landscape.central.udp.wait_a(name, &Answer::of(["172.18.201.2"]), SOON).await?;
    route_reference("old-module").delete(&world.landscape.workload01.client()).await?;
    world.landscape.central.udp.wait_a(name, &Answer::NoSuchName, SOON).await?;
    use_built_in(world, &active).await
}

pub(crate) async fn the_module_is_swapped_without_a_restart(world: &mut World) -> anyhow::Result<()> {
    let process = world.service.id()?;
    let standard = active_digest(world).await?;
    let digest = put_deny_prefix(world, "deny-prefix").await?;
    use_config_map(world, "deny-prefix", &digest).await?;
    wait_active(world, &digest).await?;

    // The new module denies what the standard one allows, and allows the rest.
    let (denied, allowed) = ("deny-me.workload01.openmcp.cluster", "allow-me.workload01.openmcp.cluster");
    world.publish("swapped", &[denied, allowed]).await?;
    let central = &world.landscape.central.udp;
    central.wait_a(allowed, &Answer::of(["172.18.201.2"]), SOON).await?;
    let source = "HTTPRoute/default/swapped";
    wait_problem(&world.platform(), "workload01", source, denied, "prefix-denied", SOON).await?;
    let client = world.landscape.workload01.client();
    let note = wait_event(&client, "HTTPRoute", "swapped", "HostNameDenied", 1, SOON).await?;
    assert!(note.contains("prefix-denied"), "{note}");
    assert_eq!(central.a(denied).await, Answer::NoSuchName);
    assert_eq!(central.a(SEED).await, Answer::of(["172.18.201.2"]));

    // And back: the denied name is published after all.
    use_built_in(world, &standard).await?;
    world.landscape.central.udp.wait_a(denied, &Answer::of(["172.18.201.2"]), SOON).await?;
    ensure!(world.service.id()? == process, "the service was restarted");
    route_reference("swapped").delete(&world.landscape.workload01.client()).await?;
    world.landscape.central.udp.wait_a(denied, &Answer::NoSuchName, SOON).await?;
    wait_denied(world, 0).await
}

pub(crate) async fn a_guard_denies_what_the_module_allows_and_is_named(world: &World) -> anyhow::Result<()> {
    let standard = active_digest(world).await?;
    let digest = put_deny_prefix(world, "guard").await?;
    let guard = |name: &str| {
        let key = json!({ "namespace": CLUSTERS, "name": "guard", "key": "module.wasm" });
        json!({ "name": name, "module": { "configMap": key, "sha256": digest } })
    };
    let twice = json!({ "spec": { "guards": [guard("no-deny"), guard("no-deny")] } });
    ensure!(POLICY.merge(&world.platform(), &twice).await.is_err(), "two guards of one name were taken");
    POLICY.merge(&world.platform(), &json!({ "spec": { "guards": [guard("no-deny")] } })).await?;
    wait_object(&world.platform(), POLICY, "the guard is asked", SOON, |object| {
        (object["status"]["module"]["guards"][0]["sha256"] == *digest).then_some(())
    })
    .await?;
    ensure!(active_digest(world).await? == standard);

    let (denied, allowed) = ("deny-me.workload01.openmcp.cluster", "allow-me.workload01.openmcp.cluster");
    world.publish("guarded", &[denied, allowed]).await?;
    let central = &world.landscape.central.udp;
    central.wait_a(allowed, &Answer::of(["172.18.201.2"]), SOON).await?;
    let source = "HTTPRoute/default/guarded";
    let message =
        wait_problem(&world.platform(), "workload01", source, denied, "prefix-denied", SOON).await?;
    ensure!(message.starts_with("guard no-deny: "), "{message}");
    ensure!(central.a(denied).await == Answer::NoSuchName);

    POLICY.merge(&world.platform(), &json!({ "spec": { "guards": null } })).await?;
    central.wait_a(denied, &Answer::of(["172.18.201.2"]), SOON).await?;
    route_reference("guarded").delete(&world.landscape.workload01.client()).await?;
    central.wait_a(denied, &Answer::NoSuchName, SOON).await?;
    wait_denied(world, 0).await
}

/// The API server takes what is applied apart; a configuration that becomes empty must not get lost there.
pub(crate) async fn a_configuration_that_is_taken_away_is_gone_from_the_status_too(
    world: &World,
) -> anyhow::Result<()> {
    for (change, wanted) in
        [(json!({ "ttlSeconds": 30 }), json!({ "ttlSeconds": 30 })), (Value::Null, json!({}))]
    {
        POLICY.merge(&world.platform(), &json!({ "spec": { "configuration": change } })).await?;
        wait_object(&world.platform(), POLICY, &format!("{wanted} is active"), SOON, |object| {
            (object.pointer("/status/module/active/configuration") == Some(&wanted)).then_some(())
        })
        .await?;
    }
    Ok(())
}

pub(crate) async fn wait_denied(world: &World, count: i64) -> anyhow::Result<()> {
    let reference = openmcp_dns_tests::manifests::cluster_dns_reference("workload01");
    let what = format!("{count} claims are denied");
    wait_object(&world.platform(), reference, &what, SOON, |object| {
        (object["status"]["denied"] == count).then_some(())
    })
    .await
}

pub(crate) async fn active_digest(world: &World) -> anyhow::Result<String> {
    wait_object(&world.platform(), POLICY, "a module is active", SOON, |object| {
        let digest = object.pointer("/status/module/activeDigest")?.as_str()?;
        (!digest.is_empty()).then(|| digest.to_owned())
    })
    .await
}

pub(crate) async fn wait_active(world: &World, digest: &str) -> anyhow::Result<()> {
    // The first use of a module compiles it.
    wait_object(&world.platform(), POLICY, &format!("module {digest} is active"), LATER, |object| {
        let active = &object["status"]["module"]["activeDigest"];
        let current = object["status"]["observedGeneration"] == object["metadata"]["generation"];
        (*active == digest && current).then_some(())
    })
    .await?;
    wait_condition(&world.platform(), POLICY, "ModuleActive", "True", "Succeeded", SOON).await?;
    Ok(())
}

/// Puts the example that denies a prefix into a ConfigMap, and gives its digest.
pub(crate) async fn put_deny_prefix(world: &World, name: &str) -> anyhow::Result<String> {
    let file = repository("policies/deny-prefix/deny-prefix.wasm");
    let module = std::fs::read(&file).with_context(|| format!("failed to read {}", file.display()))?;
    put_module(world, name, &module).await
}

/// Puts a module into a ConfigMap, and gives its digest.
async fn put_module(world: &World, name: &str, module: &[u8]) -> anyhow::Result<String> {
    let config_maps: Api<ConfigMap> = Api::namespaced(world.platform(), CLUSTERS);
    let config_map = ConfigMap {
        metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
        binary_data: Some([("module.wasm".to_owned(), ByteString(module.to_vec()))].into()),
        ..ConfigMap::default()
    };
    config_maps.create(&PostParams::default(), &config_map).await.context("failed to create a ConfigMap")?;
    Ok(Sha256::digest(module).iter().map(|byte| format!("{byte:02x}")).collect())
}

pub(crate) async fn use_config_map(world: &World, name: &str, digest: &str) -> anyhow::Result<()> {
    let config_map = json!({ "namespace": CLUSTERS, "name": name, "key": "module.wasm" });
    let module = json!({ "builtIn": null, "configMap": config_map, "sha256": digest });
    POLICY.merge(&world.platform(), &json!({ "spec": { "module": module } })).await
}

pub(crate) async fn use_built_in(world: &World, digest: &str) -> anyhow::Result<()> {
    let module = json!({ "builtIn": "standard", "configMap": null, "sha256": null });
    POLICY.merge(&world.platform(), &json!({ "spec": { "module": module } })).await?;
    wait_active(world, digest).await
}
