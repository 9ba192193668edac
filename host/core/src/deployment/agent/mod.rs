//! The agent of a cluster: an external-dns that records its host names through the gate.

mod rights;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::config::Workload;
use super::object::{
    container_security, digest, finished, metadata, own_account, own_namespace, placed, pod_security,
    selector,
};
use crate::cluster::ClusterId;
use crate::name::HostName;

pub use self::rights::{sources_in, without_rights};

/// The namespace of an agent in its cluster, and the name of all its objects.
pub const AGENT: &str = "openmcp-dns-agent";

/// The component label of its objects.
pub const AGENT_COMPONENT: &str = "agent";

/// Where the container has its certificate for the gate.
const CERTIFICATES: &str = "/etc/openmcp-dns/certificates";

/// What external-dns serves its metrics and its sign of life on.
const METRICS_PORT: u16 = 7979;

/// How an agent is run, as an operator wants it.
#[derive(Clone, Debug, PartialEq)]
pub struct Agent {
    /// Its pod.
    pub workload: Workload,
    /// Further flags, `--NAME` or `--NAME=VALUE`: each takes the place of ours of the same name.
    pub flags: Vec<String>,
}

impl Agent {
    /// The flags of external-dns, ours and those of the operator.
    #[must_use]
    pub fn flags_in(&self, facts: &AgentFacts) -> Vec<String> {
        let AgentFacts { cluster, domain, sources, .. } = facts;
        let mut ours: Vec<String> =
            sources.iter().map(|source| format!("--source={}", source.flag())).collect();
        ours.extend([
            "--provider=coredns".to_owned(),
            format!("--domain-filter={domain}"),
            // Whose a record is, says the gate: it shows an agent its own ones and no others. The registry of TXT
            // records would be one more name in the DNS for each, and some are never removed.
            "--registry=noop".to_owned(),
            "--policy=sync".to_owned(),
            format!("--txt-owner-id={}.{}", cluster.name, cluster.namespace),
            "--coredns-strictly-owned".to_owned(),
            "--events".to_owned(),
            "--interval=1m".to_owned(),
            "--log-format=json".to_owned(),
            format!("--metrics-address=:{METRICS_PORT}"),
        ]);
        let name = |flag: &str| {
            let flag = flag.split_once('=').map_or(flag, |(name, _)| name);
            flag.trim_start_matches("--").trim_start_matches("no-").to_owned()
        };
        ours.retain(|flag| !self.flags.iter().any(|theirs| name(theirs) == name(flag)));
        ours.extend(self.flags.iter().cloned());
        ours
    }
}

/// What is known of the cluster that it runs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentFacts {
    /// The cluster.
    pub cluster: ClusterId,
    /// Its domain, as the policy module derives it.
    pub domain: HostName,
    /// What it may read, of what the cluster serves.
    pub sources: Vec<AgentSource>,
    /// Where it reaches the gate: `HOST:PORT`.
    pub gate: Vec<String>,
    /// The name in the gate's certificate.
    pub gate_name: String,
    /// Its certificate for the gate, that one's key, and whom it trusts: files, as a Secret has them.
    pub certificates: BTreeMap<&'static str, String>,
}

/// What external-dns reads host names from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AgentSource {
    /// HTTPRoutes and their Gateways.
    HttpRoute,
    /// GRPCRoutes and their Gateways.
    GrpcRoute,
    /// TLSRoutes and their Gateways.
    TlsRoute,
    /// Ingresses.
    Ingress,
}

impl AgentSource {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::HttpRoute, Self::GrpcRoute, Self::TlsRoute, Self::Ingress];

    /// Those of the openMCP design: where nobody can see what the cluster serves.
    pub const USUAL: [Self; 2] = [Self::HttpRoute, Self::Ingress];

    /// As the flag `--source` has it.
    #[must_use]
    pub const fn flag(self) -> &'static str {
        match self {
            Self::HttpRoute => "gateway-httproute",
            Self::GrpcRoute => "gateway-grpcroute",
            Self::TlsRoute => "gateway-tlsroute",
            Self::Ingress => "ingress",
        }
    }

    /// Group, version and plural of what it reads, in the version in which external-dns 0.21 reads it. Where a cluster
    /// does not serve that, external-dns ends after a minute (its sources wait for their first lists).
    #[must_use]
    pub const fn resource(self) -> (&'static str, &'static str, &'static str) {
        const GATEWAY_API: &str = "gateway.networking.k8s.io";
        match self {
            Self::HttpRoute => (GATEWAY_API, "v1", "httproutes"),
            Self::GrpcRoute => (GATEWAY_API, "v1", "grpcroutes"),
            Self::TlsRoute => (GATEWAY_API, "v1alpha2", "tlsroutes"),
            Self::Ingress => ("networking.k8s.io", "v1", "ingresses"),
        }
    }

    /// Whether it needs Gateways beside that.
    #[must_use]
    pub const fn needs_gateways(self) -> bool {
        !matches!(self, Self::Ingress)
    }
}

/// All objects of an agent, in the order in which they are applied.
pub fn render_agent(agent: &Agent, facts: &AgentFacts) -> Vec<Value> {
    let secret = secret(facts);
    // It reads them at its start only: with other ones comes another pod.
    let certificate_digest = digest(&secret.to_string());
    let flags = agent.flags_in(facts);
    let deployment = deployment(agent, &flags, facts, &certificate_digest);
    [namespace(), account(), role(&flags), binding(), policy(), secret, deployment].map(finished).into()
}

fn namespace() -> Value {
    own_namespace(AGENT, AGENT_COMPONENT, "restricted")
}

fn account() -> Value {
    own_account(AGENT, AGENT_COMPONENT)
}

/// Of the whole cluster.
fn cluster_metadata() -> Value {
    let mut metadata = metadata(AGENT, AGENT, AGENT_COMPONENT);
    if let Some(fields) = metadata.as_object_mut() {
        fields.remove("namespace");
    }
    metadata
}

/// Reads what its sources are, and nothing else.
fn role(flags: &[String]) -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": cluster_metadata(),
        "rules": rights::rules(sources_in(flags)),
    })
}

fn binding() -> Value {
    json!({
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": cluster_metadata(),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": AGENT},
        "subjects": [{"kind": "ServiceAccount", "name": AGENT, "namespace": AGENT}],
    })
}

/// Nobody reaches anything of it but its metrics. Where the API server and the gate are, is not known to a policy.
fn policy() -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(AGENT, AGENT, AGENT_COMPONENT),
        "spec": {
            "podSelector": {"matchLabels": selector(AGENT_COMPONENT)},
            "policyTypes": ["Ingress"],
            "ingress": [{"ports": [{"port": METRICS_PORT, "protocol": "TCP"}]}],
        },
    })
}

fn secret(facts: &AgentFacts) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/tls",
        "metadata": metadata(AGENT, AGENT, AGENT_COMPONENT),
        "data": facts.certificates,
    })
}

fn deployment(agent: &Agent, flags: &[String], facts: &AgentFacts, certificate_digest: &str) -> Value {
    let AgentFacts { gate, gate_name, .. } = facts;
    let urls = gate.iter().map(|address| format!("https://{address}")).collect::<Vec<_>>().join(",");
    let pod = json!({
        "serviceAccountName": AGENT,
        "automountServiceAccountToken": true,
        "enableServiceLinks": false,
        "securityContext": pod_security(),
        "containers": [{
            "name": "external-dns",
            "image": agent.workload.image,
            "imagePullPolicy": "IfNotPresent",
            "args": flags,
            "env": [
                {"name": "ETCD_URLS", "value": urls},
                {"name": "ETCD_TLS_SERVER_NAME", "value": gate_name},
                {"name": "ETCD_CA_FILE", "value": format!("{CERTIFICATES}/ca.crt")},
                {"name": "ETCD_CERT_FILE", "value": format!("{CERTIFICATES}/tls.crt")},
                {"name": "ETCD_KEY_FILE", "value": format!("{CERTIFICATES}/tls.key")},
            ],
            "ports": [{"name": "metrics", "containerPort": METRICS_PORT, "protocol": "TCP"}],
            "livenessProbe": {
                "httpGet": {"path": "/healthz", "port": "metrics", "scheme": "HTTP"},
                "periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 6,
            },
            "resources": agent.workload.resources,
            "securityContext": container_security(),
            "volumeMounts": [{"name": "certificates", "mountPath": CERTIFICATES, "readOnly": true}],
        }],
        "volumes": [{"name": "certificates", "secret": {"secretName": AGENT, "defaultMode": 288}}],
    });
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(AGENT, AGENT, AGENT_COMPONENT),
        "spec": {
            // It elects no leader: two would write one over the other.
            "replicas": 1,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": selector(AGENT_COMPONENT)},
            "template": {
                "metadata": {
                    "labels": selector(AGENT_COMPONENT),
                    "annotations": {"dns.openmcp.cloud/certificate": certificate_digest},
                },
                "spec": placed(pod, &agent.workload, AGENT_COMPONENT),
            },
        },
    })
}
