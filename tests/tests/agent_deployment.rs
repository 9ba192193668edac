//! The agent of a cluster on a real API server: what the service brings, corrects and takes away. No pod runs here.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Client};
use openmcp_dns_tests::conditions::wait_object;
use openmcp_dns_tests::kinds::apply;
use openmcp_dns_tests::landscape::Landscape;
use openmcp_dns_tests::manifests::{CLUSTERS, cluster_dns_reference, cluster_reference, namespace};
use openmcp_dns_tests::ports::free_address;
use openmcp_dns_tests::service::{Service, output_of};
use openmcp_dns_tests::steps::Steps;
use openmcp_dns_tests::wait::wait_until;
use serde_json::{Value, json};

/// For everything that takes milliseconds unless the machine is busy.
const SOON: Duration = Duration::from_secs(60);

const AGENT: &str = "openmcp-dns-agent";

/// Where the service keeps what is its own.
const NAMESPACE: &str = "openmcp-dns";

#[tokio::test(flavor = "multi_thread")]
async fn the_agent_of_a_cluster() -> anyhow::Result<()> {
    let landscape = Landscape::start_with_gateway("172.18.201.77").await?;
    let mut steps = Steps::new(landscape.logs());
    apply(&landscape.platform.client(), &namespace(NAMESPACE)).await?;
    let gate = format!("--gate-listen={}", free_address()?);
    let mut service = Service::start_with(&landscape, "openmcp-dns", &[gate])?;
    steps.always("agent::it_comes", it_comes(&landscape)).await;
    steps.always("agent::it_runs", it_runs(&landscape)).await;
    steps.run("agent::drift_is_corrected", drift_is_corrected(&landscape)).await;
    steps.run("agent::somebody_elses_object_is_named", a_foreign_object_is_named(&landscape)).await;
    steps.run("agent::it_goes_with_its_cluster", it_goes_with_its_cluster(&landscape)).await;
    steps.run("agent::it_goes", it_goes(&landscape)).await;
    service.stop().await?;
    steps.run("agent::uninstall_takes_it", uninstall_takes_it(&landscape, &service)).await;
    steps.finish();
    Ok(())
}

/// The DNSServiceConfig, with an agent in one cluster.
async fn configure(landscape: &Landscape, cluster: &str, agent: Value) -> anyhow::Result<()> {
    let selector = json!({"matchIdentities": [{"name": cluster, "namespace": CLUSTERS}]});
    give(landscape, &json!({"selector": selector, "recorder": "externalDNS", "agent": agent})).await
}

async fn give(landscape: &Landscape, rule: &Value) -> anyhow::Result<()> {
    let config = json!({
        "apiVersion": "dns.openmcp.cloud/v1alpha1",
        "kind": "DNSServiceConfig",
        "metadata": {"name": "openmcp-dns"},
        "spec": {"clusters": [rule], "gate": {"addresses": ["172.18.101.9"]}},
    });
    apply(&landscape.platform.client(), &config).await
}

/// Waits until the condition `Agent` of a cluster says this.
async fn says(landscape: &Landscape, cluster: &str, status: &str, message: &str) -> anyhow::Result<()> {
    let platform = landscape.platform.client();
    let what = format!("Agent is {status}: {message}");
    wait_object(&platform, cluster_dns_reference(cluster), &what, SOON, |object| {
        let conditions = object["status"]["conditions"].as_array()?;
        let condition = conditions.iter().find(|condition| condition["type"] == "Agent")?;
        let said = condition["message"].as_str().is_some_and(|text| text.contains(message));
        (said && condition["status"] == status).then_some(())
    })
    .await
}

/// How a kubelet would report the agent's pod.
async fn report(client: &Client) -> anyhow::Result<()> {
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), AGENT);
    let generation = deployments.get(AGENT).await?.metadata.generation;
    let status = json!({"status": {
        "observedGeneration": generation, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1,
    }});
    deployments.patch_status(AGENT, &PatchParams::default(), &Patch::Merge(status)).await?;
    Ok(())
}

async fn flags(client: &Client) -> anyhow::Result<Vec<String>> {
    let deployment = Api::<Deployment>::namespaced(client.clone(), AGENT).get(AGENT).await?;
    let template = deployment.spec.context("no spec")?.template.spec.context("no pod")?;
    Ok(template.containers.into_iter().flat_map(|container| container.args.unwrap_or_default()).collect())
}

/// The Secrets with agents' certificates on the platform cluster.
async fn certificates(landscape: &Landscape) -> anyhow::Result<Vec<String>> {
    let secrets = Api::<Secret>::namespaced(landscape.platform.client(), NAMESPACE);
    let all = secrets.list_metadata(&ListParams::default()).await?;
    let names = all.items.into_iter().filter_map(|secret| secret.metadata.name);
    Ok(names.filter(|name| name.starts_with("openmcp-dns-agent-")).collect())
}

async fn it_comes(landscape: &Landscape) -> anyhow::Result<()> {
    says(landscape, "workload01", "True", "the service records the host names of the cluster itself").await?;
    configure(landscape, "workload01", json!({})).await?;
    says(landscape, "workload01", "Unknown", "the agent starts").await?;
    says(landscape, "workload02", "True", "the service records the host names of the cluster itself").await?;

    let client = landscape.workload01.client();
    let flags = flags(&client).await?;
    for flag in
        ["--domain-filter=workload01.openmcp.cluster", "--source=gateway-httproute", "--source=ingress"]
    {
        ensure!(flags.iter().any(|given| given == flag), "no {flag} in {flags:?}");
    }
    let secret = Api::<Secret>::namespaced(client.clone(), AGENT).get(AGENT).await?;
    let files: Vec<String> = secret.data.unwrap_or_default().into_keys().collect();
    ensure!(files == ["ca.crt", "tls.crt", "tls.key"], "{files:?}");
    let role = Api::<ClusterRole>::all(client.clone()).get(AGENT).await?;
    let verbs: Vec<String> = role.rules.iter().flatten().flat_map(|rule| rule.verbs.clone()).collect();
    ensure!(verbs.iter().all(|verb| ["get", "list", "watch"].contains(&&**verb)), "{verbs:?}");
    ensure!(certificates(landscape).await?.len() == 1);
    // What etcd's client looks for in it is the address, whatever name it is told.
    let gate =
        Api::<Secret>::namespaced(landscape.platform.client(), NAMESPACE).get("openmcp-dns-gate").await?;
    let names = gate.metadata.annotations.unwrap_or_default().remove("dns.openmcp.cloud/names");
    ensure!(names.as_deref() == Some("openmcp-dns-gate,172.18.101.9"), "{names:?}");
    Ok(())
}

async fn it_runs(landscape: &Landscape) -> anyhow::Result<()> {
    report(&landscape.workload01.client()).await?;
    says(landscape, "workload01", "True", "through the gate at 172.18.101.9:2379").await
}

async fn drift_is_corrected(landscape: &Landscape) -> anyhow::Result<()> {
    let client = landscape.workload01.client();
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), AGENT);
    let image = json!({"spec": {"template": {"spec": {"containers": [{"name": "external-dns", "image": "evil:1"}]}}}});
    deployments.patch(AGENT, &PatchParams::default(), &Patch::Strategic(image)).await?;
    wait_until("the image is ours again", SOON, async || {
        let deployment = serde_json::to_value(deployments.get(AGENT).await?)?;
        let image = deployment["spec"]["template"]["spec"]["containers"][0]["image"].to_string();
        Ok(if image.contains("evil") { Err(image) } else { Ok(()) })
    })
    .await?;
    // What the operator wants otherwise.
    configure(landscape, "workload01", json!({"flags": ["--interval=10s"]})).await?;
    wait_until("the flag is the operator's", SOON, async || {
        let flags = flags(&client).await?;
        Ok(if flags.iter().any(|flag| flag == "--interval=10s") { Ok(()) } else { Err(format!("{flags:?}")) })
    })
    .await?;
    report(&client).await?;
    says(landscape, "workload01", "True", "through the gate").await
}

async fn a_foreign_object_is_named(landscape: &Landscape) -> anyhow::Result<()> {
    let client = landscape.workload01.client();
    let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), AGENT);
    let label = |manager: Value| json!({"metadata": {"labels": {"app.kubernetes.io/managed-by": manager}}});
    accounts.patch(AGENT, &PatchParams::default(), &Patch::Merge(label(json!("somebody")))).await?;
    // Everything is compared when anything is applied.
    configure(landscape, "workload01", json!({"flags": ["--interval=20s"]})).await?;
    says(landscape, "workload01", "False", "is not ours").await?;
    accounts.patch(AGENT, &PatchParams::default(), &Patch::Merge(label(json!("openmcp-dns")))).await?;
    says(landscape, "workload01", "Unknown", "the agent starts").await?;
    report(&client).await
}

/// Waits until a cluster has no agent; no controller ends a namespace here.
async fn is_gone(client: &Client) -> anyhow::Result<()> {
    wait_until("nothing is left of the agent", SOON, async || {
        let deployment = Api::<Deployment>::namespaced(client.clone(), AGENT).get_opt(AGENT).await?;
        let role = Api::<ClusterRole>::all(client.clone()).get_opt(AGENT).await?;
        let binding = Api::<ClusterRoleBinding>::all(client.clone()).get_opt(AGENT).await?;
        let namespace = Api::<Namespace>::all(client.clone()).get_opt(AGENT).await?;
        let ends = namespace.is_none_or(|namespace| namespace.metadata.deletion_timestamp.is_some());
        let left = [deployment.is_some(), role.is_some(), binding.is_some(), !ends];
        Ok(if left == [false; 4] { Ok(()) } else { Err(format!("{left:?}")) })
    })
    .await
}

async fn it_goes_with_its_cluster(landscape: &Landscape) -> anyhow::Result<()> {
    give(landscape, &json!({"recorder": "externalDNS"})).await?;
    says(landscape, "workload02", "Unknown", "the agent starts").await?;
    ensure!(certificates(landscape).await?.len() == 3);
    cluster_reference("workload02").delete(&landscape.platform.client()).await?;
    is_gone(&landscape.workload02.client()).await?;
    ensure!(certificates(landscape).await?.len() == 2);
    Ok(())
}

async fn it_goes(landscape: &Landscape) -> anyhow::Result<()> {
    configure(landscape, "platform", json!({})).await?;
    is_gone(&landscape.workload01.client()).await?;
    says(landscape, "workload01", "True", "the service records the host names of the cluster itself").await?;
    says(landscape, "platform", "Unknown", "the agent starts").await?;
    ensure!(certificates(landscape).await?.len() == 1);
    Ok(())
}

/// The service does not run any more.
async fn uninstall_takes_it(landscape: &Landscape, service: &Service) -> anyhow::Result<()> {
    let kubeconfig = service.kubeconfig().display().to_string();
    let arguments = ["uninstall", "--kubeconfig", &kubeconfig, "--etcd", &landscape.store.endpoint];
    let said = output_of(&arguments)?;
    ensure!(said.contains(&format!("removed agent in cluster {CLUSTERS}/platform")), "{said}");
    is_gone(&landscape.platform.client()).await
}
