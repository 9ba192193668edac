//! What is left behind: nothing.

use openmcp_dns_tests::conditions::wait_object;
use openmcp_dns_tests::dns::Answer;
use openmcp_dns_tests::manifests::{cluster_dns_reference, cluster_reference};
use openmcp_dns_tests::wait::wait_until;
use serde_json::{Value, json};

use crate::{LATER, SEED, SOON, World};

const OURS: &str = "platformservice.openmcp.cloud/dns";

/// Holds the object while the test looks at what our finalizer's end left behind.
const OTHER: &str = "example.com/a-test";

pub(crate) async fn a_deleted_cluster_is_cleaned_up_and_then_released(world: &World) -> anyhow::Result<()> {
    let (platform, cluster) = (world.platform(), cluster_reference("workload01"));
    cluster.merge(&platform, &json!({ "metadata": { "finalizers": [OURS, OTHER] } })).await?;
    cluster.delete(&platform).await?;
    let annotations = wait_object(&platform, cluster, "our finalizer is gone", LATER, |object| {
        let finalizers = object.pointer("/metadata/finalizers")?.as_array()?;
        let released = !finalizers.contains(&Value::from(OURS));
        released.then(|| object["metadata"]["annotations"].clone())
    })
    .await?;

    // It was the last thing to go.
    assert_eq!(annotations.get("dns.openmcp.cloud/base-domain"), None, "{annotations}");
    let stored = world.stored().await?;
    assert!(!stored.keys().any(|key| key.contains("/workload01/")), "{stored:#?}");
    let dns = &world.landscape.workload01.dns;
    assert_eq!(dns.corefile().await?, dns.installed);
    assert!(cluster_dns_reference("workload01").get(&platform).await?.is_none(), "its ClusterDNS is left");
    assert_eq!(world.landscape.central.udp.a(SEED).await, Answer::NoSuchName);
    // The others keep what is theirs.
    let shop = Answer::of(["172.18.202.9"]);
    assert_eq!(world.landscape.central.udp.a("shop.workload02.openmcp.cluster").await, shop);
    // Its own DNS no longer forwards.
    dns.udp.wait_a("shop.workload02.openmcp.cluster", &Answer::NoSuchName, LATER).await?;

    cluster.merge(&platform, &json!({ "metadata": { "finalizers": null } })).await?;
    wait_until("the Cluster is gone", SOON, async || {
        Ok(match cluster.get(&platform).await? {
            None => Ok(()),
            Some(object) => Err(object["metadata"].to_string()),
        })
    })
    .await
}

pub(crate) async fn the_service_ends_cleanly(world: &mut World) -> anyhow::Result<()> {
    let revision = world.landscape.store.revision().await?;
    world.service.stop().await?;
    // Its end withdraws nothing.
    assert_eq!(world.landscape.store.revision().await?, revision);
    assert_eq!(
        world.landscape.workload02.dns.udp.a("shop.workload02.openmcp.cluster").await,
        Answer::of(["172.18.202.9"])
    );
    Ok(())
}
