//! `openmcp-dns evacuate`: a dead cluster leaves the names that others have as well, and comes back.

use anyhow::{Context as _, ensure};
use openmcp_dns_tests::conditions::wait_condition;
use openmcp_dns_tests::dns::Answer;
use openmcp_dns_tests::kinds::apply;
use openmcp_dns_tests::manifests::{self, CLUSTERS, POLICY, accept, cluster_dns_reference, route_reference};
use openmcp_dns_tests::service::run;
use serde_json::json;

use crate::{LATER, SEED, SOON, World};

const SHARED: &str = "everywhere.openmcp.cluster";
const ADDRESSES: [&str; 2] = ["172.18.201.2", "172.18.202.1"];

pub(crate) async fn a_dead_cluster_leaves_shared_names_to_others_and_comes_back(
    world: &mut World,
) -> anyhow::Result<()> {
    let identity = |name: &str| json!({ "name": name, "namespace": CLUSTERS });
    let shared = json!({ "name": SHARED, "clusters": [identity("workload01"), identity("workload02")] });
    POLICY.merge(&world.platform(), &json!({ "spec": { "sharedNames": [shared] } })).await?;
    world.publish("everywhere", &[SHARED]).await?;
    let other = world.landscape.workload02.client();
    apply(&other, &manifests::route("everywhere", &[SHARED])).await?;
    accept(&other, "everywhere").await?;
    world.landscape.central.udp.wait_a(SHARED, &Answer::of(ADDRESSES), SOON).await?;
    let before = world.stored().await?;

    let (code, out, log) = evacuate(world, &["--dry-run"])?;
    ensure!(code == 0 && out.contains(&format!("leaves  {SHARED}")), "{code}: {out}{log}");
    ensure!(out.contains(&format!("stays   {SEED}")) && log.contains("nothing is changed"), "{out}{log}");
    ensure!(world.stored().await? == before, "a dry run has changed something");

    world.landscape.workload01.api.stop();
    let outcome = while_it_is_dead(world).await;
    // Whatever happened, the next steps need the server.
    world.landscape.workload01.api.resume().await?;
    outcome?;
    let reference = cluster_dns_reference("workload01");
    wait_condition(&world.platform(), reference, "Reachable", "True", "Succeeded", LATER).await?;
    let message =
        wait_condition(&world.platform(), reference, "Recorded", "True", "Succeeded", LATER).await?;
    ensure!(message.contains("the cluster is evacuated"), "{message}");

    let (code, _, log) = evacuate(world, &["--undo"])?;
    ensure!(code == 0, "{log}");
    let central = &world.landscape.central.udp;
    central.wait_a(SHARED, &Answer::of(ADDRESSES), LATER).await?;

    // One at a time, in the order of the list.
    let first = json!({ "name": SHARED, "clusters": [identity("workload02"), identity("workload01")], "serve": "First" });
    POLICY.merge(&world.platform(), &json!({ "spec": { "sharedNames": [first] } })).await?;
    central.wait_a(SHARED, &Answer::of([ADDRESSES[1]]), SOON).await?;
    route_reference("everywhere").delete(&other).await?;
    central.wait_a(SHARED, &Answer::of([ADDRESSES[0]]), SOON).await?;

    route_reference("everywhere").delete(&world.landscape.workload01.client()).await?;
    central.wait_a(SHARED, &Answer::NoSuchName, SOON).await?;
    POLICY.merge(&world.platform(), &json!({ "spec": { "sharedNames": null } })).await?;
    world.wait_all_good().await.map(drop)
}

async fn while_it_is_dead(world: &mut World) -> anyhow::Result<()> {
    let reference = cluster_dns_reference("workload01");
    wait_condition(&world.platform(), reference, "Reachable", "False", "Unreachable", LATER).await?;
    let (code, _, log) = evacuate(world, &[])?;
    ensure!(code == 0 && log.contains("is evacuated: 1 names lead to others"), "{code}: {log}");
    let left = Answer::of([ADDRESSES[1]]);
    world.landscape.central.udp.wait_a(SHARED, &left, SOON).await?;
    // A restarted service, which cannot ask the cluster for anything, leaves it so; and the cluster's own names stay.
    let stored = world.stored().await?;
    world.service.stop().await?;
    world.service.resume()?;
    wait_condition(&world.platform(), reference, "Reachable", "False", "Unreachable", LATER).await?;
    let more = "meanwhile.workload02.openmcp.cluster";
    let other = world.landscape.workload02.client();
    apply(&other, &manifests::route("meanwhile", &[more])).await?;
    accept(&other, "meanwhile").await?;
    world.landscape.central.udp.wait_a(more, &Answer::of([ADDRESSES[1]]), LATER).await?;
    route_reference("meanwhile").delete(&other).await?;
    world.landscape.central.udp.wait_a(more, &Answer::NoSuchName, SOON).await?;
    ensure!(world.stored().await? == stored, "a restart has changed records");
    ensure!(world.landscape.central.udp.a(SHARED).await == left);
    ensure!(world.landscape.central.udp.a(SEED).await == Answer::of([ADDRESSES[0]]));
    Ok(())
}

/// Exit code, what is printed, and what is said beside it.
fn evacuate(world: &World, more: &[&str]) -> anyhow::Result<(i32, String, String)> {
    let kubeconfig = world.service.kubeconfig().display().to_string();
    let cluster = format!("{CLUSTERS}/workload01");
    let etcd = &*world.landscape.store.endpoint;
    let args = ["evacuate", &*cluster, "--kubeconfig", &*kubeconfig, "--etcd", etcd];
    let output = run(&[&args, more].concat())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let log = text(&output.stderr);
    Ok((output.status.code().with_context(|| log.clone())?, text(&output.stdout), log))
}
