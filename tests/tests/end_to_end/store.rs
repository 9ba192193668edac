//! Values in the store that are not ours.

use openmcp_dns_tests::conditions::wait_condition;
use openmcp_dns_tests::dns::Answer;
use openmcp_dns_tests::manifests::{cluster_dns_reference, route_reference};

use crate::{LATER, SOON, World};

pub(crate) async fn foreign_and_broken_values_are_reported_and_left_alone(
    world: &World,
) -> anyhow::Result<()> {
    let name = "crowded.workload01.openmcp.cluster";
    let foreign = "/skydns/cluster/openmcp/workload01/crowded/0a1b2c3d";
    let broken = "/skydns/cluster/openmcp/workload01/crowded/broken";
    let store = &world.landscape.store;
    store.put(foreign, r#"{"host":"10.66.66.66","ttl":60,"owner":"somebody-else"}"#).await?;
    world.landscape.central.udp.wait_a(name, &Answer::of(["10.66.66.66"]), SOON).await?;

    // A name of ours where a foreign value stands already.
    world.publish("crowded", &[name]).await?;
    let reference = cluster_dns_reference("workload01");
    wait_condition(&world.platform(), reference, "Recorded", "True", "ForeignRecords", SOON).await?;
    world.landscape.central.udp.wait_a(name, &Answer::of(["10.66.66.66", "172.18.201.2"]), SOON).await?;

    // A broken one: CoreDNS then fails for the name, and our probe says so.
    store.put(broken, "{not json").await?;
    wait_condition(&world.platform(), reference, "Probed", "False", "Mismatch", LATER).await?;
    // Other names are answered.
    world.landscape.central.udp.wait_a(crate::SEED, &Answer::of(["172.18.201.2"]), SOON).await?;

    // Withdrawing our own value leaves theirs as they were.
    let before = world.stored().await?;
    route_reference("crowded").delete(&world.landscape.workload01.client()).await?;
    wait_condition(&world.platform(), reference, "Recorded", "True", "Succeeded", SOON).await?;
    let after = world.stored().await?;
    for key in [foreign, broken] {
        assert_eq!(before.get(key), after.get(key), "{key} was touched");
    }
    let ours = |stored: &std::collections::BTreeMap<String, _>| {
        stored.keys().filter(|key| key.contains("/crowded/") && *key != foreign && *key != broken).count()
    };
    assert_eq!((ours(&before), ours(&after)), (1, 0));
    store.delete(foreign).await?;
    store.delete(broken).await?;
    world.wait_all_good().await?;
    Ok(())
}
