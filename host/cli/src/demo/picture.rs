//! Picture: everything that the demo shows when it has started.

use std::net::SocketAddr;

use serde::Serialize;

use openmcp_dns_landscape::Problem;

/// The whole landscape at one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Picture {
    /// The folder.
    pub landscape: String,
    /// The zone.
    pub zone: String,
    /// Name of the DNSPolicy; missing where the defaults hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// The module that decides.
    pub module: ModulePicture,
    /// Where the DNS server answers, over UDP and TCP.
    pub server: SocketAddr,
    /// The clusters.
    pub clusters: Vec<ClusterPicture>,
    /// What is published.
    pub records: Vec<RecordPicture>,
    /// How the DNS server answers.
    pub probes: Vec<ProbePicture>,
    /// What is wrong with the files.
    pub problems: Vec<ProblemPicture>,
    /// Commands to try.
    pub commands: Vec<String>,
    /// Whether every name has been recorded and answered within the time that the demo waits.
    pub settled: bool,
    /// Whether the DNS server answers every name as it is recorded.
    pub all_match: bool,
}

/// The module that decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModulePicture {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of its bytes.
    pub sha256: String,
}

/// One cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClusterPicture {
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
    pub claims: Vec<ClaimPicture>,
}

/// What has become of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClaimPicture {
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RecordPicture {
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
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProbePicture {
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProblemPicture {
    /// The file or folder, below the landscape's folder.
    pub file: String,
    /// What is wrong.
    #[serde(flatten)]
    pub problem: Problem,
}

impl ProblemPicture {
    /// File and line.
    pub fn place(&self) -> String {
        match self.problem.line {
            Some(line) => format!("{}:{line}", self.file),
            None => self.file.clone(),
        }
    }
}
