//! The objects that the tests create, and the status that controllers of a real cluster would give them.

use kube::Client;
use serde_json::{Value, json};

use crate::kinds::Reference;

/// The landscape's zone.
pub const ZONE: &str = "openmcp.cluster";

/// Namespace of the `Cluster` objects.
pub const CLUSTERS: &str = "openmcp-clusters";

/// The version of the Gateway API in the example.
pub const GATEWAY_API: &str = "gateway.networking.k8s.io/v1beta1";

/// Name of the example's Gateway.
pub const GATEWAY: &str = "example-gateway";

/// The only DNSPolicy.
pub const POLICY: Reference<'static> = Reference {
    api_version: "dns.openmcp.cloud/v1alpha1",
    kind: "DNSPolicy",
    namespace: "",
    name: "landscape",
};

/// A `Cluster` of the landscape.
#[must_use]
pub const fn cluster_reference(name: &str) -> Reference<'_> {
    Reference { api_version: "clusters.openmcp.cloud/v1alpha1", kind: "Cluster", namespace: CLUSTERS, name }
}

/// What the service says of a `Cluster`.
#[must_use]
pub const fn cluster_dns_reference(name: &str) -> Reference<'_> {
    Reference { api_version: "dns.openmcp.cloud/v1alpha1", kind: "ClusterDNS", namespace: CLUSTERS, name }
}

/// An HTTPRoute in `default`.
#[must_use]
pub const fn route_reference(name: &str) -> Reference<'_> {
    Reference { api_version: GATEWAY_API, kind: "HTTPRoute", namespace: "default", name }
}

/// The example's Gateway.
#[must_use]
pub const fn gateway_reference() -> Reference<'static> {
    Reference { api_version: GATEWAY_API, kind: "Gateway", namespace: "default", name: GATEWAY }
}

/// An Ingress in `default`.
#[must_use]
pub const fn ingress_reference(name: &str) -> Reference<'_> {
    Reference { api_version: "networking.k8s.io/v1", kind: "Ingress", namespace: "default", name }
}

/// A `Cluster`; `dns` is where the platform can probe the cluster's own DNS.
#[must_use]
pub fn cluster(name: &str, purpose: &str, dns: std::net::SocketAddr) -> Value {
    json!({
        "apiVersion": "clusters.openmcp.cloud/v1alpha1",
        "kind": "Cluster",
        "metadata": {
            "name": name,
            "namespace": CLUSTERS,
            "annotations": { "dns.openmcp.cloud/cluster-dns-address": dns.to_string() },
        },
        "spec": { "profile": "kind", "tenancy": "Shared", "purposes": [purpose] },
    })
}

/// The Secret by which the service reaches a cluster.
#[must_use]
pub fn kubeconfig_secret(cluster: &str, kubeconfig: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": format!("{cluster}-kubeconfig"),
            "namespace": CLUSTERS,
            "labels": { "dns.openmcp.cloud/cluster": cluster },
        },
        "stringData": { "kubeconfig": kubeconfig },
    })
}

/// A namespace.
#[must_use]
pub fn namespace(name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } })
}

/// A DNSPolicy for the whole landscape with the built-in module.
#[must_use]
pub fn dns_policy() -> Value {
    json!({
        "apiVersion": POLICY.api_version,
        "kind": POLICY.kind,
        "metadata": { "name": POLICY.name },
        "spec": { "baseDomain": ZONE, "module": { "builtIn": "standard" } },
    })
}

/// The Gateway of the example.
#[must_use]
pub fn gateway() -> Value {
    json!({
        "apiVersion": GATEWAY_API,
        "kind": "Gateway",
        "metadata": { "name": GATEWAY, "namespace": "default" },
        "spec": {
            "gatewayClassName": "openmcp",
            "listeners": [{
                "name": "http",
                "port": 80,
                "protocol": "HTTP",
                "allowedRoutes": { "namespaces": { "from": "Same" } },
            }],
        },
    })
}

/// An HTTPRoute at the example's Gateway, in the example's version of the API.
#[must_use]
pub fn route(name: &str, host_names: &[&str]) -> Value {
    json!({
        "apiVersion": GATEWAY_API,
        "kind": "HTTPRoute",
        "metadata": { "name": name, "namespace": "default" },
        "spec": {
            "parentRefs": [{ "name": GATEWAY }],
            "hostnames": host_names,
            "rules": [{ "backendRefs": [{ "name": "example-svc", "port": 80 }] }],
        },
    })
}

/// An Ingress.
#[must_use]
pub fn ingress(name: &str, host_name: &str) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": { "name": name, "namespace": "default" },
        "spec": {
            "rules": [{
                "host": host_name,
                "http": {
                    "paths": [{
                        "path": "/",
                        "pathType": "Prefix",
                        "backend": { "service": { "name": "example-svc", "port": { "number": 80 } } },
                    }],
                },
            }],
        },
    })
}

/// The Gateway controller's part: the Gateway has these addresses.
///
/// # Errors
/// When the API server refuses.
pub async fn give_addresses(client: &Client, addresses: &[&str]) -> anyhow::Result<()> {
    let addresses: Vec<Value> =
        addresses.iter().map(|value| json!({ "type": "IPAddress", "value": value })).collect();
    gateway_reference().merge_status(client, &json!({ "addresses": addresses })).await
}

/// The Gateway controller's part: the route is accepted by the example's Gateway.
///
/// # Errors
/// When the API server refuses.
pub async fn accept(client: &Client, route: &str) -> anyhow::Result<()> {
    route_reference(route).merge_status(client, &accepted()).await
}

/// The status of a route that the example's Gateway accepts.
#[must_use]
pub fn accepted() -> Value {
    json!({
        "parents": [{
            "parentRef": { "group": "gateway.networking.k8s.io", "kind": "Gateway", "name": GATEWAY },
            "controllerName": "example.com/a-test",
            "conditions": [{
                "type": "Accepted",
                "status": "True",
                "reason": "Accepted",
                "message": "",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }],
        }],
    })
}
