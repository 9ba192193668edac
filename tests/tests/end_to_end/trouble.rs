//! Clusters that cannot be reached, or lack something: a condition says so, nothing is withdrawn,
//! and the others go on.

use std::time::Duration;

use openmcp_dns_tests::conditions::{find, wait_condition, wait_object};
use openmcp_dns_tests::dns::Answer;
use openmcp_dns_tests::kinds::{apply, apply_crds};
use openmcp_dns_tests::landscape::gateway_api_crds;
use openmcp_dns_tests::manifests::{self, accept, cluster_dns_reference, kubeconfig_secret, route_reference};
use serde_json::Value;

use crate::{LATER, SEED, SOON, World};

/// Until it is known that an API server is silent, on a busy machine.
const SILENT: Duration = Duration::from_secs(30);

pub(crate) async fn a_cluster_without_the_gateway_api_says_so_until_it_is_installed(
    world: &World,
) -> anyhow::Result<()> {
    let (platform, reference) = (world.platform(), cluster_dns_reference("platform"));
    let message = wait_condition(&platform, reference, "Reachable", "True", "KindNotServed", SOON).await?;
    assert!(message.contains("HTTPRoute"), "{message}");
    apply_crds(&platform, &gateway_api_crds()?).await?;
    wait_condition(&platform, reference, "Reachable", "True", "Succeeded", LATER).await?;
    Ok(())
}

pub(crate) async fn a_kubeconfig_that_is_no_use_is_reported_and_what_is_published_stays(
    world: &World,
) -> anyhow::Result<()> {
    let (platform, reference) = (world.platform(), cluster_dns_reference("workload01"));
    let good = world.landscape.workload01.api.kubeconfig();
    let revision = world.landscape.store.revision().await?;
    let unreadable = "apiVersion: [".to_owned();
    let refused = good.replace("token: ", "token: not-");
    for (kubeconfig, reason) in [(unreadable, "KubeconfigInvalid"), (refused, "Unreachable")] {
        apply(&platform, &kubeconfig_secret("workload01", &kubeconfig)).await?;
        wait_condition(&platform, reference, "Reachable", "False", reason, LATER).await?;
        assert_eq!(world.landscape.central.udp.a(SEED).await, Answer::of(["172.18.201.2"]));
    }
    apply(&platform, &kubeconfig_secret("workload01", &good)).await?;
    wait_condition(&platform, reference, "Reachable", "True", "Succeeded", LATER).await?;
    assert_eq!(world.landscape.store.revision().await?, revision, "something was written");
    world.wait_all_good().await?;
    Ok(())
}

pub(crate) async fn an_unreachable_cluster_keeps_its_records_and_the_others_go_on(
    world: &mut World,
) -> anyhow::Result<()> {
    let before = world.stored().await?;
    world.landscape.workload01.api.stop();
    let outcome = while_unreachable(world, &before).await;
    // Whatever happened, the next steps need the server.
    world.landscape.workload01.api.resume().await?;
    outcome?;
    let reference = cluster_dns_reference("workload01");
    wait_condition(&world.platform(), reference, "Reachable", "True", "Succeeded", LATER).await?;
    world.wait_all_good().await?;
    let stored = world.stored().await?;
    assert!(before.iter().all(|(key, value)| stored.get(key) == Some(value)), "{before:#?}\n{stored:#?}");
    let reference = cluster_dns_reference("workload02");
    let published = |object: &Value| object["status"]["published"].as_u64();
    let with_it = reference.get(&world.platform()).await?.as_ref().and_then(published).unwrap_or_default();
    route_reference("meanwhile").delete(&world.landscape.workload02.client()).await?;
    let gone = "meanwhile.workload02.openmcp.cluster";
    world.landscape.central.udp.wait_a(gone, &Answer::NoSuchName, SOON).await?;
    // The status follows the answer.
    wait_object(&world.platform(), reference, "one claim less is published", SOON, |object| {
        (published(object)? + 1 == with_it).then_some(())
    })
    .await
}

pub(crate) async fn a_frozen_api_server_is_said_to_be_unreachable(world: &World) -> anyhow::Result<()> {
    let reference = cluster_dns_reference("workload01");
    let api = &world.landscape.workload01.api;
    api.freeze(true)?;
    // A watch that had just been begun may say first that it has trouble.
    let what = "the API server is said not to answer";
    let said = wait_object(&world.platform(), reference, what, SILENT, |object| {
        let reachable = find(object, "Reachable")?;
        let message = reachable["message"].as_str()?.to_owned();
        message.contains("does not answer; what is published stays").then(|| (reachable.clone(), message))
    })
    .await;
    // Whatever happened, the next steps need the server.
    api.freeze(false)?;
    let (reachable, message) = said?;
    assert_eq!(
        (&reachable["status"], &reachable["reason"]),
        (&"False".into(), &"Unreachable".into()),
        "{message}"
    );
    let dns = &world.landscape.workload02.dns;
    dns.udp.wait_a(SEED, &Answer::of(["172.18.201.2"]), SOON).await?;
    wait_condition(&world.platform(), reference, "Reachable", "True", "Succeeded", LATER).await?;
    world.wait_all_good().await.map(drop)
}

async fn while_unreachable(
    world: &World,
    before: &std::collections::BTreeMap<String, openmcp_dns_tests::etcd::Stored>,
) -> anyhow::Result<()> {
    let reference = cluster_dns_reference("workload01");
    wait_condition(&world.platform(), reference, "Reachable", "False", "Unreachable", LATER).await?;
    let client = world.landscape.workload02.client();
    let name = "meanwhile.workload02.openmcp.cluster";
    apply(&client, &manifests::route("meanwhile", &[name])).await?;
    accept(&client, "meanwhile").await?;
    let dns = &world.landscape.workload02.dns;
    dns.udp.wait_a(name, &Answer::of(["172.18.202.1"]), SOON).await?;
    dns.udp.wait_a(SEED, &Answer::of(["172.18.201.2"]), SOON).await?;
    let stored = world.stored().await?;
    assert!(before.iter().all(|(key, value)| stored.get(key) == Some(value)), "{before:#?}\n{stored:#?}");
    Ok(())
}
