//! A cluster that nobody lets the service into, on real servers: somebody brings its agent, an unmodified external-dns, and
//! the names of its routes, Ingresses and Services resolve on another cluster.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::ListParams;
use openmcp_dns_tests::agent::ExternalDns;
use openmcp_dns_tests::conditions::{wait_all_good, wait_condition};
use openmcp_dns_tests::dns::Answer;
use openmcp_dns_tests::kinds::{Reference, apply};
use openmcp_dns_tests::landscape::Landscape;
use openmcp_dns_tests::manifests::{
    CLUSTERS, ZONE, accept, cluster_dns_reference, ingress, namespace, route,
};
use openmcp_dns_tests::ports::free_address;
use openmcp_dns_tests::programs::Provided;
use openmcp_dns_tests::service::Service;
use openmcp_dns_tests::steps::{Steps, show};
use openmcp_dns_tests::wait::wait_until;
use serde_json::{Value, json};

/// What the service looks at every few seconds, and a CoreDNS keeps for up to half a minute, on a busy machine.
const LATER: Duration = Duration::from_secs(120);

/// Where the service keeps what is its own.
const NAMESPACE: &str = "openmcp-dns";

/// The cluster.
const CLOSED: &str = "workload01";

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_nobody_lets_the_service_into() -> anyhow::Result<()> {
    if let Err(missing) = Provided::ExternalDns.path() {
        show(&format!("skipped: {missing:#}"));
        return Ok(());
    }
    let landscape = Landscape::start_with_gateway("172.18.201.1").await?;
    let mut steps = Steps::new(landscape.logs());
    let platform = landscape.platform.client();
    apply(&platform, &namespace(NAMESPACE)).await?;
    let kubeconfig = format!("{CLOSED}-kubeconfig");
    let kubeconfig = Reference { api_version: "v1", kind: "Secret", namespace: CLUSTERS, name: &kubeconfig };
    kubeconfig.delete(&platform).await?;
    let gate = free_address()?;
    apply(
        &platform,
        &json!({
            "apiVersion": "dns.openmcp.cloud/v1alpha1",
            "kind": "DNSServiceConfig",
            "metadata": {"name": "openmcp-dns"},
            "spec": {
                "clusters": [{
                    "selector": {"matchIdentities": [{"name": CLOSED, "namespace": CLUSTERS}]},
                    "recorder": "externalDNS",
                    "agent": {"flags": [
                        "--source=gateway-httproute", "--source=ingress", "--source=service", "--interval=1s", "--no-events",
                    ]},
                }],
                "gate": {"addresses": [gate.to_string()]},
            },
        }),
    )
    .await?;
    let mut service = Service::start_with(&landscape, "openmcp-dns", &[format!("--gate-listen={gate}")])?;
    let mut objects = Vec::new();
    let handing_out = async {
        objects = handed_out(&landscape).await?;
        Ok(())
    };
    steps.always("agent::it_is_handed_out", handing_out).await;
    let mut agent =
        ExternalDns::deployed(&landscape, &landscape.workload01, &objects)?.context("no agent")?;
    steps.always("agent::names_resolve_elsewhere", names_resolve(&landscape, &mut agent)).await;
    steps.run("agent::what_is_refused_is_an_event", refusals_are_events(&landscape, &mut agent)).await;
    steps.run("agent::all_is_well", all_is_well(&landscape)).await;
    service.stop().await?;
    steps.finish();
    Ok(())
}

/// What somebody brings to the cluster, as the condition says.
async fn handed_out(landscape: &Landscape) -> anyhow::Result<Vec<Value>> {
    let platform = landscape.platform.client();
    let reference = cluster_dns_reference(CLOSED);
    let said = wait_condition(&platform, reference, "Agent", "Unknown", "AgentByHand", LATER).await?;
    let secrets = Api::<Secret>::namespaced(platform.clone(), NAMESPACE);
    let named = said.split_whitespace().find(|word| word.starts_with("openmcp-dns-agent-"));
    let secret = secrets.get(named.with_context(|| format!("no Secret is named: {said}"))?).await?;
    let list = secret.data.unwrap_or_default().remove("agent.json").context("no agent.json")?;
    let mut list: Value = serde_json::from_slice(&list.0)?;
    let objects: Vec<Value> = serde_json::from_value(list["items"].take())?;
    // Its API server takes all of it.
    for object in &objects {
        apply(&landscape.workload01.client(), object).await?;
    }
    let reachable =
        wait_condition(&platform, reference, "Reachable", "Unknown", "AgentByHand", LATER).await?;
    ensure!(reachable.contains("no access"), "{reachable}");
    Ok(objects)
}

/// Waits until the central DNS and the DNS of another cluster answer a name so; starts the agent again when it has ended.
async fn resolves(
    landscape: &Landscape,
    agent: &mut ExternalDns,
    name: &str,
    address: &str,
) -> anyhow::Result<()> {
    let expected = Answer::of([address]);
    let (central, elsewhere) = (&landscape.central.udp, &landscape.workload02.dns.udp);
    wait_until(&format!("{name} is {address}"), LATER, async || {
        agent.keep_alive()?;
        let answers = [central.a(name).await, elsewhere.a(name).await];
        Ok(if answers.iter().all(|answer| *answer == expected) {
            Ok(())
        } else {
            Err(format!("{answers:?}"))
        })
    })
    .await
}

/// The seed's route, an Ingress, and external-dns's own case: a Service with a host name.
async fn names_resolve(landscape: &Landscape, agent: &mut ExternalDns) -> anyhow::Result<()> {
    let client = landscape.workload01.client();
    let name = |label: &str| format!("{label}.{CLOSED}.{ZONE}");
    apply(&client, &route("example-route", &[&name("svc-abc123")])).await?;
    accept(&client, "example-route").await?;
    let balancer = |address: &str| json!({ "loadBalancer": { "ingress": [{ "ip": address }] } });
    let shop = ingress("shop", &name("shop"));
    apply(&client, &shop).await?;
    Reference::of(&shop).merge_status(&client, &balancer("172.18.201.7")).await?;
    let service = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "externaldns-e2e",
            "namespace": "default",
            // From 0.22 on, external-dns reads the second alone.
            "annotations": {
                "external-dns.alpha.kubernetes.io/hostname": name("externaldns-e2e"),
                "external-dns.kubernetes.io/hostname": name("externaldns-e2e"),
            },
        },
        "spec": { "type": "LoadBalancer", "ports": [{ "port": 80 }], "selector": { "app": "demo-app" } },
    });
    apply(&client, &service).await?;
    Reference::of(&service).merge_status(&client, &balancer("172.18.201.8")).await?;
    for (label, address) in
        [("svc-abc123", "172.18.201.1"), ("shop", "172.18.201.7"), ("externaldns-e2e", "172.18.201.8")]
    {
        resolves(landscape, agent, &name(label), address).await?;
    }
    Ok(())
}

async fn refusals_are_events(landscape: &Landscape, agent: &mut ExternalDns) -> anyhow::Result<()> {
    let client = landscape.workload01.client();
    let host = format!("denied.{CLOSED}.{ZONE}");
    let denied = ingress("denied", &host);
    apply(&client, &denied).await?;
    let balancer = json!({ "loadBalancer": { "ingress": [{ "ip": "127.0.0.1" }] } });
    Reference::of(&denied).merge_status(&client, &balancer).await?;
    let events = Api::<Event>::namespaced(landscape.platform.client(), CLUSTERS);
    wait_until("there is an Event of the ClusterDNS", LATER, async || {
        agent.keep_alive()?;
        let all = events.list(&ListParams::default()).await?.items;
        let is_it = |event: &Event| {
            let regarding = event.regarding.clone().unwrap_or_default();
            event.reason.as_deref() == Some("AgentRefused")
                && (regarding.kind.as_deref(), regarding.name.as_deref())
                    == (Some("ClusterDNS"), Some(CLOSED))
                && event.note.as_deref().is_some_and(|note| note.contains(&host))
        };
        Ok(if all.iter().any(is_it) { Ok(()) } else { Err(format!("{all:?}")) })
    })
    .await?;
    // The others are published all the same.
    let fresh = ingress("fresh", &format!("zzz.{CLOSED}.{ZONE}"));
    apply(&client, &fresh).await?;
    let balancer = json!({ "loadBalancer": { "ingress": [{ "ip": "172.18.201.9" }] } });
    Reference::of(&fresh).merge_status(&client, &balancer).await?;
    resolves(landscape, agent, &format!("zzz.{CLOSED}.{ZONE}"), "172.18.201.9").await
}

/// Nothing alarms: the zone is forwarded by hand too, as condition Forwarded says.
async fn all_is_well(landscape: &Landscape) -> anyhow::Result<()> {
    let platform = landscape.platform.client();
    let reference = cluster_dns_reference(CLOSED);
    let said = wait_condition(&platform, reference, "Forwarded", "False", "Mismatch", LATER).await?;
    let central = landscape.central.udp.address();
    ensure!(said.contains(&format!("forward {ZONE} to {central} there")), "{said}");
    let dns = &landscape.workload01.dns;
    let address = dns.udp.address();
    let block =
        format!("{ZONE}:{} {{\n    bind {}\n    forward . {central}\n}}\n", address.port(), address.ip());
    dns.write_corefile(&format!("{}{block}", dns.installed)).await?;
    let status = wait_all_good(&platform, CLOSED, LATER).await?;
    ensure!(status.to_string().contains("needs none"), "{status}");
    Ok(())
}
