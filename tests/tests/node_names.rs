//! Names for the nodes of a cluster on a real API server: what the service brings, corrects and takes away. No pod runs here.

use std::time::Duration;

use anyhow::ensure;
use k8s_openapi::api::apps::v1::DaemonSet;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use openmcp_dns_tests::conditions::wait_object;
use openmcp_dns_tests::kinds::apply;
use openmcp_dns_tests::landscape::Landscape;
use openmcp_dns_tests::manifests::{CLUSTERS, accept, cluster_dns_reference, route};
use openmcp_dns_tests::service::{Service, output_of};
use openmcp_dns_tests::steps::Steps;
use openmcp_dns_tests::wait::wait_until;
use serde_json::{Value, json};

/// For everything that takes milliseconds unless the machine is busy.
const SOON: Duration = Duration::from_secs(60);

const NODES: &str = "openmcp-dns-nodes";

/// Where the Gateway of the first workload cluster is.
const ADDRESS: &str = "172.18.201.77";

const HOST: &str = "hook.workload01.openmcp.cluster";

#[tokio::test(flavor = "multi_thread")]
async fn names_for_the_nodes_of_a_cluster() -> anyhow::Result<()> {
    let landscape = Landscape::start_with_gateway(ADDRESS).await?;
    let mut steps = Steps::new(landscape.logs());
    let mut service = Service::start_with(&landscape, "openmcp-dns", &[])?;
    steps.always("nodes::names_come", names_come(&landscape)).await;
    steps.run("nodes::drift_is_corrected", drift_is_corrected(&landscape)).await;
    steps.run("nodes::a_restart_writes_nothing", a_restart_writes_nothing(&landscape, &mut service)).await;
    steps.run("nodes::names_go", names_go(&landscape)).await;
    steps.run("nodes::uninstall_takes_them", uninstall_takes_them(&landscape, &mut service)).await;
    steps.finish();
    Ok(())
}

/// The DNSServiceConfig, with names for the nodes of one cluster.
async fn configure(landscape: &Landscape, cluster: &str) -> anyhow::Result<()> {
    let nodes = json!({"names": ["*.openmcp.cluster"], "staticPods": true});
    give(landscape, cluster, &json!({"nodes": nodes})).await
}

async fn give(landscape: &Landscape, cluster: &str, forward: &Value) -> anyhow::Result<()> {
    let selector = json!({"matchIdentities": [{"name": cluster, "namespace": CLUSTERS}]});
    let config = json!({
        "apiVersion": "dns.openmcp.cloud/v1alpha1",
        "kind": "DNSServiceConfig",
        "metadata": {"name": "openmcp-dns"},
        "spec": {"clusters": [{"selector": selector, "forward": forward}]},
    });
    apply(&landscape.platform.client(), &config).await
}

/// Waits until the condition `NodesForwarded` of a cluster says this.
async fn says(landscape: &Landscape, cluster: &str, status: &str, message: &str) -> anyhow::Result<()> {
    let platform = landscape.platform.client();
    let what = format!("NodesForwarded is {status}: {message}");
    wait_object(&platform, cluster_dns_reference(cluster), &what, SOON, |object| {
        let conditions = object["status"]["conditions"].as_array()?;
        let condition = conditions.iter().find(|condition| condition["type"] == "NodesForwarded")?;
        let said = condition["message"].as_str().is_some_and(|text| text.contains(message));
        (said && condition["status"] == status).then_some(())
    })
    .await
}

fn daemon_sets(client: &Client) -> Api<DaemonSet> {
    Api::namespaced(client.clone(), NODES)
}

/// How the DaemonSet's controller would report that the pods of all nodes are ready.
async fn report(client: &Client) -> anyhow::Result<()> {
    let generation = daemon_sets(client).get(NODES).await?.metadata.generation;
    let status = json!({"status": {
        "observedGeneration": generation, "currentNumberScheduled": 2, "desiredNumberScheduled": 2,
        "numberMisscheduled": 0, "updatedNumberScheduled": 2, "numberReady": 2,
    }});
    daemon_sets(client).patch_status(NODES, &PatchParams::default(), &Patch::Merge(status)).await?;
    Ok(())
}

async fn container(client: &Client) -> anyhow::Result<Value> {
    let daemon_set = serde_json::to_value(daemon_sets(client).get(NODES).await?)?;
    Ok(daemon_set["spec"]["template"]["spec"]["containers"][0].clone())
}

async fn takes_away(client: &Client) -> anyhow::Result<()> {
    wait_until("the pods are told to take the names away", SOON, async || {
        let args = container(client).await?["args"].to_string();
        Ok(if args.contains("--names") { Err(args) } else { Ok(()) })
    })
    .await
}

/// Waits until nothing is there any more; no controller ends a namespace here.
async fn is_gone(client: &Client) -> anyhow::Result<()> {
    wait_until("nothing is left", SOON, async || {
        let daemon_set = daemon_sets(client).get_opt(NODES).await?;
        let namespace = Api::<Namespace>::all(client.clone()).get_opt(NODES).await?;
        let ends = namespace.is_none_or(|namespace| namespace.metadata.deletion_timestamp.is_some());
        let left = [daemon_set.is_some(), !ends];
        Ok(if left == [false; 2] { Ok(()) } else { Err(format!("{left:?}")) })
    })
    .await
}

async fn names_come(landscape: &Landscape) -> anyhow::Result<()> {
    says(landscape, "workload01", "True", "no node is to know names").await?;
    let client = landscape.workload01.client();
    apply(&client, &route("hook", &[HOST])).await?;
    accept(&client, "hook").await?;
    configure(landscape, "workload01").await?;
    wait_until("the name is told", SOON, async || {
        let names = Api::<ConfigMap>::namespaced(client.clone(), NODES).get_opt(NODES).await?;
        let names = names.and_then(|names| names.data?.remove("hosts")).unwrap_or_default();
        let is_there = names.lines().any(|line| line == format!("{ADDRESS} {HOST}"));
        Ok(if is_there { Ok(()) } else { Err(names) })
    })
    .await?;
    says(landscape, "workload01", "Unknown", "nodes have them").await?;
    report(&client).await?;
    says(landscape, "workload01", "True", "names are told to 2 nodes").await?;
    says(landscape, "workload02", "True", "no node is to know names").await
}

async fn drift_is_corrected(landscape: &Landscape) -> anyhow::Result<()> {
    let client = landscape.workload01.client();
    let image =
        json!({"spec": {"template": {"spec": {"containers": [{"name": "node-hosts", "image": "evil:1"}]}}}});
    daemon_sets(&client).patch(NODES, &PatchParams::default(), &Patch::Strategic(image)).await?;
    wait_until("the image is ours again", SOON, async || {
        let image = container(&client).await?["image"].to_string();
        Ok(if image.contains("evil") { Err(image) } else { Ok(()) })
    })
    .await?;
    report(&client).await?;
    says(landscape, "workload01", "True", "names are told to 2 nodes").await
}

async fn a_restart_writes_nothing(landscape: &Landscape, service: &mut Service) -> anyhow::Result<()> {
    let client = landscape.workload01.client();
    let generation = async || anyhow::Ok(daemon_sets(&client).get(NODES).await?.metadata.generation);
    let before = generation().await?;
    service.stop().await?;
    let status = json!({"status": {"numberReady": 1}});
    daemon_sets(&client).patch_status(NODES, &PatchParams::default(), &Patch::Merge(status)).await?;
    service.resume()?;
    // All objects are compared before the pods are looked at.
    says(landscape, "workload01", "Unknown", "1 of 2 nodes have them").await?;
    report(&client).await?;
    says(landscape, "workload01", "True", "names are told to 2 nodes").await?;
    ensure!(generation().await? == before, "the DaemonSet was written again");
    Ok(())
}

async fn names_go(landscape: &Landscape) -> anyhow::Result<()> {
    let client = landscape.workload01.client();
    configure(landscape, "platform").await?;
    takes_away(&client).await?;
    says(landscape, "workload01", "Unknown", "taken the names away").await?;
    report(&client).await?;
    is_gone(&client).await?;
    says(landscape, "workload01", "True", "no node is to know names").await
}

async fn uninstall_takes_them(landscape: &Landscape, service: &mut Service) -> anyhow::Result<()> {
    let client = landscape.platform.client();
    says(landscape, "platform", "Unknown", "nodes have them").await?;
    service.stop().await?;
    let reporting = async {
        takes_away(&client).await?;
        report(&client).await
    };
    let kubeconfig = service.kubeconfig().display().to_string();
    let endpoint = landscape.store.endpoint.clone();
    let arguments =
        ["uninstall".to_owned(), "--kubeconfig".to_owned(), kubeconfig, "--etcd".to_owned(), endpoint];
    let said = tokio::task::spawn_blocking(move || {
        output_of(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    });
    let (said, reported) = tokio::join!(said, reporting);
    let said = said??;
    reported?;
    let line = format!("removed names in the hosts files of the nodes of cluster {CLUSTERS}/platform");
    ensure!(said.contains(&line), "{said}");
    is_gone(&client).await
}
