//! Each kind of object that claims host names, through its life on a real API server.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::{Patch, PatchParams};
use openmcp_dns_tests::conditions::wait_object;
use openmcp_dns_tests::dns::Answer;
use openmcp_dns_tests::kinds::{Reference, apply, apply_crds};
use openmcp_dns_tests::wait::wait_until;
use serde_json::{Value, json};

use crate::{LATER, SOON, World};

const ADDRESS: &str = "172.18.202.20";

/// The Gateway of these tests.
const GATEWAY: &str = "all-protocols";

const STABLE: &str = "gateway.networking.k8s.io/v1";

/// The version of TLSRoutes before that, which openMCP has.
const ALPHA: &str = "gateway.networking.k8s.io/v1alpha2";

/// Where clients on another cluster look for it.
fn name_of(host: &str) -> String {
    format!("{host}.workload02.openmcp.cluster")
}

fn metadata(name: &str, annotations: Value) -> Value {
    json!({ "name": name, "namespace": "default", "annotations": annotations })
}

fn accepted() -> Value {
    json!([{
        "type": "Accepted", "status": "True", "reason": "Accepted", "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }])
}

/// A Gateway with a listener for each protocol, with its address.
async fn gateway(world: &World) -> anyhow::Result<Value> {
    let listener = |name: &str, port: u16, protocol: &str, more: Value| {
        let mut listener = json!({ "name": name, "port": port, "protocol": protocol });
        for (key, value) in more.as_object().into_iter().flatten() {
            listener[key] = value.clone();
        }
        listener
    };
    let passthrough = json!({ "tls": { "mode": "Passthrough" } });
    let gateway = json!({
        "apiVersion": STABLE, "kind": "Gateway", "metadata": metadata(GATEWAY, json!({})),
        "spec": {
            "gatewayClassName": "openmcp",
            "allowedListeners": { "namespaces": { "from": "Same" } },
            "listeners": [
                listener("http", 80, "HTTP", json!({})),
                listener("tls", 9443, "TLS", passthrough),
                listener("tcp", 9000, "TCP", json!({})),
                listener("udp", 9001, "UDP", json!({})),
            ],
        },
    });
    let client = world.landscape.workload02.client();
    apply(&client, &gateway).await?;
    let addresses = json!({ "addresses": [{ "type": "IPAddress", "value": ADDRESS }] });
    Reference::of(&gateway).merge_status(&client, &addresses).await?;
    Ok(gateway)
}

fn route(api_version: &str, kind: &str, name: &str, host: &str) -> Value {
    let named = matches!(kind, "GRPCRoute" | "TLSRoute");
    let annotations = json!({ "external-dns.kubernetes.io/hostname": name_of(host) });
    let mut route = json!({
        "apiVersion": api_version, "kind": kind,
        "metadata": metadata(name, if named { json!({}) } else { annotations }),
        "spec": {
            "parentRefs": [{ "name": GATEWAY }],
            "rules": [{ "backendRefs": [{ "name": "svc", "port": 80 }] }],
        },
    });
    if named {
        route["spec"]["hostnames"] = json!([name_of(host)]);
    }
    route
}

fn accepted_by_the_gateway() -> Value {
    json!({ "parents": [{
        "parentRef": { "group": "gateway.networking.k8s.io", "kind": "Gateway", "name": GATEWAY },
        "controllerName": "example.com/a-test",
        "conditions": accepted(),
    }] })
}

impl World {
    async fn answers(&self, host: &str, addresses: &[&str]) -> anyhow::Result<()> {
        let expected = Answer::of(addresses.iter().copied());
        self.landscape.central.udp.wait_a(&name_of(host), &expected, LATER).await
    }

    async fn answers_no_more(&self, host: &str) -> anyhow::Result<()> {
        self.landscape.central.udp.wait_a(&name_of(host), &Answer::NoSuchName, SOON).await
    }
}

pub(crate) async fn routes_of_every_kind_resolve_and_no_longer_when_they_are_gone(
    world: &World,
) -> anyhow::Result<()> {
    let client = world.landscape.workload02.client();
    gateway(world).await?;
    for kind in ["GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute"] {
        let host = kind.to_lowercase();
        let route = route(STABLE, kind, &host, &host);
        apply(&client, &route).await?;
        let reference = Reference::of(&route);
        reference.merge_status(&client, &accepted_by_the_gateway()).await?;
        world.answers(&host, &[ADDRESS]).await?;
        reference.delete(&client).await?;
        world.answers_no_more(&host).await?;
    }
    Ok(())
}

pub(crate) async fn listeners_claim_their_host_names_where_an_annotation_wants_it(
    world: &World,
) -> anyhow::Result<()> {
    let client = world.landscape.workload02.client();
    let set = json!({
        "apiVersion": STABLE, "kind": "ListenerSet",
        "metadata": metadata("more", json!({ "dns.openmcp.cloud/listener-host-names": "true" })),
        "spec": {
            "parentRef": { "name": GATEWAY },
            "listeners": [{ "name": "own", "port": 8080, "protocol": "HTTP", "hostname": name_of("listener") }],
        },
    });
    apply(&client, &set).await?;
    let status = json!({
        "conditions": accepted(),
        "listeners": [{
            "name": "own", "attachedRoutes": 0, "conditions": accepted(),
            "supportedKinds": [{ "group": "gateway.networking.k8s.io", "kind": "HTTPRoute" }],
        }],
    });
    let reference = Reference::of(&set);
    reference.merge_status(&client, &status).await?;
    world.answers("listener", &[ADDRESS]).await?;
    reference.delete(&client).await?;
    world.answers_no_more("listener").await
}

pub(crate) async fn services_resolve_at_their_load_balancers_or_pods(world: &World) -> anyhow::Result<()> {
    let client = world.landscape.workload02.client();
    let service = |name: &str, spec: Value| {
        let annotations = json!({ "external-dns.alpha.kubernetes.io/hostname": name_of(name) });
        json!({ "apiVersion": "v1", "kind": "Service", "metadata": metadata(name, annotations), "spec": spec })
    };
    let ports = json!([{ "port": 80 }]);
    let balanced = service("balanced", json!({ "type": "LoadBalancer", "ports": ports }));
    apply(&client, &balanced).await?;
    let balancer = json!({ "loadBalancer": { "ingress": [{ "ip": "172.18.202.21" }] } });
    Reference::of(&balanced).merge_status(&client, &balancer).await?;
    world.answers("balanced", &["172.18.202.21"]).await?;

    let pods = service("pods", json!({ "clusterIP": "None", "ports": ports }));
    apply(&client, &pods).await?;
    let mut slice = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
        "metadata": {
            "name": "pods-1", "namespace": "default",
            "labels": { "kubernetes.io/service-name": "pods", "service.kubernetes.io/headless": "" },
        },
        "ports": [{ "port": 80 }],
        "endpoints": [
            { "addresses": ["10.2.0.1"], "hostname": "first", "conditions": { "ready": true } },
            { "addresses": ["10.2.0.2"], "conditions": { "ready": true } },
        ],
    });
    apply(&client, &slice).await?;
    // CoreDNS answers a name with the addresses below it, too; they are the same ones here.
    world.answers("pods", &["10.2.0.1", "10.2.0.2"]).await?;
    world.answers("first.pods", &["10.2.0.1"]).await?;
    slice["endpoints"][1]["conditions"]["ready"] = json!(false);
    apply(&client, &slice).await?;
    world.answers("pods", &["10.2.0.1"]).await?;

    for object in [&balanced, &pods, &slice] {
        Reference::of(object).delete(&client).await?;
    }
    for host in ["balanced", "first.pods", "pods"] {
        world.answers_no_more(host).await?;
    }
    Ok(())
}

pub(crate) async fn a_kind_is_read_from_when_its_crd_comes_until_it_goes(
    world: &World,
) -> anyhow::Result<()> {
    let client = world.landscape.workload02.client();
    let crd = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {
            "name": "dnsendpoints.externaldns.k8s.io",
            "annotations": { "api-approved.kubernetes.io": "https://github.com/kubernetes-sigs/external-dns/pull/2007" },
        },
        "spec": {
            "group": "externaldns.k8s.io", "scope": "Namespaced",
            "names": { "kind": "DNSEndpoint", "listKind": "DNSEndpointList", "plural": "dnsendpoints" },
            "versions": [{
                "name": "v1alpha1", "served": true, "storage": true,
                "schema": { "openAPIV3Schema": {
                    "type": "object", "x-kubernetes-preserve-unknown-fields": true,
                } },
            }],
        },
    });
    apply_crds(&client, &[crd.to_string()]).await?;
    let endpoint = json!({
        "apiVersion": "externaldns.k8s.io/v1alpha1", "kind": "DNSEndpoint",
        "metadata": metadata("legacy", json!({})),
        "spec": { "endpoints": [
            { "dnsName": name_of("legacy"), "recordType": "A", "targets": ["172.18.202.22"], "recordTTL": 30 },
        ] },
    });
    apply(&client, &endpoint).await?;
    world.answers("legacy", &["172.18.202.22"]).await?;
    Reference::of(&crd).delete(&client).await?;
    world.answers_no_more("legacy").await
}

pub(crate) async fn a_kind_whose_stable_version_goes_is_read_in_another_one(
    world: &World,
) -> anyhow::Result<()> {
    let client = world.landscape.workload02.client();
    serve_stable_tls_routes(&client, false).await?;
    let outcome = async {
        let route = route(ALPHA, "TLSRoute", "older", "older");
        // An API server serves nothing of a kind for a moment after its versions have changed.
        wait_until("the older version is served", SOON, async || {
            Ok(apply(&client, &route).await.map_err(|error| format!("{error:#}")))
        })
        .await?;
        Reference::of(&route).merge_status(&client, &accepted_by_the_gateway()).await?;
        world.answers("older", &[ADDRESS]).await
    }
    .await;
    // Whatever happened, the next steps need it as it was.
    serve_stable_tls_routes(&client, true).await?;
    outcome?;
    let route = Reference { api_version: STABLE, kind: "TLSRoute", namespace: "default", name: "older" };
    wait_object(&client, route, "the stable version is served again", SOON, |_| Some(())).await?;
    route.delete(&client).await?;
    world.answers_no_more("older").await?;
    let gateway = Reference { api_version: STABLE, kind: "Gateway", namespace: "default", name: GATEWAY };
    gateway.delete(&client).await?;
    world.wait_all_good().await.map(drop)
}

/// Serves `v1` of TLSRoutes, or only what came before it.
async fn serve_stable_tls_routes(client: &kube::Client, serve: bool) -> anyhow::Result<()> {
    let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
    let name = "tlsroutes.gateway.networking.k8s.io";
    let mut crd = crds.get(name).await?;
    for version in &mut crd.spec.versions {
        version.served = if version.name == "v1" { serve } else { true };
    }
    let versions = json!({ "spec": { "versions": crd.spec.versions } });
    crds.patch(name, &PatchParams::default(), &Patch::Merge(&versions)).await?;
    Ok(())
}
