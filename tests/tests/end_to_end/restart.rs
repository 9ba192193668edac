//! A service that was down.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use openmcp_dns_tests::dns::Answer;
use openmcp_dns_tests::manifests::{cluster_dns_reference, cluster_reference, route_reference};
use serde_json::{Value, json};

use crate::{SEED, SOON, World};

pub(crate) async fn a_restarted_service_writes_nothing(world: &mut World) -> anyhow::Result<()> {
    let statuses = world.wait_all_good().await?;
    world.service.stop().await?;
    let (stored, versions) = (world.stored().await?, versions(world).await?);
    // Without its status, each ClusterDNS says only what the new process has found.
    for cluster in world.landscape.clusters() {
        let nothing = json!({ "conditions": null, "published": 0 });
        cluster_dns_reference(cluster.name).merge_status(&world.platform(), &nothing).await?;
    }
    world.service.resume()?;
    let again = world.wait_all_good().await?;
    let counts = |statuses: &[Value]| -> Vec<Value> {
        statuses.iter().map(|status| status["published"].clone()).collect()
    };
    assert_eq!(counts(&again), counts(&statuses));
    assert_eq!(world.stored().await?, stored, "a record was written");
    assert_eq!(self::versions(world).await?, versions, "a Cluster or a Corefile was written to");

    // The next change is one transaction, and nothing else.
    let revision = world.landscape.store.revision().await?;
    let name = "after-the-restart.workload01.openmcp.cluster";
    world.publish("after-the-restart", &[name]).await?;
    world.landscape.central.udp.wait_a(name, &Answer::of(["172.18.201.2"]), SOON).await?;
    world.wait_all_good().await?;
    assert_eq!(world.landscape.store.revision().await?, revision + 1);
    Ok(())
}

pub(crate) async fn what_changed_while_the_service_was_down_is_caught_up_with(
    world: &mut World,
) -> anyhow::Result<()> {
    // One name of many: what only a list does not show any more would be held otherwise.
    let others = ["one", "two", "three"].map(|name| format!("{name}.workload01.openmcp.cluster"));
    world.publish("others", &others.each_ref().map(String::as_str)).await?;
    for other in &others {
        world.landscape.central.udp.wait_a(other, &Answer::of(["172.18.201.2"]), SOON).await?;
    }
    world.service.stop().await?;
    let client = world.landscape.workload01.client();
    route_reference("after-the-restart").delete(&client).await?;
    let new = "meanwhile.workload01.openmcp.cluster";
    world.publish("meanwhile", &[new]).await?;
    world.service.resume()?;
    let central = &world.landscape.central.udp;
    central.wait_a(new, &Answer::of(["172.18.201.2"]), SOON).await?;
    central.wait_a("after-the-restart.workload01.openmcp.cluster", &Answer::NoSuchName, SOON).await?;
    central.wait_a(SEED, &Answer::of(["172.18.201.2"]), SOON).await?;
    route_reference("meanwhile").delete(&client).await?;
    route_reference("others").delete(&client).await?;
    central.wait_a(new, &Answer::NoSuchName, SOON).await?;
    world.wait_all_good().await?;
    Ok(())
}

/// Resource versions of everything that the service writes besides status and Events.
async fn versions(world: &World) -> anyhow::Result<Vec<Option<String>>> {
    let mut versions = Vec::new();
    for cluster in world.landscape.clusters() {
        let object = cluster_reference(cluster.name).get(&world.platform()).await?.unwrap_or_default();
        versions.push(object["metadata"]["resourceVersion"].as_str().map(ToOwned::to_owned));
        let config_maps: Api<ConfigMap> = Api::namespaced(cluster.client(), "kube-system");
        versions.push(config_maps.get("coredns").await?.metadata.resource_version);
    }
    Ok(versions)
}
