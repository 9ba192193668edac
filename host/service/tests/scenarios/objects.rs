//! The kinds and objects of a landscape.

use kube::Api;
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use openmcp_dns_kube_memory::{Resource, Server, built_in};
use serde_json::{Value, json};

/// The landscape's zone.
pub(crate) const ZONE: &str = "openmcp.cluster";

/// Namespace of the `Cluster` objects.
pub(crate) const CLUSTERS: &str = "openmcp";

/// The DNSServiceConfig that counts.
pub(crate) const CONFIG: &str = "openmcp-dns";

/// The policy that every world begins with.
pub(crate) const POLICY: &str = "landscape";

/// A module that denies names which begin with `deny-`: small, so compiled in no time.
pub(crate) const DENY_PREFIX: &[u8] = include_bytes!("../../../../policies/deny-prefix/deny-prefix.wasm");

/// A kind, with all that is needed to get at its objects.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    group: &'static str,
    version: &'static str,
    name: &'static str,
    pub(crate) plural: &'static str,
}

const fn kind(group: &'static str, version: &'static str, name: &'static str, plural: &'static str) -> Kind {
    Kind { group, version, name, plural }
}

pub(crate) const CLUSTER: Kind = kind("clusters.openmcp.cloud", "v1alpha1", "Cluster", "clusters");
pub(crate) const CLUSTER_DNS: Kind = kind("dns.openmcp.cloud", "v1alpha1", "ClusterDNS", "clusterdnses");
pub(crate) const DNS_POLICY: Kind = kind("dns.openmcp.cloud", "v1alpha1", "DNSPolicy", "dnspolicies");
pub(crate) const DNS_SERVICE_CONFIG: Kind =
    kind("dns.openmcp.cloud", "v1alpha1", "DNSServiceConfig", "dnsserviceconfigs");
pub(crate) const GATEWAY_SERVICE_CONFIG: Kind =
    kind("gateway.openmcp.cloud", "v1alpha1", "GatewayServiceConfig", "gatewayserviceconfigs");
pub(crate) const GATEWAY: Kind = kind("gateway.networking.k8s.io", "v1", "Gateway", "gateways");
pub(crate) const HTTP_ROUTE: Kind = kind("gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes");
pub(crate) const INGRESS: Kind = kind("networking.k8s.io", "v1", "Ingress", "ingresses");
pub(crate) const NAMESPACE: Kind = kind("", "v1", "Namespace", "namespaces");
pub(crate) const CONFIG_MAP: Kind = kind("", "v1", "ConfigMap", "configmaps");
pub(crate) const SECRET: Kind = kind("", "v1", "Secret", "secrets");
pub(crate) const SERVICE: Kind = kind("", "v1", "Service", "services");
pub(crate) const OPENSHIFT_DNS: Kind = kind("operator.openshift.io", "v1", "DNS", "dnses");
pub(crate) const DEPLOYMENT: Kind = kind("apps", "v1", "Deployment", "deployments");
const ENDPOINT_SLICE: Kind = kind("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices");
pub(crate) const REPORT: Kind = kind("openreports.io", "v1alpha1", "Report", "reports");
pub(crate) const EVENT: Kind = kind("events.k8s.io", "v1", "Event", "events");

impl Kind {
    fn api_version(self) -> String {
        if self.group.is_empty() {
            self.version.to_owned()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// What a server has to know to serve it.
    pub(crate) fn resource(self) -> Resource {
        let custom = Resource::custom(self.group, self.version, self.name, self.plural);
        let of_the_cluster =
            [DNS_POLICY, DNS_SERVICE_CONFIG, GATEWAY_SERVICE_CONFIG, OPENSHIFT_DNS].map(|kind| kind.plural);
        let custom = if of_the_cluster.contains(&self.plural) { custom.in_no_namespace() } else { custom };
        built_in().into_iter().find(|resource| resource.plural == self.plural).unwrap_or(custom)
    }

    fn api(self, server: &Server, namespace: &str) -> Api<DynamicObject> {
        let kind = GroupVersionKind::gvk(self.group, self.version, self.name);
        let resource = ApiResource::from_gvk_with_plural(&kind, self.plural);
        match namespace {
            "" => Api::all_with(server.client(), &resource),
            namespace => Api::namespaced_with(server.client(), namespace, &resource),
        }
    }

    pub(crate) fn get(self, server: &Server, namespace: &str, name: &str) -> Option<Value> {
        server.get(&self.api_version(), self.name, namespace, name)
    }

    pub(crate) fn list(self, server: &Server) -> Vec<Value> {
        server.list(&self.api_version(), self.name)
    }

    /// Deletes an object, which has to be there; our finalizer holds it as everybody's does.
    pub(crate) fn delete(self, server: &Server, namespace: &str, name: &str) {
        assert!(server.remove(&self.api_version(), self.name, namespace, name, false), "{name} is not there");
    }

    /// The object is gone from one moment to the next, whatever finalizers it had.
    pub(crate) fn vanish(self, server: &Server, namespace: &str, name: &str) {
        assert!(server.remove(&self.api_version(), self.name, namespace, name, true), "{name} is not there");
    }

    /// A person changes an object.
    pub(crate) async fn merge(self, server: &Server, namespace: &str, name: &str, patch: &Value) {
        let params =
            kube::api::PatchParams { field_manager: Some("a-person".to_owned()), ..Default::default() };
        let patch = kube::api::Patch::Merge(patch);
        self.api(server, namespace).patch(name, &params, &patch).await.unwrap();
    }

    fn object(self, metadata: Value) -> Value {
        json!({ "apiVersion": self.api_version(), "kind": self.name, "metadata": metadata })
    }
}

fn with(mut object: Value, fields: Value) -> Value {
    for (key, value) in fields.as_object().unwrap() {
        object[key] = value.clone();
    }
    object
}

/// What openMCP's gateway service is told: Gateways on all clusters, below this domain.
pub(crate) fn gateway_service_config(base_domain: &str) -> Value {
    let spec = json!({ "clusters": [{ "selector": {} }], "dns": { "baseDomain": base_domain } });
    with(GATEWAY_SERVICE_CONFIG.object(json!({ "name": "gateway" })), json!({ "spec": spec }))
}

/// The Gateway that it gives a cluster, with the cluster's domain.
pub(crate) fn openmcp_gateway(domain: &str) -> Value {
    let annotations = json!({ "dns.openmcp.cloud/base-domain": domain });
    let metadata = json!({ "namespace": "openmcp-system", "name": "default", "annotations": annotations });
    let listener = json!({ "name": "tls", "port": 9443, "protocol": "TLS" });
    with(
        GATEWAY.object(metadata),
        json!({ "spec": { "gatewayClassName": "envoy-gateway", "listeners": [listener] } }),
    )
}

/// A `Cluster` with more metadata.
pub(crate) fn cluster(name: &str, metadata: Value) -> Value {
    let metadata = with(json!({ "namespace": CLUSTERS, "name": name }), metadata);
    with(CLUSTER.object(metadata), json!({ "spec": { "profile": "kind", "purposes": ["workload"] } }))
}

/// A `DNSPolicy` with more in its spec.
pub(crate) fn policy(name: &str, spec: Value) -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../policies/deny-prefix/deny-prefix.wasm");
    let small = json!({ "baseDomain": ZONE, "module": { "file": { "path": path } } });
    with(DNS_POLICY.object(json!({ "name": name })), json!({ "spec": with(small, spec) }))
}

/// The `DNSServiceConfig` that counts.
pub(crate) fn dns_service_config(spec: Value) -> Value {
    with(DNS_SERVICE_CONFIG.object(json!({ "name": CONFIG })), json!({ "spec": spec }))
}

/// The `DNSServiceConfig`: every cluster has an agent, which reaches the gate here.
pub(crate) fn agents_everywhere(gate: std::net::SocketAddr) -> Value {
    with(
        DNS_SERVICE_CONFIG.object(json!({ "name": "openmcp-dns" })),
        json!({ "spec": { "clusters": [{ "recorder": "externalDNS" }], "gate": { "addresses": [gate] } } }),
    )
}

/// A selector of clusters by one label.
pub(crate) fn stage(stage: &str) -> Value {
    json!({ "clusterSelector": { "matchLabels": { "stage": stage } } })
}

/// An Ingress in `default` for these host names, whose load balancer is at this address.
pub(crate) fn ingress(name: &str, host_names: &[&str], address: &str) -> Value {
    let rules: Vec<Value> = host_names.iter().map(|host| json!({ "host": host })).collect();
    let at = if address.parse::<std::net::IpAddr>().is_ok() { "ip" } else { "hostname" };
    with(
        INGRESS.object(json!({ "namespace": "default", "name": name })),
        json!({ "spec": { "rules": rules }, "status": { "loadBalancer": { "ingress": [{ at: address }] } } }),
    )
}

/// A Gateway `entry` in `default` at this address.
pub(crate) fn gateway(address: &str) -> Value {
    let listener = json!({ "name": "http", "port": 80, "protocol": "HTTP" });
    with(
        GATEWAY.object(json!({ "namespace": "default", "name": "entry" })),
        json!({
            "spec": { "gatewayClassName": "example", "listeners": [listener] },
            "status": { "addresses": [{ "type": "IPAddress", "value": address }] },
        }),
    )
}

/// An HTTPRoute in `default` that the Gateway `entry` has accepted.
pub(crate) fn route(name: &str, host_name: &str) -> Value {
    let accepted = json!({
        "parentRef": { "group": GATEWAY.group, "kind": GATEWAY.name, "name": "entry" },
        "controllerName": "example.com/controller",
        "conditions": [{
            "type": "Accepted", "status": "True", "reason": "Accepted", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }],
    });
    with(
        HTTP_ROUTE.object(json!({ "namespace": "default", "name": name })),
        json!({
            "spec": { "parentRefs": [{ "name": "entry" }], "hostnames": [host_name] },
            "status": { "parents": [accepted] },
        }),
    )
}

/// A ConfigMap.
pub(crate) fn config_map(namespace: &str, name: &str, content: Value) -> Value {
    with(CONFIG_MAP.object(json!({ "namespace": namespace, "name": name })), content)
}

/// A Corefile as kubeadm writes it.
pub(crate) const COREFILE: &str = "\
.:53 {
    errors
    health {
       lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus :9153
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    cache 30
    loop
    reload
    loadbalance
}
";

/// The ConfigMap that a cluster's CoreDNS reads.
pub(crate) fn coredns(corefile: &str) -> Value {
    config_map("kube-system", "coredns", json!({ "data": { "Corefile": corefile, "other": "stays" } }))
}

/// What of kubeadm's objects says which pods answer a cluster's questions, and what they read: ConfigMap `coredns`, and
/// `coredns-custom` below `custom`.
pub(crate) fn dns_pods() -> [Value; 2] {
    let label = json!({ "k8s-app": "kube-dns" });
    let metadata = |name: &str| json!({ "namespace": "kube-system", "name": name, "labels": label });
    let mount = |name: &str, at: &str| json!({ "name": name, "mountPath": at });
    let container = json!({
        "name": "coredns", "args": ["-conf", "/etc/coredns/Corefile"],
        "volumeMounts": [mount("config", "/etc/coredns"), mount("custom", "/etc/coredns/custom")],
    });
    let volumes = json!([
        { "name": "config", "configMap": { "name": "coredns", "items": [{ "key": "Corefile", "path": "Corefile" }] } },
        { "name": "custom", "configMap": { "name": "coredns-custom", "optional": true } },
    ]);
    let template =
        json!({ "metadata": { "labels": label }, "spec": { "containers": [container], "volumes": volumes } });
    [
        with(SERVICE.object(metadata("kube-dns")), json!({ "spec": { "selector": label } })),
        with(DEPLOYMENT.object(metadata("coredns")), json!({ "spec": { "template": template } })),
    ]
}

/// The pods behind the DNS Service, and whether they are ready; they listen on port 8053.
pub(crate) fn dns_slice(pods: &[(&str, bool)]) -> Value {
    let endpoint = |(name, ready): &(&str, bool)| {
        json!({
            "addresses": ["10.0.0.1"], "conditions": { "ready": ready },
            "targetRef": { "kind": "Pod", "namespace": "kube-system", "name": name },
        })
    };
    let port = |name: &str, protocol: &str| json!({ "name": name, "port": 8053, "protocol": protocol });
    let endpoints: Vec<Value> = pods.iter().map(endpoint).collect();
    let labels = json!({ "kubernetes.io/service-name": "kube-dns" });
    with(
        ENDPOINT_SLICE.object(json!({ "namespace": "kube-system", "name": "kube-dns-1", "labels": labels })),
        json!({ "addressType": "IPv4", "endpoints": endpoints, "ports": [port("dns", "UDP"), port("dns-tcp", "TCP")] }),
    )
}

/// The DNSServiceConfig that counts, with this in its spec.
pub(crate) fn config(spec: &Value) -> Value {
    with(DNS_SERVICE_CONFIG.object(json!({ "name": CONFIG })), json!({ "spec": spec }))
}

/// The DNS operator's configuration, with what its owner has put there.
pub(crate) fn openshift_dns() -> Value {
    let theirs = json!({ "name": "corp", "zones": ["corp.example"] });
    with(OPENSHIFT_DNS.object(json!({ "name": "default" })), json!({ "spec": { "servers": [theirs] } }))
}

/// A ConfigMap `modules/policy` that holds these bytes under the key `module`.
pub(crate) fn module_in_config_map(bytes: &[u8]) -> Value {
    let bytes = serde_json::to_value(k8s_openapi::ByteString(bytes.to_vec())).unwrap();
    config_map("modules", "policy", json!({ "binaryData": { "module": bytes } }))
}

/// The source of [`module_in_config_map`].
pub(crate) fn from_config_map() -> Value {
    json!({ "configMap": { "namespace": "modules", "name": "policy", "key": "module" } })
}
