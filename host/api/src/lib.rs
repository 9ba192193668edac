//! The kinds of the Kubernetes API that the service defines or reads.
//!
//! `dns.openmcp.cloud` is ours; the CRDs in `crds/` are generated from these types. The openMCP
//! `Cluster` is read only, and only the fields that are used.

#![allow(unreachable_pub, reason = "what kube's derives write beside the types is not ours to name")]

mod access_request;
pub mod agents;
pub mod cluster;
pub mod cluster_dns;
pub mod conditions;
pub mod dns_policy;
pub mod dns_service_config;
pub mod forward;
mod gateway_service_config;
pub mod module_source;
mod operation;
mod phase;
mod purposes;
pub mod reason;
mod records;
mod schemas;
pub mod selector;
pub mod sources;
mod upstream;

pub use access_request::{
    ACCESS_REQUEST_FINALIZER, AccessRequest, AccessRequestSpec, AccessRequestStatus, NotGranted,
    OPENMCP_MANAGED_BY_LABEL, OPENMCP_MANAGED_PURPOSE_LABEL,
};
pub use cluster::{Cluster, cluster_id, is_evacuated};
pub use cluster_dns::{ClusterDNS, ClusterDNSStatus};
pub use dns_policy::{DNSPolicy, DNSPolicySpec, DNSPolicyStatus};
pub use dns_service_config::{
    CertificateSource, DNSServiceConfig, DNSServiceConfigSpec, DNSServiceConfigStatus, Images, Provider,
};
pub use forward::{ForwardSpec, Forwarding, NodesSpec, WantedNodes};
pub use gateway_service_config::{GatewayDomain, GatewayServiceConfig, gateway_domain, with_gateway_layout};
pub use operation::{DNS_OPERATION_ANNOTATION, OPERATION_ANNOTATION, Operation, ignored_by, operation};
pub use phase::{Phase, READY, conditions_with_ready, not_well, without_ready};
pub use upstream::UpstreamFields;

/// Field manager of everything that the service applies.
pub const FIELD_MANAGER: &str = "openmcp-dns";

/// Finalizer on `Cluster` objects, the one that openMCP's own DNS service uses.
pub const FINALIZER: &str = "platformservice.openmcp.cloud/dns";

/// Annotation on `Cluster` objects that holds the cluster's domain.
pub const CLUSTER_DOMAIN_ANNOTATION: &str = openmcp_dns_core::openmcp_names::DOMAIN_ANNOTATION;

/// Annotation on `Cluster` objects that holds the landscape's zone.
pub const ZONE_ANNOTATION: &str = "dns.openmcp.cloud/zone";

/// Annotation that an operator sets on a `Cluster`: the address (IP or IP:port) at which the
/// platform reaches that cluster's own DNS, so that it can be probed.
pub const CLUSTER_DNS_ANNOTATION: &str = "dns.openmcp.cloud/cluster-dns-address";

/// Annotation that an operator sets on a `Cluster` to `true`: names that other clusters publish as well lead to those
/// and not to this one, until it is removed.
pub const EVACUATE_ANNOTATION: &str = "dns.openmcp.cloud/evacuate";

/// Annotation that an operator sets on a `ClusterDNS` to let a held deletion go on.
pub const CONFIRM_ANNOTATION: &str = "dns.openmcp.cloud/confirm-deletion";

/// Label on the Secret with a cluster's kubeconfig: the name of the `Cluster` beside it.
pub const KUBECONFIG_LABEL: &str = "dns.openmcp.cloud/cluster";
