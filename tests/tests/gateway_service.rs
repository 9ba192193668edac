//! Clusters get the domains that openMCP's gateway service gives them, on real API servers with its own definition: it comes,
//! says something else, agrees, and goes. What it does in clusters is done here by hand.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use openmcp_dns_tests::conditions::wait_condition;
use openmcp_dns_tests::kinds::{Reference, apply, apply_crds};
use openmcp_dns_tests::landscape::gateway_api_crds;
use openmcp_dns_tests::manifests::{CLUSTERS, cluster_dns_reference, cluster_reference, namespace};
use openmcp_dns_tests::openmcp::gateway_service_config_crd;
use openmcp_dns_tests::process::Process;
use openmcp_dns_tests::programs::openmcp_dns;
use openmcp_dns_tests::two_clusters::{TwoClusters, bindings, give_address, installed};
use openmcp_dns_tests::wait::wait_until;
use serde_json::{Value, json};

/// Twice a minute it is looked whether the gateway service has come.
const LATER: Duration = Duration::from_secs(90);

const CLUSTER: &str = "workload01";
const DOMAIN: &str = "dns.openmcp.cloud/base-domain";
const ZONE: &str = "dns.openmcp.cloud/zone";

/// In the layout of the service, and in that of the gateway service.
const OURS: &str = "workload01.openmcp.cluster";
const GATEWAYS: &str = "workload01.openmcp-clusters.openmcp.cluster";

/// The gateway service's own example (`sample.yaml` of platform-service-gateway), with a domain.
fn config(base_domain: &str) -> Value {
    json!({
        "apiVersion": "gateway.openmcp.cloud/v1alpha1",
        "kind": "GatewayServiceConfig",
        "metadata": {"name": "gateway"},
        "spec": {
            "clusters": [
                {"selector": {"matchLabels": {"gateway": "true"}}},
                {"selector": {"matchPurpose": "platform"}},
                {"selector": {"matchPurpose": "workload", "matchLabels": {"foo": "bar"}}},
                {"clusterRef": {"name": "abc", "namespace": "default"}},
            ],
            "envoyGateway": {"chart": {"tag": "1.5.4"}},
            "dns": {"baseDomain": base_domain},
        },
    })
}

/// The Gateway that it makes in a cluster, as service-provider-landscaper has it in its tests.
fn gateway(domain: &str) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "default", "namespace": "openmcp-system", "annotations": {DOMAIN: domain}},
        "spec": {
            "gatewayClassName": "eg",
            "listeners": [{
                "allowedRoutes": {"namespaces": {"from": "All"}}, "name": "tls", "port": 9443, "protocol": "TLS",
                "tls": {"mode": "Passthrough"},
            }],
        },
    })
}

struct World {
    servers: TwoClusters,
    service: Process,
}

impl World {
    /// The service with the rights of `deploy`, before there is a gateway service.
    async fn start() -> Self {
        let servers = TwoClusters::start().await.unwrap();
        servers.install().await.unwrap();
        let [platform, workload] = servers.clients();
        apply_crds(&workload, &gateway_api_crds().unwrap()).await.unwrap();
        apply(&workload, &namespace("openmcp-system")).await.unwrap();
        servers.add_clusters(&servers.workload.kubeconfig()).await.unwrap();
        let selected = json!({"metadata": {"labels": {"foo": "bar"}}});
        cluster_reference(CLUSTER).merge(&platform, &selected).await.unwrap();
        let own = servers.platform.kubeconfig_of("openmcp-dns", "openmcp-dns").await.unwrap();
        let arguments = [
            "run".to_owned(),
            format!("--kubeconfig={}", servers.write("service.yaml", &own).unwrap()),
            format!("--etcd={}", servers.etcd.endpoint),
            "--dns-server=127.0.0.1:1".to_owned(),
            "--metrics-listen=0".to_owned(),
            format!("--platform-cluster={CLUSTERS}/platform"),
        ];
        let environment = [("NO_COLOR", "1")];
        let logs = servers.folder();
        let service =
            Process::start("openmcp-dns", &openmcp_dns().unwrap(), arguments, &environment, logs).unwrap();
        Self { servers, service }
    }

    /// What stands on the `Cluster` as its domain, once it is this.
    async fn carries(&self, key: &str, value: Option<&str>) {
        let platform = self.servers.platform.client();
        wait_until(&format!("the Cluster carries {value:?} as {key}"), LATER, async || {
            let object = cluster_reference(CLUSTER).get(&platform).await?.unwrap_or_default();
            let found = object["metadata"]["annotations"][key].as_str();
            Ok(if found == value { Ok(()) } else { Err(format!("{found:?}\n{}", self.service.log_tail())) })
        })
        .await
        .unwrap();
    }

    /// What `Annotated` says.
    async fn said(&self, status: &str, reason: &str) -> String {
        let platform = self.servers.platform.client();
        let object = cluster_dns_reference(CLUSTER);
        wait_condition(&platform, object, "Annotated", status, reason, LATER).await.unwrap()
    }

    /// The domains do not agree, and who gives which is said.
    async fn disagrees(&self, all: [&str; 3]) {
        let platform = self.servers.platform.client();
        wait_until(&format!("it is said who gives which domain: {all:?}"), LATER, async || {
            let object = cluster_dns_reference(CLUSTER).get(&platform).await?.unwrap_or_default();
            let said = openmcp_dns_tests::conditions::find(&object, "Annotated").cloned().unwrap_or_default();
            let is_it = said["status"] == "False"
                && said["reason"] == "DomainDisagrees"
                && all.iter().all(|part| said["message"].as_str().is_some_and(|text| text.contains(part)));
            Ok(if is_it { Ok(()) } else { Err(said.to_string()) })
        })
        .await
        .unwrap();
    }

    /// An Ingress of this name is recorded.
    async fn records(&self, ingress: &str, domain: &str) {
        self.servers.ingress(ingress, &format!("{ingress}.{domain}")).await.unwrap();
        give_address(&self.servers.workload.client(), ingress, "10.0.0.8").await.unwrap();
        let path: Vec<&str> = domain.rsplit('.').collect();
        let path = format!("/skydns/{}/{ingress}", path.join("/"));
        wait_until(&format!("{path} is recorded"), LATER, async || {
            let found = self.servers.etcd.below(&path).await?;
            Ok(if found.len() == 1 { Ok(()) } else { Err(self.service.log_tail()) })
        })
        .await
        .unwrap();
    }

    /// How often the service has written the `Cluster`.
    fn writes(&self) -> usize {
        let path = format!("/apis/clusters.openmcp.cloud/v1alpha1/namespaces/{CLUSTERS}/clusters/{CLUSTER}");
        let user = "system:serviceaccount:openmcp-dns:openmcp-dns";
        self.servers.platform.audited(user).unwrap().writes_of(&path)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clusters_have_the_domains_of_the_gateway_service_as_long_as_it_is_there() {
    let world = World::start().await;
    let [platform, workload] = world.servers.clients();
    world.carries(DOMAIN, Some(OURS)).await;
    world.said("True", "Succeeded").await;
    assert_eq!(world.writes(), 3, "our finalizer, the zone, the domain");

    // It comes later, with another zone.
    apply_crds(&platform, &[gateway_service_config_crd().unwrap()]).await.unwrap();
    apply(&platform, &config("dev.example.com")).await.unwrap();
    let theirs = "the GatewayServiceConfig gateway gives it workload01.openmcp-clusters.dev.example.com";
    let policy = "the DNSPolicy landscape gives the cluster workload01.openmcp.cluster";
    world.disagrees([policy, theirs, "carries none"]).await;
    assert_eq!(world.writes(), 3, "what is said is not written");

    // With ours, its layout is taken, and nobody has said so in a policy. That is one write.
    apply(&platform, &config("openmcp.cluster")).await.unwrap();
    world.carries(DOMAIN, Some(GATEWAYS)).await;
    world.said("True", "Succeeded").await;
    world.records("later", GATEWAYS).await;
    assert_eq!(world.writes(), 4);

    // Its Gateway says something else, and then the same.
    apply(&workload, &gateway("openmcp.cluster.local")).await.unwrap();
    let policy = "the DNSPolicy landscape gives the cluster workload01.openmcp-clusters.openmcp.cluster";
    let config_says = "the GatewayServiceConfig gateway gives it workload01.openmcp-clusters.openmcp.cluster";
    world.disagrees([policy, config_says, r#"carries "openmcp.cluster.local""#]).await;
    apply(&workload, &gateway(GATEWAYS)).await.unwrap();
    world.said("True", "Succeeded").await;
    assert_eq!(world.writes(), 4);

    // It is deleted, and its Gateway is still there, below whose domain services build names.
    Reference::of(&config("")).delete(&platform).await.unwrap();
    let policy = "the DNSPolicy landscape gives the cluster workload01.openmcp.cluster";
    let carries = format!("carries {GATEWAYS:?}");
    world.disagrees([policy, "no GatewayServiceConfig selects it", &carries]).await;
    world.carries(DOMAIN, Some(OURS)).await;
    Reference::of(&gateway("")).delete(&workload).await.unwrap();
    world.said("True", "Succeeded").await;
    assert_eq!(world.writes(), 5);

    // It comes back; its definition goes with all its objects, and comes back.
    apply(&platform, &config("openmcp.cluster")).await.unwrap();
    world.carries(DOMAIN, Some(GATEWAYS)).await;
    let crd = Reference {
        api_version: "apiextensions.k8s.io/v1",
        kind: "CustomResourceDefinition",
        namespace: "",
        name: "gatewayserviceconfigs.gateway.openmcp.cloud",
    };
    crd.delete(&platform).await.unwrap();
    world.carries(DOMAIN, Some(OURS)).await;
    wait_until("the definition is gone", LATER, async || {
        Ok(crd.get(&platform).await?.map_or(Ok(()), |crd| Err(crd["status"].to_string())))
    })
    .await
    .unwrap();
    apply_crds(&platform, &[gateway_service_config_crd().unwrap()]).await.unwrap();
    apply(&platform, &config("openmcp.cluster")).await.unwrap();
    world.carries(DOMAIN, Some(GATEWAYS)).await;
    world.said("True", "Succeeded").await;
    assert_eq!(world.writes(), 8);

    // What somebody else has set is theirs, also when the Cluster goes.
    let change = json!({"metadata": {"annotations": {DOMAIN: "theirs.example.com"}, "finalizers": [
        "platformservice.openmcp.cloud/dns", "example.com/provider"]}});
    cluster_reference(CLUSTER).merge(&platform, &change).await.unwrap();
    world.said("False", "ForeignValue").await;
    cluster_reference(CLUSTER).delete(&platform).await.unwrap();
    wait_until("our finalizer is gone", LATER, async || {
        let object = cluster_reference(CLUSTER).get(&platform).await?.unwrap_or_default();
        let left = &object["metadata"]["finalizers"];
        Ok(if *left == json!(["example.com/provider"]) { Ok(()) } else { Err(left.to_string()) })
    })
    .await
    .unwrap();
    world.carries(ZONE, None).await;
    world.carries(DOMAIN, Some("theirs.example.com")).await;

    // With the rights of `deploy`, and no others.
    let user = "system:serviceaccount:openmcp-dns:openmcp-dns";
    let audited = world.servers.platform.audited(user).unwrap();
    audited.is_within(&bindings(&installed().unwrap())).unwrap();
    let World { service, servers: _servers } = world;
    assert!(service.terminate(LATER).await.unwrap().success());
}
