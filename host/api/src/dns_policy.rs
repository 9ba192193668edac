//! `DNSPolicy`: which clusters belong to a landscape, and which module decides for them.

#![allow(clippy::duplicated_attributes, reason = "each printed column has a type, and many have the same")]

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use super::module_source::{
    BuiltIn, CertificateAuthority, ConfigMapKey, FileSource, HttpSource, ModuleSource, OciSource, PullPolicy,
    SecretReference,
};
use super::phase::Phase;
pub use super::records::{Records, Ttl};
use super::schemas;
use super::selector::{ClusterIdentity, ClusterSelector};
use super::sources::Sources;

/// Selects clusters of a landscape and says which policy module decides on their host names.
#[derive(CustomResource, KubeSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[kube(
    group = "dns.openmcp.cloud",
    version = "v1alpha1",
    kind = "DNSPolicy",
    plural = "dnspolicies",
    shortname = "dnspol",
    status = "DNSPolicyStatus",
    derive = "PartialEq",
    label("openmcp.cloud/cluster", "platform"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Base domain", type_ = "string", json_path = ".spec.baseDomain"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(name = "Clusters", type_ = "integer", json_path = ".status.clusters"),
    printcolumn(name = "Published", type_ = "integer", json_path = ".status.published"),
    printcolumn(name = "Denied", type_ = "integer", json_path = ".status.denied"),
    printcolumn(name = "Mode", type_ = "string", json_path = ".spec.mode", priority = 10),
    printcolumn(
        name = "Differing",
        type_ = "integer",
        json_path = ".status.candidate.differing",
        priority = 10
    ),
    printcolumn(name = "Module", type_ = "string", json_path = ".status.module.activeDigest", priority = 10),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DNSPolicySpec {
    /// The landscape's zone, for example `openmcp.cluster`: lower case, without a trailing dot.
    /// It cannot be changed: everything that is published lies below it.
    #[schemars(
        length(min = 1, max = 253),
        regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
    )]
    #[x_kube(validation = Rule::new("self == oldSelf").message("baseDomain cannot be changed: create another DNSPolicy"))]
    pub base_domain: String,

    /// Which clusters the policy holds for; all of them when it is not set. A cluster that several
    /// policies select belongs to the oldest of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster_selector: Option<ClusterSelector>,

    /// The module that decides; the built-in standard module when it is not set.
    #[serde(default)]
    pub module: ModuleSource,

    /// Whether the module, with its configuration, decides.
    #[serde(default)]
    pub mode: Mode,

    /// Configuration of the module, as the module defines it. The module checks it before it is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schemas::free_json")]
    pub configuration: Option<serde_json::Value>,

    /// Modules that are asked before `module`, in this order, whether a host name is allowed: each can deny it, and
    /// none can do more. They change together with `module`, also on a rollback. Each denial says which one gave it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub guards: Vec<Guard>,

    /// Names in the zone that lie outside a cluster's own domain and that the listed clusters may
    /// publish all the same. Addresses of several clusters are united.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared_names: Vec<SharedName>,

    /// Domains in the zone that lie outside a cluster's own domain, and below which the listed clusters may publish
    /// all the same; the policy module says which namespaces may. Addresses of several clusters are united.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared_suffixes: Vec<SharedSuffix>,

    /// Which objects claim host names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sources: Option<Sources>,

    /// When a deletion is held until somebody confirms it.
    #[serde(default)]
    pub deletion_guard: DeletionGuard,

    /// Within which times to live records are published, whoever asks for others: the annotation of an object, or the
    /// module.
    #[serde(default)]
    pub ttl: Ttl,

    /// What is recorded beside that which the module says.
    #[serde(default)]
    pub records: Records,

    /// What each cluster may ask for, so that none keeps others waiting. What exceeds it is told on the
    /// object concerned.
    #[serde(default)]
    pub limits: Limits,

    /// Where, besides Events, the authors of objects are told what has become of their names.
    #[serde(default)]
    pub report: Report,
}

/// Where, besides Events, authors are told what has become of their names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Report {
    /// Whether routes of the Gateway API have an entry of this service in `status.parents`, with the conditions
    /// `Recorded`, `Resolvable` and `Propagated`. The account in the cluster needs the right to it.
    #[serde(default)]
    pub route_status: bool,
    /// Whether the names that are denied or give way to others are reported in each namespace concerned, as a `Report` of
    /// OpenReports (`openreports.io/v1alpha1`) with the name `openmcp-dns`, where the cluster serves that kind. The account
    /// in the cluster needs the right to it.
    #[serde(default)]
    pub open_reports: bool,
}

/// A module that can only deny.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Guard {
    /// Stands in the message of each denial that the guard gives: an RFC 1123 label, unique among the guards.
    #[schemars(length(min = 1, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// Where it comes from.
    pub module: ModuleSource,
    /// Its configuration, as the module defines it. The module checks it before it is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schemas::free_json")]
    pub configuration: Option<serde_json::Value>,
}

/// Whether the module in the spec decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Mode {
    /// It decides.
    #[default]
    Enforce,
    /// It decides nothing: the last one that was enforced goes on. It is asked the same questions, and
    /// the status says how many answers differ (`status.candidate`).
    Monitor,
    /// As `Monitor`, and if it has decided until now, the one that decided before it
    /// (`status.module.previous`) does so again.
    Rollback,
}

impl Mode {
    /// Whether the module in the spec decides.
    #[must_use]
    pub const fn enforces(self) -> bool {
        matches!(self, Self::Enforce)
    }
}

/// A name that clusters may publish outside their own domains.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SharedName {
    /// The host name, within the base domain.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Which clusters may publish it.
    pub clusters: Vec<ClusterIdentity>,
    /// Whose addresses are answered.
    #[serde(default)]
    pub serve: Serve,
    /// With `serve: First`, for how long a cluster must have asked for the name without interruption before it takes over
    /// from one that comes after it, in seconds (0 to 86400). A higher value keeps a name from going to and fro with a
    /// cluster that comes and goes; 0 means at once. When the cluster that serves goes, the next one takes over at once.
    #[serde(default = "default_failback_delay")]
    #[schemars(with = "i32", range(min = 0, max = 86_400))]
    pub failback_delay_seconds: u32,
}

/// As the TTL of most records, so that a cluster that comes and goes moves a name no more often than answers are kept.
const fn default_failback_delay() -> u32 {
    60
}

/// Whose addresses are answered at a name that several clusters publish. Clusters that are evacuated (annotation
/// `dns.openmcp.cloud/evacuate`) come after all others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Serve {
    /// Those of all clusters that publish it.
    #[default]
    All,
    /// Those of the first cluster in the list that publishes it; the next one takes over when that one does no more, and
    /// hands over again when that one has been back for `failbackDelaySeconds`.
    First,
}

/// A domain below which clusters may publish outside their own domains.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SharedSuffix {
    /// The domain, within the base domain. It is none of the names itself.
    #[schemars(length(min = 1, max = 253))]
    pub suffix: String,
    /// Which clusters may publish below it.
    pub clusters: Vec<ClusterIdentity>,
}

/// When a deletion is held until somebody confirms it, or until nothing has changed for a while.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeletionGuard {
    /// A plan that deletes more than this share of a cluster's names is held, in percent (0 to 100).
    #[serde(default = "default_share")]
    #[schemars(with = "i32", range(min = 0, max = 100))]
    pub max_percent: u8,
    /// Deletions of at most this many names are not held for their share, where they were seen and do not
    /// follow from a new list or module.
    #[serde(default = "default_free_names")]
    #[schemars(with = "i32", range(min = 0, max = 10000))]
    pub free_names: u32,
    /// After how many seconds a held plan goes on by itself (1 to 604800).
    #[serde(default = "default_hold_seconds")]
    #[schemars(with = "i32", range(min = 1, max = 604_800))]
    pub hold_seconds: u32,
}

/// What one cluster may ask for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Limits {
    /// Most names that a cluster may publish (1 to 1000000). What is published already stays.
    #[serde(default = "default_names")]
    #[schemars(with = "i32", range(min = 1, max = 1_000_000))]
    pub names_per_cluster: u32,
    /// Most host names of one object that are looked at, in alphabetical order (1 to 10000).
    #[serde(default = "default_host_names")]
    #[schemars(with = "i32", range(min = 1, max = 10_000))]
    pub host_names_per_object: u32,
    /// Questions about a cluster's objects that the module is asked per second, on average (1 to 100000);
    /// a hundred times as many at once.
    #[serde(default = "default_questions")]
    #[schemars(with = "i32", range(min = 1, max = 100_000))]
    pub questions_per_second: u32,
    /// Names of a cluster that are written per second, on average (1 to 100000); a hundred times as many
    /// at once.
    #[serde(default = "default_changes")]
    #[schemars(with = "i32", range(min = 1, max = 100_000))]
    pub changes_per_second: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            names_per_cluster: default_names(),
            host_names_per_object: default_host_names(),
            questions_per_second: default_questions(),
            changes_per_second: default_changes(),
        }
    }
}

/// A large cluster has some thousand routes.
const fn default_names() -> u32 {
    20_000
}
/// A Gateway has at most 64 listeners and a route 16 host names; only an Ingress has no bound.
const fn default_host_names() -> u32 {
    256
}
/// A question takes some 20 microseconds: a fiftieth of a core.
const fn default_questions() -> u32 {
    1_000
}
/// etcd takes some thousand transactions per second, for all clusters.
const fn default_changes() -> u32 {
    200
}

impl Default for DeletionGuard {
    fn default() -> Self {
        Self {
            max_percent: default_share(),
            free_names: default_free_names(),
            hold_seconds: default_hold_seconds(),
        }
    }
}

const fn default_share() -> u8 {
    30
}
const fn default_free_names() -> u32 {
    10
}
/// Long enough for a person to look, short enough that a real clean-up is not forgotten.
const fn default_hold_seconds() -> u32 {
    600
}

/// What the service says of a policy.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DNSPolicyStatus {
    /// Generation of the spec that the status describes.
    #[serde(default)]
    pub observed_generation: i64,
    /// The state in one word: `Ready` (all conditions are true), `Progressing` or `Terminating`.
    #[serde(default)]
    pub phase: Phase,
    /// `Ready` (the policy is in force) and `ModuleActive` (the module in the spec is the one that decides).
    #[serde(default)]
    #[schemars(schema_with = "schemas::conditions")]
    pub conditions: Vec<Condition>,
    /// The module that decides now.
    #[serde(default)]
    pub module: ModuleStatus,
    /// With mode `Monitor` or `Rollback`: how the module in the spec would decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<CandidateStatus>,
    /// How many clusters the policy holds for.
    #[serde(default)]
    pub clusters: i64,
    /// How many claims are published.
    #[serde(default)]
    pub published: i64,
    /// How many claims are denied.
    #[serde(default)]
    pub denied: i64,
}

/// Which module decides, and what happened to the last one that was fetched.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModuleStatus {
    /// SHA-256 of the module that decides now; empty while there is none.
    #[serde(default)]
    pub active_digest: String,
    /// SHA-256 of the last module that was fetched; another one than the active when it was refused.
    #[serde(default)]
    pub last_fetched_digest: String,
    /// Name and version of the active module, as it describes itself.
    #[serde(default)]
    pub description: String,
    /// The guards of the active module.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guards: Vec<GuardStatus>,
    /// What the last download resolved an OCI reference to: the reference with the digest of the
    /// manifest. Empty for other sources.
    #[serde(default)]
    pub resolved_reference: String,
    /// When a module was last downloaded or read; not set for the built-in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schemas::optional_time")]
    pub last_download_time: Option<Time>,
    /// When a module last became active, or active with another configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schemas::optional_time")]
    pub last_activation_time: Option<Time>,
    /// What last went wrong with the module in the spec; empty when nothing is wrong.
    #[serde(default)]
    pub last_error: String,
    /// When a module last could not be fetched or was refused. It stays when all is well again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schemas::optional_time")]
    pub last_error_time: Option<Time>,
    /// The module that decides now, with its configuration. A restarted service goes on with it when the
    /// module in the spec is refused, or only monitored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<ModuleChoice>,
    /// The module that decided before, with its configuration; mode `Rollback` brings it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<ModuleChoice>,
}

/// A guard that is asked.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GuardStatus {
    /// Its name in the spec.
    pub name: String,
    /// SHA-256 of its module.
    pub sha256: String,
    /// Name and version of its module, as it describes itself.
    pub description: String,
}

/// A module with its configuration.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModuleChoice {
    /// SHA-256 of the module.
    pub sha256: String,
    /// Where it comes from, as `spec.module` says it. Text of another version of the service may hold
    /// what this one does not know.
    #[schemars(schema_with = "schemas::free_json")]
    pub module: serde_json::Value,
    /// Its configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schemas::free_json")]
    pub configuration: Option<serde_json::Value>,
    /// Its guards.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guards: Vec<GuardChoice>,
}

/// A guard with its configuration.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GuardChoice {
    /// Its name in the spec.
    pub name: String,
    /// SHA-256 of its module.
    pub sha256: String,
    /// Where it comes from, as the spec says it. Text of another version of the service may hold what this one
    /// does not know.
    #[schemars(schema_with = "schemas::free_json")]
    pub module: serde_json::Value,
    /// Its configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schemas::free_json")]
    pub configuration: Option<serde_json::Value>,
}

/// How a module that only watches would decide.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CandidateStatus {
    /// SHA-256 of the module.
    pub sha256: String,
    /// Name and version of the module, as it describes itself.
    pub description: String,
    /// Whether it has been asked about everything.
    pub complete: bool,
    /// How many claims were compared.
    pub compared: i64,
    /// How many decisions would be others, domains of clusters included.
    pub differing: i64,
    /// The first ten of them.
    #[serde(default)]
    pub differences: Vec<DecisionDifference>,
}

/// A decision that would be another one.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DecisionDifference {
    /// Namespace and name of the cluster.
    pub cluster: String,
    /// Kind, namespace and name of the object that asks; empty for the cluster's domain.
    pub source: String,
    /// The host name as the object has it; empty for the cluster's domain.
    pub host_name: String,
    /// What would change, in words.
    pub change: String,
    /// What holds.
    pub active: String,
    /// What the candidate says.
    pub candidate: String,
}
