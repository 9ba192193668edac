//! How a module is tried before it decides, and how one that decides too much is held and taken back.

use std::collections::BTreeSet;

use anyhow::{Context as _, ensure};
use openmcp_dns_tests::conditions::{wait_condition, wait_object};
use openmcp_dns_tests::dns::Answer;
use openmcp_dns_tests::manifests::{POLICY, cluster_dns_reference, route_reference};
use serde_json::{Value, json};

use crate::policy::{active_digest, put_deny_prefix, use_built_in, use_config_map, wait_active, wait_denied};
use crate::{LATER, SOON, World};

const DENIED: &str = "deny-it.workload01.openmcp.cluster";
const ALLOWED: &str = "leave-it.workload01.openmcp.cluster";

async fn set_mode(world: &World, mode: &str) -> anyhow::Result<()> {
    POLICY.merge(&world.platform(), &json!({ "spec": { "mode": mode } })).await
}

/// Waits until the comparison is complete and has this many differences.
async fn wait_differing(world: &World, count: i64) -> anyhow::Result<Value> {
    let what = format!("the candidate has been compared, and {count} decisions differ");
    wait_object(&world.platform(), POLICY, &what, LATER, |object| {
        let candidate = &object["status"]["candidate"];
        (candidate["complete"] == true && candidate["differing"] == count).then(|| candidate.clone())
    })
    .await
}

pub(crate) async fn a_module_is_monitored_enforced_and_taken_back_by_one_field(
    world: &mut World,
) -> anyhow::Result<()> {
    let standard = active_digest(world).await?;
    let new = put_deny_prefix(world, "monitored").await?;
    world.publish("monitored", &[DENIED, ALLOWED]).await?;
    let address = Answer::of(["172.18.201.2"]);
    world.landscape.central.udp.wait_a(DENIED, &address, SOON).await?;

    // As a candidate, it only says what it would do.
    set_mode(world, "Monitor").await?;
    use_config_map(world, "monitored", &new).await?;
    let candidate = wait_differing(world, 1).await?;
    assert_eq!(candidate["sha256"], new);
    let difference = &candidate["differences"][0];
    assert_eq!(difference["hostName"], DENIED, "{candidate:#}");
    assert_eq!(difference["change"], "newly denied");
    assert!(difference["candidate"].as_str().unwrap_or_default().contains("prefix-denied"), "{difference}");
    wait_condition(&world.platform(), POLICY, "ModuleActive", "False", "Monitored", SOON).await?;
    assert_eq!(active_digest(world).await?, standard);
    assert_eq!(world.landscape.central.udp.a(DENIED).await, address);

    // A restarted service knows what decides, and what only watches.
    world.service.stop().await?;
    let nothing = json!({ "candidate": null, "module": { "activeDigest": "" } });
    POLICY.merge_status(&world.platform(), &nothing).await?;
    world.service.resume()?;
    wait_differing(world, 1).await?;
    assert_eq!(active_digest(world).await?, standard);

    // One field enforces it, and the same field takes it back, also after a restart.
    set_mode(world, "Enforce").await?;
    wait_active(world, &new).await?;
    world.landscape.central.udp.wait_a(DENIED, &Answer::NoSuchName, SOON).await?;
    assert_eq!(world.landscape.central.udp.a(ALLOWED).await, address);
    world.service.stop().await?;
    world.service.resume()?;
    set_mode(world, "Rollback").await?;
    world.landscape.central.udp.wait_a(DENIED, &address, SOON).await?;
    wait_object(&world.platform(), POLICY, "the module before is active", SOON, |object| {
        (object["status"]["module"]["activeDigest"] == standard).then_some(())
    })
    .await?;
    wait_differing(world, 1).await?;

    set_mode(world, "Enforce").await?;
    use_built_in(world, &standard).await?;
    route_reference("monitored").delete(&world.landscape.workload01.client()).await?;
    world.landscape.central.udp.wait_a(ALLOWED, &Answer::NoSuchName, SOON).await?;
    wait_denied(world, 0).await
}

pub(crate) async fn a_swap_that_would_withdraw_many_names_is_held_until_it_is_confirmed(
    world: &World,
) -> anyhow::Result<()> {
    let (platform, cluster) = (world.platform(), cluster_dns_reference("workload01"));
    let standard = active_digest(world).await?;
    let names: Vec<String> =
        (1..=6).map(|number| format!("deny-{number}.workload01.openmcp.cluster")).collect();
    world.publish("many", &names.iter().map(String::as_str).collect::<Vec<_>>()).await?;
    let (central, address) = (&world.landscape.central.udp, Answer::of(["172.18.201.2"]));
    for name in &names {
        central.wait_a(name, &address, SOON).await?;
    }
    world.wait_all_good().await?;
    POLICY.merge(&platform, &json!({ "spec": { "deletionGuard": { "freeNames": 2 } } })).await?;
    let revision = world.landscape.store.revision().await?;

    let new = put_deny_prefix(world, "withdraws-many").await?;
    use_config_map(world, "withdraws-many", &new).await?;
    let message = wait_condition(&platform, cluster, "Recorded", "False", "DeletionHeld", LATER).await?;
    ensure!(message.contains("6 names would be withdrawn"), "{message}");
    assert_eq!(world.landscape.store.revision().await?, revision, "the store was written to");
    for name in &names {
        assert_eq!(central.a(name).await, address, "{name}");
    }

    // The word that confirms it is that of the status, and no other.
    let object = cluster.get(&platform).await?.context("the ClusterDNS is gone")?;
    let token = object.pointer("/status/heldDeletion/token").and_then(Value::as_str).context("no token")?;
    let confirm = async |token: &str| {
        let annotations = json!({ "dns.openmcp.cloud/confirm-deletion": token });
        cluster.merge(&platform, &json!({ "metadata": { "annotations": annotations } })).await
    };
    confirm("something-else").await?;
    confirm(token).await?;
    for name in &names {
        central.wait_a(name, &Answer::NoSuchName, SOON).await?;
    }
    let stored = world.stored().await?;
    let left: BTreeSet<&String> = stored.keys().filter(|key| key.contains("/deny-")).collect();
    ensure!(left.is_empty(), "{left:?}");

    // Without the limit, all of it comes back and goes.
    let none = json!({ "dns.openmcp.cloud/confirm-deletion": null });
    cluster.merge(&platform, &json!({ "metadata": { "annotations": none } })).await?;
    POLICY.merge(&platform, &json!({ "spec": { "deletionGuard": { "maxPercent": 100 } } })).await?;
    use_built_in(world, &standard).await?;
    for name in &names {
        central.wait_a(name, &address, SOON).await?;
    }
    route_reference("many").delete(&world.landscape.workload01.client()).await?;
    for name in &names {
        central.wait_a(name, &Answer::NoSuchName, SOON).await?;
    }
    POLICY.merge(&platform, &json!({ "spec": { "deletionGuard": null } })).await?;
    world.wait_all_good().await?;
    wait_denied(world, 0).await
}
