//! How agents reach the gate: a Service that leads to the replica which leads, and to no other.

use std::net::IpAddr;

use serde_json::{Value, json};

use super::config::Exposure;
use super::object::{finished, metadata};

/// The Service and its EndpointSlice; also the name in the gate's certificate.
pub const GATE: &str = "openmcp-dns-gate";

/// The component label of what belongs to the gate.
pub const GATE_COMPONENT: &str = "gate";

/// The port of the Service: that of etcd, whose place the gate takes.
pub const GATE_PORT: u16 = 2379;

/// How agents reach the gate, as an operator wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gate {
    /// The type of its Service.
    pub exposure: Exposure,
    /// Annotations of its Service, for who gives it an address.
    pub service_annotations: std::collections::BTreeMap<String, String>,
}

/// What is known of the replica that leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GateFacts {
    /// Where the objects lie.
    pub namespace: String,
    /// The address of its pod.
    pub pod: IpAddr,
    /// Where it listens.
    pub port: u16,
    /// The address that the Service had the last time, so that it gets it again where that can be.
    pub address: Option<IpAddr>,
}

/// The Service, and where it leads. The Service selects no pods: all replicas are alike, and only one may write.
pub fn render_gate(gate: &Gate, facts: &GateFacts) -> Vec<Value> {
    [service(gate, facts), slice(facts)].map(finished).into()
}

fn service(gate: &Gate, facts: &GateFacts) -> Value {
    let Gate { exposure, service_annotations } = gate;
    let mut metadata = metadata(&facts.namespace, GATE, GATE_COMPONENT);
    if !service_annotations.is_empty() {
        metadata["annotations"] = json!(service_annotations);
    }
    let mut spec = json!({
        "type": exposure.service_type(),
        "ports": [{"name": "etcd", "port": GATE_PORT, "protocol": "TCP", "targetPort": facts.port}],
    });
    exposure.keep_address(&mut spec, facts.address);
    json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})
}

fn slice(facts: &GateFacts) -> Value {
    let mut metadata = metadata(&facts.namespace, GATE, GATE_COMPONENT);
    metadata["labels"]["kubernetes.io/service-name"] = json!(GATE);
    metadata["labels"]["endpointslice.kubernetes.io/managed-by"] = json!(super::MANAGER);
    json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": metadata,
        "addressType": if facts.pod.is_ipv4() { "IPv4" } else { "IPv6" },
        "endpoints": [{"addresses": [facts.pod], "conditions": {"ready": true}}],
        "ports": [{"name": "etcd", "port": facts.port, "protocol": "TCP"}],
    })
}
