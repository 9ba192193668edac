//! `DNSServiceConfig`: how the central DNS is provided.

#![allow(clippy::duplicated_attributes, reason = "each printed column has a type, and many have the same")]

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::CustomResource;
use openmcp_dns_core::deployment::{Config, Exposure, Members, Server, Storage, Workload};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::agents::{ClusterRule, GateSpec};
use super::phase::Phase;
use super::schemas;
use super::upstream::UpstreamFields;

/// The images of what is deployed, where a `DNSServiceConfig` names no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    /// CoreDNS.
    pub core_dns: String,
    /// etcd.
    pub etcd: String,
    /// The service itself, whose DNS server may be wanted.
    pub own: String,
    /// external-dns, the agent of clusters that have one.
    pub external_dns: String,
}

impl Images {
    /// The CoreDNS that this version of the service was tested with.
    pub const CORE_DNS: &str = "registry.k8s.io/coredns/coredns:v1.15.0";

    /// The etcd that this version of the service was tested with.
    pub const ETCD: &str = "quay.io/coreos/etcd:v3.7.3";

    /// The external-dns that this version of the service was tested with.
    pub const EXTERNAL_DNS: &str = "registry.k8s.io/external-dns/external-dns:v0.21.0";

    /// What `make image` calls this version of the service.
    pub const OWN: &str = concat!("openmcp-dns:", env!("CARGO_PKG_VERSION"));
}

impl Default for Images {
    fn default() -> Self {
        let [core_dns, etcd, own, external_dns] =
            [Self::CORE_DNS, Self::ETCD, Self::OWN, Self::EXTERNAL_DNS].map(str::to_owned);
        Self { core_dns, etcd, own, external_dns }
    }
}

/// In CEL: whether nothing is deployed.
const EXTERNAL: &str = "has(self.dns) && has(self.dns.provider) && self.dns.provider == 'external'";

/// In CEL: whether something is said of DNS pods, which must be there.
const DNS_PODS: &str = "has(self.dns.replicas) || has(self.dns.service) || has(self.dns.serviceAnnotations) || \
    has(self.dns.image) || has(self.dns.resources) || has(self.dns.nodeSelector) || has(self.dns.tolerations) || \
    has(self.dns.priorityClassName)";

/// The same of etcd's.
const ETCD_PODS: &str = "has(self.etcd.members) || has(self.etcd.certificates) || has(self.etcd.image) || has(self.etcd.resources) || \
    has(self.etcd.nodeSelector) || has(self.etcd.tolerations) || has(self.etcd.priorityClassName) || \
    (has(self.etcd.storage) && (has(self.etcd.storage.kind) || has(self.etcd.storage.size) || \
    has(self.etcd.storage.className)))";

/// How the service provides the central DNS of the landscape. The one that counts has the name that the service
/// was started with (`run --config-name`); without it, the defaults apply.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[kube(
    group = "dns.openmcp.cloud",
    version = "v1alpha1",
    kind = "DNSServiceConfig",
    plural = "dnsserviceconfigs",
    shortname = "dnscfg",
    status = "DNSServiceConfigStatus",
    derive = "PartialEq",
    derive = "Default",
    label("openmcp.cloud/cluster", "platform"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(
        name = "Deployed",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Deployed\")].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Deployed\")].reason"
    ),
    printcolumn(name = "Address", type_ = "string", json_path = ".status.addresses[0]"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": format!("!({EXTERNAL}) || (has(self.dns.addresses) && self.dns.addresses.size() > 0 && \
            has(self.etcd) && has(self.etcd.endpoints) && self.etcd.endpoints.size() > 0)"),
        "message": "the provider external needs dns.addresses and etcd.endpoints: those of what exists",
    },
    {
        "rule": format!("!({EXTERNAL}) || !({DNS_PODS} || {ETCD_PODS})"),
        "message": "with the provider external, nothing is deployed: of dns, only addresses can be set, and of etcd, only endpoints and clientSecretName",
    },
    {
        "rule": format!("({EXTERNAL}) || !has(self.etcd) || !(has(self.etcd.endpoints) || has(self.etcd.clientSecretName))"),
        "message": "etcd.endpoints and etcd.clientSecretName need the provider external",
    },
]))]
pub struct DNSServiceConfigSpec {
    /// The central DNS server.
    #[serde(default)]
    pub dns: CentralDns,
    /// The etcd that holds the records.
    #[serde(default)]
    pub etcd: CentralEtcd,
    /// Who records the host names of which clusters, and how: the first rule that selects a cluster counts. Without
    /// one, the service does it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub clusters: Vec<ClusterRule>,
    /// How the agents of clusters reach the gate, by which they record.
    #[serde(default)]
    pub gate: GateSpec,
    /// What an object has that was written for openMCP's own DNS service.
    #[serde(flatten)]
    pub upstream: UpstreamFields,
}

/// The central DNS server.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "!has(self.service) || self.service != 'NodePort' || (has(self.addresses) && self.addresses.size() > 0)",
    "message": "a NodePort Service needs addresses: those under which the clusters reach port 53 of it",
}]))]
pub struct CentralDns {
    /// What it is; CoreDNS, unless something else is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<Provider>,
    /// How many pods answer; 2, unless something else is said. Two or more survive the loss of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 9))]
    pub replicas: Option<i32>,
    /// How the clusters reach them; by a load balancer, unless something else is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceType>,
    /// Addresses at which the clusters reach the central DNS server, IP or IP:port; without any, the address that the
    /// load balancer gives.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    pub addresses: Vec<String>,
    /// Annotations of the Service, for who gives it an address.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub service_annotations: BTreeMap<String, String>,
    /// The image of CoreDNS, or of the service where that answers; without it, the one that the service was started with
    /// (`run --coredns-image`, `--own-image`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Resources of each pod, as a container has them; 50m and 64Mi, at most 256Mi, unless something else is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schemas::free_json")]
    pub resources: Option<Value>,
    /// Where its pods run.
    #[serde(flatten)]
    pub placement: Placement,
}

/// How the central DNS is provided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Provider {
    /// CoreDNS, which answers from an etcd that is deployed beside it.
    #[default]
    #[serde(rename = "coreDNS")]
    CoreDns,
    /// The DNS server of the service, which answers from an etcd that is deployed beside it.
    BuiltIn,
    /// An etcd that exists, and a DNS server that answers from it: nothing is deployed.
    External,
}

/// The type of a Service for the clusters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum ServiceType {
    /// The platform cluster gives it an address.
    #[default]
    LoadBalancer,
    /// A port of each node; `addresses` say where it is reached.
    NodePort,
}

/// The etcd that holds the records.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CentralEtcd {
    /// Where clients reach one that exists: URLs. For the provider `external`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 9))]
    pub endpoints: Vec<String>,
    /// Secret in the namespace of the service with what clients of that one need: `ca.crt`, `tls.crt`, `tls.key`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_secret_name: Option<String>,
    /// Whose certificates its members and their clients have; those that the service makes, unless something else is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificates: Option<CertificateSource>,
    /// How many members it has: 1, or 3, which survive the loss of one. They come and go one at a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("enum" = [1, 3]))]
    pub members: Option<i32>,
    /// Where it keeps the records.
    pub storage: EtcdStorage,
    /// A snapshot each hour, day and week; none, unless there is a volume for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshots: Option<EtcdSnapshots>,
    /// The image of etcd; without it, the one that the service was started with (`run --etcd-image`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Resources of each pod, as a container has them; 50m and 128Mi, at most 1Gi, unless something else is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schemas::free_json")]
    pub resources: Option<Value>,
    /// Where its pods run.
    #[serde(flatten)]
    pub placement: Placement,
}

/// Where pods run, and before which others.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Placement {
    /// Labels of the nodes that the pods may run on.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub node_selector: BTreeMap<String, String>,
    /// Taints of nodes that the pods may run on all the same.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), schema_with = "schemas::free_json_list")]
    pub tolerations: Vec<Value>,
    /// The PriorityClass of the pods; the cluster's default one, unless something else is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority_class_name: Option<String>,
}

/// Who makes certificates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum CertificateSource {
    /// The service, with an authority of its own.
    #[default]
    Own,
    /// Somebody else, who keeps them in the Secrets `openmcp-dns-etcd-server`, `-reader` and `-writer`.
    Given,
}

/// Where etcd keeps the records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct EtcdStorage {
    /// On a volume; or, where that is `Auto` and the cluster has no default StorageClass, on the node: the records are
    /// then made anew from the clusters when a pod is lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<StorageKind>,
    /// The size of each volume; 1Gi, unless something else is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
    /// The StorageClass; without it, the cluster's default one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class_name: Option<String>,
}

/// Where snapshots of etcd are kept.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EtcdSnapshots {
    /// A PersistentVolumeClaim in the namespace of the service, with room for three snapshots. The service neither makes nor
    /// deletes it.
    #[schemars(length(min = 1, max = 253))]
    pub claim_name: String,
}

/// What etcd keeps the records on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum StorageKind {
    /// A volume where there is a StorageClass for it, else the node.
    #[default]
    Auto,
    /// A volume.
    Volume,
    /// The node, as long as the pod lives.
    Ephemeral,
}

/// How the central DNS stands.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DNSServiceConfigStatus {
    /// Generation that the status describes.
    #[serde(default)]
    pub observed_generation: i64,
    /// The state in one word: `Ready` (all conditions are true), `Progressing` or `Terminating`.
    #[serde(default)]
    pub phase: Phase,
    /// Addresses at which the clusters reach the central DNS server.
    #[serde(default)]
    pub addresses: Vec<String>,
    /// `Ready`: all others are true. `Accepted`: whether everything in the spec is used. `Deployed`: the central DNS runs as it is wanted. `CentralDNS`: all DNS pods answer the canary.
    #[serde(default)]
    #[schemars(schema_with = "schemas::conditions")]
    pub conditions: Vec<Condition>,
}

impl ServiceType {
    /// What is rendered.
    pub(super) const fn exposure(self) -> Exposure {
        match self {
            Self::LoadBalancer => Exposure::LoadBalancer,
            Self::NodePort => Exposure::NodePort,
        }
    }
}

impl DNSServiceConfigSpec {
    /// What is rendered; `default_class` says whether the cluster has a default StorageClass, and `images` are taken where
    /// the spec names none.
    pub fn config(&self, default_class: bool, images: &Images) -> Config {
        let Self { dns, etcd, .. } = self;
        let (server, image) = match dns.provider.unwrap_or_default() {
            Provider::BuiltIn => (Server::BuiltIn, &images.own),
            Provider::CoreDns | Provider::External => (Server::CoreDns, &images.core_dns),
        };
        Config {
            server,
            dns: dns.placement.workload(
                dns.image.as_ref().unwrap_or(image),
                dns.resources.clone().unwrap_or_else(|| resources("64Mi", "256Mi")),
            ),
            replicas: dns.replicas.unwrap_or(2),
            exposure: dns.service.unwrap_or_default().exposure(),
            service_annotations: dns.service_annotations.clone(),
            etcd: etcd.placement.workload(
                etcd.image.as_ref().unwrap_or(&images.etcd),
                etcd.resources.clone().unwrap_or_else(|| resources("128Mi", "1Gi")),
            ),
            members: if etcd.members == Some(3) { Members::Three } else { Members::One },
            storage: etcd.storage.config(default_class),
            snapshots: etcd.snapshots.as_ref().map(|snapshots| snapshots.claim_name.clone()),
        }
    }
}

impl Placement {
    pub(super) fn workload(&self, image: &str, resources: Value) -> Workload {
        let Self { node_selector, tolerations, priority_class_name } = self.clone();
        let priority_class = priority_class_name;
        Workload { image: image.to_owned(), resources, node_selector, tolerations, priority_class }
    }
}

pub(super) fn resources(memory: &str, most: &str) -> Value {
    json!({"requests": {"cpu": "50m", "memory": memory}, "limits": {"memory": most}})
}

impl EtcdStorage {
    fn config(&self, default_class: bool) -> Storage {
        let volume = match self.kind.unwrap_or_default() {
            StorageKind::Auto => default_class || self.class_name.is_some(),
            StorageKind::Volume => true,
            StorageKind::Ephemeral => false,
        };
        if volume {
            Storage::Volume {
                size: self.size.clone().unwrap_or_else(|| "1Gi".to_owned()),
                class: self.class_name.clone(),
            }
        } else {
            Storage::Ephemeral
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_spec_is_the_defaults() {
        let spec: DNSServiceConfigSpec =
            serde_json::from_value(json!({"dns": {"replicas": 3}, "etcd": {}})).unwrap();
        let config = spec.config(true, &Images::default());
        assert_eq!((config.replicas, config.members), (3, Members::One));
        assert_eq!(config.dns.image, Images::CORE_DNS);
        assert_eq!(config.storage, Storage::Volume { size: "1Gi".to_owned(), class: None });
    }

    #[test]
    fn an_image_of_the_spec_counts_more_than_one_that_the_service_was_started_with() {
        let spec: DNSServiceConfigSpec =
            serde_json::from_value(json!({"etcd": {"image": "mirror/etcd:2"}})).unwrap();
        let [core_dns, etcd] = ["mirror/coredns:1", "mirror/etcd:1"].map(str::to_owned);
        let images = Images { core_dns, etcd, ..Images::default() };
        let config = spec.config(true, &images);
        assert_eq!((&*config.dns.image, &*config.etcd.image), ("mirror/coredns:1", "mirror/etcd:2"));
    }

    #[test]
    fn the_dns_server_of_the_service_has_its_image_unless_another_one_is_named() {
        let images = Images { own: "own:1".to_owned(), ..Images::default() };
        for (dns, image) in [
            (json!({"provider": "builtIn"}), "own:1"),
            (json!({"provider": "builtIn", "image": "other:2"}), "other:2"),
            (json!({"provider": "coreDNS"}), Images::CORE_DNS),
        ] {
            let spec: DNSServiceConfigSpec = serde_json::from_value(json!({"dns": dns})).unwrap();
            assert_eq!(spec.config(true, &images).dns.image, image);
        }
    }

    #[test]
    fn without_a_default_class_the_records_lie_on_the_node_unless_a_volume_is_asked_for() {
        let mut storage = EtcdStorage::default();
        assert_eq!(storage.config(false), Storage::Ephemeral);
        storage.class_name = Some("fast".to_owned());
        assert!(matches!(storage.config(false), Storage::Volume { .. }));
        let storage = EtcdStorage { kind: Some(StorageKind::Volume), ..EtcdStorage::default() };
        assert!(matches!(storage.config(false), Storage::Volume { .. }));
    }
}
