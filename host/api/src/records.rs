//! What a `DNSPolicy` says of the records themselves.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is recorded beside that which the module says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Records {
    /// Whether each name has SRV records (RFC 2782) for the listeners that serve it, so that clients can look up the
    /// port: `_<name of the listener>._tcp.<name>`, or `_udp`, as the named ports of a Service have it. Priority 10,
    /// weight 100. Routes, ListenerSets and Gateways have listeners; a wildcard has no SRV records.
    #[serde(default)]
    pub srv: bool,

    /// The addresses that lead back to host names.
    #[serde(default)]
    pub ptr: Ptr,
}

/// Most networks that are listed.
const MAX_NETWORKS: usize = 16;

/// The addresses that lead back to host names (PTR records).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Ptr {
    /// Networks as ADDRESS/PREFIX, for example `172.18.200.0/24` or `fd00:1::/64`; at most 16. A host name that is
    /// published with an address of one of them is what the address leads back to. The central DNS server answers for
    /// the reverse zones of the networks, and the DNS of each cluster forwards them: a network whose prefix ends
    /// between octets (IPv4) or nibbles (IPv6) is several zones, and all of them are at most 16. Do not list
    /// networks of a cluster's own pods and Services.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_NETWORKS))]
    pub networks: Vec<String>,
}

/// Bounds of times to live.
#[derive(KubeSchema, Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[x_kube(validation = Rule::new("self.minSeconds <= self.maxSeconds").message("minSeconds must not be more than maxSeconds"))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Ttl {
    /// In seconds (1 to 86400). A high one keeps questions away from the central DNS server.
    #[serde(default = "default_min_ttl")]
    #[schemars(with = "i32", range(min = 1, max = 86_400))]
    pub min_seconds: u32,
    /// In seconds (1 to 86400). A low one lets a change be seen everywhere soon.
    #[serde(default = "default_max_ttl")]
    #[schemars(with = "i32", range(min = 1, max = 86_400))]
    pub max_seconds: u32,
}

impl Default for Ttl {
    fn default() -> Self {
        Self { min_seconds: default_min_ttl(), max_seconds: default_max_ttl() }
    }
}

const fn default_min_ttl() -> u32 {
    1
}
/// A day, after which a wrong answer is gone.
const fn default_max_ttl() -> u32 {
    86_400
}
