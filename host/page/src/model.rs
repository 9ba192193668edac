//! What the page shows, as plain values. Texts are as tenants and operators have written them.

use serde::Serialize;

/// A landscape at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Landscape {
    /// What it is called: the zones, or the folder of a demo.
    pub title: String,
    /// When this was so; RFC 3339.
    pub at: String,
    /// Who says all this.
    pub instance: Instance,
    /// What else is good to know, such as where the DNS server answers.
    pub facts: Vec<Fact>,
    /// What is wrong with what the landscape is made of.
    pub problems: Vec<Problem>,
    /// The policies, each with the module that decides.
    pub policies: Vec<Policy>,
    /// The clusters.
    pub clusters: Listed<Cluster>,
    /// Deletions that wait for a confirmation; `None` where a search is asked for, or nobody knows.
    pub held: Option<Vec<Held>>,
    /// Claims that are not published; `None` where a search is asked for.
    pub denials: Option<Listed<Claim>>,
    /// What was recorded last; the newest first.
    pub changes: Vec<Change>,
    /// The names that are asked for.
    pub names: Names,
    /// How many there are of what.
    pub counts: Counts,
}

/// The process that serves the page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Instance {
    /// Its version.
    pub version: String,
    /// Whether it leads.
    pub leads: bool,
    /// Who leads where it is another one; `None` where that is not known.
    pub leader: Option<String>,
    /// Why not all is known yet; `None` when it is.
    pub starting: Option<String>,
}

/// Something that is good to know, with its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// What it is.
    pub name: String,
    /// As text.
    pub value: String,
}

/// Something that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Where, such as a file and its line.
    pub place: String,
    /// What.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

/// Some of many.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listed<T> {
    /// The first ones.
    pub first: Vec<T>,
    /// How many there are; `None` where nobody has counted further.
    pub all: Option<usize>,
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self { first: Vec::new(), all: Some(0) }
    }
}

/// How many claims have come to what, and how many names are answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Clusters under a policy.
    pub clusters: usize,
    /// Those of them with which all is well.
    pub clusters_ready: usize,
    /// Claims that are published.
    pub published: usize,
    /// Claims that are denied.
    pub denied: usize,
    /// Claims that the module failed on.
    pub undecided: usize,
    /// Claims that point nowhere.
    pub unresolved: usize,
    /// Claims that give way to another.
    pub conflicts: usize,
    /// Names whose deletion is held.
    pub held: usize,
}

/// A DNSPolicy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// Its zone.
    pub zone: String,
    /// `Enforce`, `Monitor` or `Rollback`.
    pub mode: String,
    /// The module that decides; `None` while there is none.
    pub module: Option<Module>,
    /// Guards that are asked before it.
    pub guards: Vec<Module>,
    /// How a module that only watches would decide.
    pub candidate: Option<Candidate>,
    /// How many clusters it holds for.
    pub clusters: usize,
    /// What is not well.
    pub conditions: Vec<Condition>,
}

/// A policy module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Module {
    /// Name and version as it describes itself.
    pub description: String,
    /// SHA-256 of its bytes.
    pub sha256: String,
    /// Since when it decides so; RFC 3339.
    pub since: Option<String>,
}

/// How a module that only watches would decide.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Candidate {
    /// Name and version as it describes itself.
    pub description: String,
    /// Whether it has been asked about everything.
    pub is_complete: bool,
    /// How many decisions were compared.
    pub compared: usize,
    /// How many would be others.
    pub differing: usize,
    /// The first of them, in words.
    pub differences: Vec<String>,
}

/// A condition of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What it is about, for example `Reachable`.
    pub about: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// For machines.
    pub reason: String,
    /// For people.
    pub message: String,
}

/// A cluster under a policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cluster {
    /// Namespace and name of its `Cluster`.
    pub name: String,
    /// Its domain; empty while it has none.
    pub domain: String,
    /// The state in one word: `Ready`, `Progressing` or `Terminating`.
    pub phase: String,
    /// All conditions but the one that sums them up.
    pub conditions: Vec<Condition>,
    /// Claims that are published.
    pub published: usize,
    /// Claims that are not, for whatever reason.
    pub not_published: usize,
}

/// A deletion that waits for a confirmation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Held {
    /// The cluster.
    pub cluster: String,
    /// The names that wait.
    pub names: Listed<String>,
    /// After how many seconds without a change it goes on by itself.
    pub hold_seconds: Option<u32>,
    /// The command that lets it go on at once.
    pub confirm: String,
}

/// Something that was recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// When; RFC 3339.
    pub at: String,
    /// The name.
    pub name: String,
    /// What it leads to from then on; empty when it is gone.
    pub records: Vec<String>,
}

/// How it stands with a claim, or with a step of its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Standing {
    /// It is recorded, and answered as recorded.
    Answered,
    /// It is recorded; how it is answered is not known.
    #[default]
    Recorded,
    /// It is under way.
    Open,
    /// It is recorded, and answered otherwise.
    WrongAnswer,
    /// It points nowhere.
    Unresolved,
    /// The module failed on it.
    Undecided,
    /// It gives way to another.
    GivesWay,
    /// The store does not take it.
    Refused,
    /// It is denied.
    Denied,
}

impl Standing {
    /// In one or two words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Recorded => "recorded",
            Self::Open => "under way",
            Self::WrongAnswer => "wrong answer",
            Self::Unresolved => "points nowhere",
            Self::Undecided => "undecided",
            Self::GivesWay => "gives way",
            Self::Refused => "refused by the store",
            Self::Denied => "denied",
        }
    }
}

/// One host name that one object asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Claim {
    /// The host name as the object has it.
    pub host_name: String,
    /// The cluster, as namespace and name.
    pub cluster: String,
    /// The object, as kind, namespace and name.
    pub object: String,
    /// How it stands.
    pub standing: Standing,
    /// What is published, each as type and values.
    pub records: Vec<String>,
    /// How the central DNS server answers, where that is not as recorded.
    pub answer: Option<String>,
    /// For machines: why it is not published.
    pub code: Option<String>,
    /// For people.
    pub message: Option<String>,
    /// What to do next.
    pub next: Option<String>,
}

/// Some of the names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Names {
    /// The claims.
    pub claims: Vec<Claim>,
    /// Where the next page begins; `None` when there is none.
    pub next: Option<String>,
    /// Whether the search has ended before all was looked at, because it took too long.
    pub is_cut: bool,
}

/// The way of one name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NamePage {
    /// The name as it was asked for.
    pub name: String,
    /// Who serves the page.
    pub instance: Instance,
    /// When this was so; RFC 3339.
    pub at: String,
    /// The ways that lead there, one for each object that asks for it.
    pub ways: Vec<Way>,
    /// Whether there are more.
    pub has_more: bool,
    /// What stands there whoever asks for it, and how it is answered.
    pub outcome: Vec<Step>,
    /// What to do, in the order of the way; empty when all is well.
    pub next: Vec<String>,
}

/// How one claim gets to a name, or where it ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Way {
    /// What asks.
    pub claim: Claim,
    /// Step by step.
    pub steps: Vec<Step>,
}

/// A step of a way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// What it is: `object`, `listener`, `decision` and so on.
    pub what: String,
    /// What is found there, line by line.
    pub lines: Vec<String>,
    /// Whether the way goes on from here; `None` while that is not known.
    pub is_well: Option<bool>,
}
