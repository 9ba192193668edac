//! Overview: everything that the demo shows when it has started.

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::Serialize;

use openmcp_dns_api::dns_policy::CandidateStatus;
use openmcp_dns_landscape::Problem;

/// The whole landscape at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Overview {
    /// The folder.
    pub landscape: String,
    /// The policies, each with its zone.
    pub policies: Vec<PolicyOverview>,
    /// Where the DNS server answers, over UDP and TCP.
    pub server: SocketAddr,
    /// The clusters.
    pub clusters: Vec<ClusterOverview>,
    /// What is published.
    pub records: Vec<RecordOverview>,
    /// How the DNS server answers.
    pub probes: Vec<ProbeOverview>,
    /// What is wrong with the files.
    pub problems: Vec<ProblemOverview>,
    /// Deletions that are held.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<HeldOverview>,
    /// Commands to try.
    pub commands: Vec<String>,
    /// Whether every name has been recorded and answered within the time that the demo waits.
    pub settled: bool,
    /// Whether the DNS server answers every name as it is recorded.
    pub all_match: bool,
}

/// One policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyOverview {
    /// Its name.
    pub name: String,
    /// Whether the demo has made it, because the landscape has none.
    pub is_default: bool,
    /// Its zone.
    pub zone: String,
    /// `Enforce`, `Monitor` or `Rollback`.
    pub mode: String,
    /// The module that decides; missing while there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub module: Option<ModuleOverview>,
    /// How the module in the spec would decide, while it only watches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candidate: Option<CandidateStatus>,
    /// Its conditions that are not true.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<ConditionOverview>,
}

/// A condition.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConditionOverview {
    /// What it is about, for example `Reachable`.
    #[serde(rename = "type")]
    pub condition_type: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// For machines.
    pub reason: String,
    /// For people.
    pub message: String,
}

/// An Event in a cluster, where the author of an object looks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct EventOverview {
    /// The object that it is about, for example `HTTPRoute/default/example-route`.
    pub object: String,
    /// For machines.
    pub reason: String,
    /// For people.
    pub note: String,
}

/// A deletion that waits for a confirmation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HeldOverview {
    /// Name of the cluster.
    pub cluster: String,
    /// How many names wait.
    pub names: i64,
    /// After how many seconds without a change it goes on by itself.
    pub hold_seconds: u32,
    /// The command that lets it go on at once.
    pub confirm: String,
}

/// A policy module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ModuleOverview {
    /// Its name and version.
    pub description: String,
    /// SHA-256 of its bytes.
    pub sha256: String,
}

/// One cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterOverview {
    /// Its name, and that of its folder.
    pub name: String,
    /// Namespace of the `Cluster`.
    pub namespace: String,
    /// Its domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// Why it has no domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_domain: Option<String>,
    /// What its objects ask for.
    pub claims: Vec<ClaimOverview>,
    /// Its conditions that are not true.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<ConditionOverview>,
    /// Events on its objects.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<EventOverview>,
}

/// What has become of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ClaimState {
    /// It is published.
    Published,
    /// It is refused.
    Denied,
    /// It gives way to another.
    Conflict,
    /// It points nowhere.
    Unresolved,
    /// The module failed on it.
    Undecided,
}

impl ClaimState {
    /// The state in one word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Denied => "denied",
            Self::Conflict => "conflict",
            Self::Unresolved => "unresolved",
            Self::Undecided => "undecided",
        }
    }
}

/// One host name that one object asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClaimOverview {
    /// The host name as the object has it.
    pub host_name: String,
    /// The object, for example `HTTPRoute/default/example-route`.
    pub source: String,
    /// File and line of the object.
    pub file: String,
    /// What has become of it.
    pub state: ClaimState,
    /// For machines; missing when it is published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// For people; missing when it is published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// One value at one name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecordOverview {
    /// The name.
    pub name: String,
    /// The type.
    #[serde(rename = "type")]
    pub record_type: &'static str,
    /// Time to live in seconds.
    pub ttl_seconds: u32,
    /// The value.
    pub value: String,
    /// Name of the cluster that published it.
    pub cluster: String,
    /// The object that it comes from.
    pub source: String,
}

/// One question, and how it was answered.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProbeOverview {
    /// The name.
    pub name: String,
    /// The type, or the types where the answer is to all of them.
    #[serde(rename = "type")]
    pub record_type: String,
    /// What should be answered.
    pub expected: String,
    /// What was answered; empty while nothing was.
    pub answer: String,
    /// From the request to check until the verdict.
    pub took_milliseconds: f64,
    /// `ok`, `mismatch`, `no answer` or `not asked`.
    pub verdict: &'static str,
}

/// Something wrong with a file or folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ProblemOverview {
    /// The file or folder, below the landscape's folder.
    pub file: String,
    /// What is wrong.
    #[serde(flatten)]
    pub problem: Problem,
}

impl ProblemOverview {
    /// File and line.
    pub fn place(&self) -> String {
        match self.problem.line {
            Some(line) => format!("{}:{line}", self.file),
            None => self.file.clone(),
        }
    }
}
