//! The central DNS server, which answers from etcd: CoreDNS, or the one of the service.

use serde_json::{Value, json};

use super::READER_SECRET;
use super::config::{Config, Facts, Server, Workload};
use super::corefile::{CERTIFICATES, HEALTH_PORT, METRICS_PORT, PORT, READY_PORT, corefile};
use super::etcd::client_endpoint;
use super::object::{
    COMPONENT_LABEL, container_security, digest, disruption_budget, metadata, placed, pod_security, selector,
};

/// The Deployment, its Service and its ConfigMap.
pub const CENTRAL: &str = "openmcp-dns-central";

/// The component label of its pods.
pub(super) const COMPONENT: &str = "central-dns";

/// The condition of a DNS pod that lets it into the Service: it answers the canary.
pub const CANARY_GATE: &str = "dns.openmcp.cloud/canary";

/// Annotation on the DNS pods: the zones that they serve.
pub const ZONES_ANNOTATION: &str = "dns.openmcp.cloud/zones";

/// Annotation on the DNS pods: with which certificate for etcd they were started.
pub const CERTIFICATE_ANNOTATION: &str = "dns.openmcp.cloud/certificate";

/// Selects the DNS pods.
pub fn central_selector() -> String {
    format!("app.kubernetes.io/name=openmcp-dns,{COMPONENT_LABEL}={COMPONENT}")
}

/// Port of DNS (RFC 1035 section 4.2).
const DNS_PORT: u16 = 53;

pub(super) fn objects(config: &Config, facts: &Facts) -> Vec<Value> {
    let namespace = facts.namespace.as_str();
    let mut objects = vec![service(config, facts), policy(namespace)];
    if config.server == Server::CoreDns {
        objects.push(config_map(facts));
    }
    objects.push(pods(config, facts));
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
        "type": exposure.service_type(),
        "selector": selector(COMPONENT),
        "ports": [
            {"name": "dns", "port": DNS_PORT, "protocol": "UDP", "targetPort": PORT},
            {"name": "dns-tcp", "port": DNS_PORT, "protocol": "TCP", "targetPort": PORT},
        ],
    });
    exposure.keep_address(&mut spec, facts.address);
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
    let Config { server, dns, replicas, .. } = config;
    let zones = facts.zones.iter().map(|zone| zone.as_str()).collect::<Vec<_>>().join(",");
    // A certificate and the zones are read once, at the start: with other ones come new pods, of which the first has to
    // be ready before an old one goes.
    let mut annotations = json!({
        CERTIFICATE_ANNOTATION: facts.reader_digest,
        ZONES_ANNOTATION: zones,
    });
    let certificates =
        json!({"name": "certificates", "secret": {"secretName": READER_SECRET, "defaultMode": 288}});
    let (container, volumes) = match server {
        Server::CoreDns => {
            annotations["dns.openmcp.cloud/corefile"] = json!(digest(&corefile(facts)));
            let configuration = json!({"name": "configuration", "configMap":
                {"name": CENTRAL, "items": [{"key": "Corefile", "path": "Corefile"}]}});
            (core_dns(dns), json!([configuration, certificates]))
        }
        Server::BuiltIn => (built_in(dns, facts), json!([certificates])),
    };
    let pod = json!({
        "automountServiceAccountToken": false,
        "enableServiceLinks": false,
        "securityContext": pod_security(),
        // Ready means right: the controller opens it for a pod that answers the canary.
        "readinessGates": [{"conditionType": CANARY_GATE}],
        "containers": [container],
        "volumes": volumes,
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
                "metadata": {"labels": selector(COMPONENT), "annotations": annotations},
                "spec": placed(pod, dns, COMPONENT),
            },
        },
    })
}

fn probe(path: &str, port: &str, failures: u8) -> Value {
    json!({
        "httpGet": {"path": path, "port": port, "scheme": "HTTP"},
        "periodSeconds": 5,
        "timeoutSeconds": 3,
        "failureThreshold": failures,
    })
}

fn core_dns(dns: &Workload) -> Value {
    json!({
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
    })
}

fn built_in(dns: &Workload, facts: &Facts) -> Value {
    let Facts { namespace, zones, prefix, .. } = facts;
    let mut args = vec![
        "serve".to_owned(),
        format!("--etcd={}", client_endpoint(namespace)),
        format!("--etcd-prefix={prefix}"),
        format!("--etcd-ca={CERTIFICATES}/ca.crt"),
        format!("--etcd-cert={CERTIFICATES}/tls.crt"),
        format!("--etcd-key={CERTIFICATES}/tls.key"),
        // Both families, where the pod has them.
        format!("--listen=[::]:{PORT}"),
        format!("--health-listen=[::]:{METRICS_PORT}"),
    ];
    args.extend(zones.iter().map(|zone| format!("--base-domain={zone}")));
    json!({
        "name": "dns",
        "image": dns.image,
        "imagePullPolicy": "IfNotPresent",
        "args": args,
        "ports": [
            {"name": "dns", "containerPort": PORT, "protocol": "UDP"},
            {"name": "dns-tcp", "containerPort": PORT, "protocol": "TCP"},
            {"name": "metrics", "containerPort": METRICS_PORT, "protocol": "TCP"},
        ],
        "readinessProbe": probe("/readyz", "metrics", 2),
        "livenessProbe": probe("/healthz", "metrics", 6),
        "resources": dns.resources,
        "securityContext": container_security(),
        "volumeMounts": [{"name": "certificates", "mountPath": CERTIFICATES, "readOnly": true}],
    })
}
