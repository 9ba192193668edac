//! What is rendered from.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde_json::{Value, json};

use super::members::EtcdCluster;
use crate::name::HostName;

/// How the central DNS is provided, as an operator wants it.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// What answers.
    pub server: Server,
    /// The pods of the central DNS server.
    pub dns: Workload,
    /// How many of them.
    pub replicas: i32,
    /// How the clusters reach them.
    pub exposure: Exposure,
    /// Annotations of their Service, for who gives it an address.
    pub service_annotations: BTreeMap<String, String>,
    /// The pods of etcd.
    pub etcd: Workload,
    /// How many of them.
    pub members: Members,
    /// Where they keep the records.
    pub storage: Storage,
    /// The volume claim for its snapshots, where there is one.
    pub snapshots: Option<String>,
}

/// What the central DNS server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// CoreDNS, which asks etcd.
    CoreDns,
    /// `serve` of the service's own image, which holds all records in memory.
    BuiltIn,
}

/// What pods are made of and where they run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Workload {
    /// The image of their container.
    pub image: String,
    /// Its `resources`, as Kubernetes has them.
    pub resources: Value,
    /// Labels of the nodes that they may run on.
    pub node_selector: BTreeMap<String, String>,
    /// Taints of nodes that they may run on all the same, as Kubernetes has them.
    pub tolerations: Vec<Value>,
    /// Their PriorityClass.
    pub priority_class: Option<String>,
}

/// How the clusters reach what the platform cluster has for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposure {
    /// By the address that the platform's load balancer gives.
    LoadBalancer,
    /// By a port of each node.
    NodePort,
}

impl Exposure {
    /// The type of a Service.
    pub(super) const fn service_type(self) -> &'static str {
        match self {
            Self::LoadBalancer => "LoadBalancer",
            Self::NodePort => "NodePort",
        }
    }

    /// Has a Service ask for the address that it had the last time.
    pub(super) fn keep_address(self, spec: &mut Value, address: Option<IpAddr>) {
        if let (Self::LoadBalancer, Some(address)) = (self, address) {
            // Deprecated, and still what most providers take to give a Service its old address again.
            spec["loadBalancerIP"] = json!(address);
        }
    }
}

/// How many members etcd has. Two survive no more than one does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Members {
    /// Records are away as long as its pod is; the DNS servers go on answering what they were asked before.
    One,
    /// One of them may be lost.
    Three,
}

impl Members {
    /// As a number.
    pub const fn count(self) -> u8 {
        match self {
            Self::One => 1,
            Self::Three => 3,
        }
    }
}

/// Where etcd keeps the records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Storage {
    /// On a volume of its own for each member; without a class, the cluster's default one.
    Volume {
        /// As Kubernetes has it, for example `1Gi`.
        size: String,
        /// The StorageClass.
        class: Option<String>,
    },
    /// On the node, until the pod is gone: the records are then made anew from the clusters.
    Ephemeral,
}

/// What is known of the cluster that the central DNS runs on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Where the objects lie.
    pub namespace: String,
    /// How the pods of etcd are started.
    pub etcd: EtcdCluster,
    /// The zones of all DNSPolicies.
    pub zones: BTreeSet<HostName>,
    /// The address that the central DNS server had the last time, so that it gets it again where that can be.
    pub address: Option<IpAddr>,
    /// A digest of the authorities that etcd trusts. It reads them at its start only.
    pub trust_digest: String,
    /// A digest of the certificate that the DNS servers present to etcd. They read it at their start only.
    pub reader_digest: String,
    /// Where the records lie in etcd.
    pub prefix: String,
}
