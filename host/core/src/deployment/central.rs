//! The central DNS server: CoreDNS, which answers from etcd.

use serde_json::{Value, json};

use super::READER_SECRET;
use super::config::{Config, Exposure, Facts};
use super::corefile::{CERTIFICATES, HEALTH_PORT, METRICS_PORT, PORT, READY_PORT, corefile};
use super::object::{
    container_security, digest, disruption_budget, metadata, pod_security, selector, spread,
};

/// The Deployment, its Service and its ConfigMap.
pub const CENTRAL: &str = "openmcp-dns-central";

/// The component label of its pods.
pub(super) const COMPONENT: &str = "central-dns";

/// Port of DNS (RFC 1035 section 4.2).
const DNS_PORT: u16 = 53;

pub(super) fn objects(config: &Config, facts: &Facts) -> Vec<Value> {
    let namespace = facts.namespace.as_str();
    let mut objects = vec![service(config, facts), config_map(facts), policy(namespace), pods(config, facts)];
    if config.replicas > 1 {
        objects.push(disruption_budget(namespace, CENTRAL, COMPONENT));
    }
    objects
}

fn service(config: &Config, facts: &Facts) -> Value {
    let Config { exposure, service_annotations, .. } = config;
    let mut metadata = metadata(&facts.namespace, CENTRAL, COMPONENT);
    if !service_annotations.is_empty() {
        metadata["annotations"] = json!(service_annotations);
    }
    let mut spec = json!({
        "type": match exposure {
            Exposure::LoadBalancer => "LoadBalancer",
            Exposure::NodePort => "NodePort",
        },
        "selector": selector(COMPONENT),
        "ports": [
            {"name": "dns", "port": DNS_PORT, "protocol": "UDP", "targetPort": PORT},
            {"name": "dns-tcp", "port": DNS_PORT, "protocol": "TCP", "targetPort": PORT},
        ],
    });
    if let (Exposure::LoadBalancer, Some(address)) = (exposure, facts.address) {
        // Deprecated, and still what most providers take to give a Service its old address again.
        spec["loadBalancerIP"] = json!(address);
    }
    json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})
}

fn config_map(facts: &Facts) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(&facts.namespace, CENTRAL, COMPONENT),
        "data": {"Corefile": corefile(facts)},
    })
}

/// Everybody may ask; nobody reaches anything else but the metrics.
fn policy(namespace: &str) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(namespace, CENTRAL, COMPONENT),
        "spec": {
            "podSelector": {"matchLabels": selector(COMPONENT)},
            "policyTypes": ["Ingress"],
            "ingress": [{"ports": [
                {"port": PORT, "protocol": "UDP"},
                {"port": PORT, "protocol": "TCP"},
                {"port": METRICS_PORT, "protocol": "TCP"},
            ]}],
        },
    })
}

fn pods(config: &Config, facts: &Facts) -> Value {
    let Config { dns, replicas, .. } = config;
    let probe = |path: &str, port: &str, failures: u8| {
        json!({
            "httpGet": {"path": path, "port": port, "scheme": "HTTP"},
            "periodSeconds": 5,
            "timeoutSeconds": 3,
            "failureThreshold": failures,
        })
    };
    let container = json!({
        "name": "coredns",
        "image": dns.image,
        "imagePullPolicy": "IfNotPresent",
        "args": ["-conf", "/etc/coredns/Corefile"],
        "ports": [
            {"name": "dns", "containerPort": PORT, "protocol": "UDP"},
            {"name": "dns-tcp", "containerPort": PORT, "protocol": "TCP"},
            {"name": "health", "containerPort": HEALTH_PORT, "protocol": "TCP"},
            {"name": "ready", "containerPort": READY_PORT, "protocol": "TCP"},
            {"name": "metrics", "containerPort": METRICS_PORT, "protocol": "TCP"},
        ],
        "readinessProbe": probe("/ready", "ready", 2),
        "livenessProbe": probe("/health", "health", 6),
        "resources": dns.resources,
        "securityContext": container_security(),
        "volumeMounts": [
            {"name": "configuration", "mountPath": "/etc/coredns", "readOnly": true},
            {"name": "certificates", "mountPath": CERTIFICATES, "readOnly": true},
        ],
    });
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(&facts.namespace, CENTRAL, COMPONENT),
        "spec": {
            "replicas": replicas,
            // One new pod at a time, and no old one goes before it answers.
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "selector": {"matchLabels": selector(COMPONENT)},
            "template": {
                "metadata": {
                    "labels": selector(COMPONENT),
                    // CoreDNS reads its certificate once, at its start; and a new Corefile comes with new pods, of
                    // which the first has to be ready before an old one goes.
                    "annotations": {
                        "dns.openmcp.cloud/certificate": facts.reader_digest,
                        "dns.openmcp.cloud/corefile": digest(&corefile(facts)),
                    },
                },
                "spec": {
                    "automountServiceAccountToken": false,
                    "enableServiceLinks": false,
                    "securityContext": pod_security(),
                    "topologySpreadConstraints": spread(COMPONENT),
                    "nodeSelector": dns.node_selector,
                    "containers": [container],
                    "volumes": [
                        {"name": "configuration", "configMap": {"name": CENTRAL, "items": [{"key": "Corefile", "path": "Corefile"}]}},
                        {"name": "certificates", "secret": {"secretName": READER_SECRET, "defaultMode": 288}},
                    ],
                },
            },
        },
    })
}
