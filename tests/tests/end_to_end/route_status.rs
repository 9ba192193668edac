//! What a route's own status says of its names, on a real API server with the CRDs of the Gateway API.

use kube::Client;
use openmcp_dns_tests::conditions::wait_object;
use openmcp_dns_tests::dns::Answer;
use openmcp_dns_tests::manifests::{POLICY, route_reference};
use serde_json::{Value, json};

use crate::{LATER, SOON, World};

fn parents(route: &Value) -> &[Value] {
    route["status"]["parents"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn is_ours(entry: &&Value) -> bool {
    entry["controllerName"] == "dns.openmcp.cloud/openmcp-dns"
}

/// What others say.
fn others(route: &Value) -> Vec<Value> {
    parents(route).iter().filter(|entry| !is_ours(entry)).cloned().collect()
}

/// As `kubectl wait` with a JSON path: a condition of ours is True for the generation that is there.
async fn wait_true(client: &Client, route: &str, condition: &str) -> anyhow::Result<Value> {
    let what = format!("{condition} is True");
    wait_object(client, route_reference(route), &what, LATER, |object| {
        let own = parents(object).iter().find(is_ours)?;
        let found = own["conditions"].as_array()?.iter().find(|found| found["type"] == condition)?;
        let is_current = found["observedGeneration"] == object["metadata"]["generation"];
        (found["status"] == "True" && is_current).then(|| object.clone())
    })
    .await
}

pub(crate) async fn a_route_says_what_has_become_of_its_name_and_others_keep_their_entries(
    world: &World,
) -> anyhow::Result<()> {
    let (client, name) = (world.landscape.workload01.client(), "told.workload01.openmcp.cluster");
    let report = |is: bool| json!({ "spec": { "report": { "routeStatus": is } } });
    POLICY.merge(&world.platform(), &report(true)).await?;
    world.publish("told", &[name]).await?;
    let theirs = others(&wait_true(&client, "told", "Resolvable").await?);
    assert_eq!(theirs.len(), 1, "the Gateway's controller has its own");
    assert_ne!(world.landscape.central.udp.a(name).await, Answer::NoSuchName);

    let told = wait_true(&client, "told", "Propagated").await?;
    assert_eq!(others(&told), theirs);
    // At rest nothing more is written: when another route has been told all, this one is as it was.
    world.publish("told-too", &["told-too.workload01.openmcp.cluster"]).await?;
    wait_true(&client, "told-too", "Propagated").await?;
    let after = route_reference("told").get(&client).await?.unwrap_or_default();
    assert_eq!(after["metadata"]["resourceVersion"], told["metadata"]["resourceVersion"], "{after:#}");

    POLICY.merge(&world.platform(), &report(false)).await?;
    let gone = wait_object(&client, route_reference("told"), "our entry is gone", SOON, |object| {
        parents(object).iter().all(|entry| !is_ours(&entry)).then(|| object.clone())
    });
    assert_eq!(others(&gone.await?), theirs);
    for route in ["told", "told-too"] {
        route_reference(route).delete(&client).await?;
    }
    world.landscape.central.udp.wait_a(name, &Answer::NoSuchName, SOON).await?;
    world.wait_all_good().await?;
    Ok(())
}
