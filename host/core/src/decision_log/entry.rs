//! The lines of the log.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::decided::{Decided, Question};
use crate::cluster::{ClusterId, SourceRef};
use crate::deployment::digest;
use crate::details::{Detail, Details, PublishedNames};
use crate::expectation::Expectation;
use crate::guards::GuardId;
use crate::index::State;
use crate::labels::Labels;
use crate::name::HostName;
use crate::policy::{Context, Denial};
use crate::record::lines;
use crate::ttl::TtlBounds;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    /// When it was noted: in UTC as of RFC 3339 with milliseconds, so that it sorts as text.
    pub time: String,
    /// What was noted.
    #[serde(flatten)]
    pub event: Event,
}

/// What is noted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "camelCase")]
pub enum Event {
    /// What questions have in common that refer to it.
    AskedIn(Box<AskedIn>),
    /// What has become of a claim.
    Decided(Box<ClaimAnswered>),
    /// What the store holds at a name.
    Recorded(NameRecorded),
    /// Some events did not come into the log: there were more than could be written.
    Lost {
        /// How many at most.
        events: u64,
    },
    /// What a later version has noted.
    #[serde(other)]
    Unknown,
}

/// What all questions to a module about one cluster have in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AskedIn {
    /// By which questions refer to it: of its content.
    pub id: String,
    /// Name of the DNSPolicy.
    pub policy: String,
    /// The domain of the cluster.
    pub domain: HostName,
    /// Whether the DNS server serves wildcards.
    pub wildcards: bool,
    /// Within which times to live the cluster publishes.
    #[serde(default)]
    pub ttl: TtlBounds,
    /// Whether SRV records for listeners were added.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub srv_records: bool,
    /// What the module was told of each claim besides what every module is told.
    pub details: Vec<Detail>,
    /// What the module is told.
    pub context: Context,
}

/// What has become of one host name that one object asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClaimAnswered {
    /// The cluster.
    pub cluster: ClusterId,
    /// The object.
    pub object: SourceRef,
    /// The host name as the object has it.
    pub host_name: String,
    /// What was asked; `None` where no module is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<QuestionAsked>,
    /// What was answered.
    pub answer: Answer,
    /// What is published for it, as lines: after an answer, or what stays without one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<String>,
    /// Who was asked, in this order, until one denied or failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modules: Vec<ModuleAsked>,
}

/// A question about a claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct QuestionAsked {
    /// Which [`AskedIn`] belongs to it.
    pub asked_in: String,
    /// Addresses and host names to point to.
    pub targets: Vec<String>,
    /// How long answers may be kept, as the object asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u32>,
    /// Labels of the object.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// What the module has asked to be told besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Details>,
    /// How many names were published already, if the module has asked to be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published_names: Option<PublishedNames>,
}

/// A module that was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ModuleAsked {
    /// SHA-256 of the module, as hexadecimal digits.
    pub digest: String,
    /// What the DNSPolicy calls it, where it is a guard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard: Option<String>,
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "verdict", rename_all = "camelCase")]
pub enum Answer {
    /// It is published.
    Published,
    /// It is refused.
    Denied {
        /// For machines.
        code: String,
        /// For people.
        message: String,
        /// The guard that refuses it, if one does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        guard: Option<String>,
    },
    /// The module failed.
    Undecided {
        /// Why.
        message: String,
        /// The guard that failed, if it was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        guard: Option<String>,
    },
    /// It leads nowhere, so that nobody is asked.
    Unresolved {
        /// Why.
        message: String,
    },
    /// The object does not ask for it any more.
    Withdrawn,
}

/// What the store holds at a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NameRecorded {
    /// The name.
    pub name: HostName,
    /// Types with values; empty when the name is gone.
    pub records: Vec<String>,
    /// The clusters whose values stand there, or stood there before.
    pub clusters: Vec<ClusterId>,
    /// The revision of the store that made it so; `None` where that was seen and not done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<i64>,
}

impl Entry {
    /// The line, with its end.
    #[must_use]
    pub fn to_line(&self) -> String {
        // Texts and numbers only.
        let mut line = serde_json::to_string(self).unwrap_or_default();
        line.push('\n');
        line
    }
}

impl AskedIn {
    pub(super) fn of(question: &Question) -> Self {
        let Question { policy_name, module, allowed, asked: _ } = question;
        let asked_in = Self {
            id: String::new(),
            policy: policy_name.clone(),
            domain: allowed.domain.clone(),
            wildcards: module.wildcards,
            ttl: module.ttl,
            srv_records: module.srv_records,
            details: module.policy.details().to_vec(),
            context: (*module.context).clone(),
        };
        // Enough that no two are taken for one another.
        let id = digest(&serde_json::to_string(&asked_in).unwrap_or_default());
        Self { id, ..asked_in }
    }
}

impl ClaimAnswered {
    pub(super) fn of(decided: &Decided, asked_in: Option<&AskedIn>) -> Self {
        let Decided { cluster, source, host_name, question, answer, record_sets } = decided;
        let asked = question.as_ref().zip(asked_in).map(|(question, asked_in)| QuestionAsked {
            asked_in: asked_in.id.clone(),
            targets: question.asked.claim.targets.clone(),
            ttl_seconds: question.asked.claim.ttl_seconds,
            labels: question.asked.labels.clone(),
            details: question.asked.details.as_deref().cloned(),
            published_names: question.asked.published_names,
        });
        let modules = question.as_ref().map(|Question { module, .. }| {
            let guard = |GuardId { name, digest, .. }: &GuardId| ModuleAsked {
                digest: digest.clone(),
                guard: Some(name.clone()),
            };
            let last = ModuleAsked { digest: module.module_digest.to_string(), guard: None };
            module.guards.iter().map(guard).chain([last]).collect()
        });
        Self {
            cluster: cluster.clone(),
            object: source.clone(),
            host_name: host_name.clone(),
            question: asked,
            answer: answer.clone(),
            records: lines(record_sets),
            modules: modules.unwrap_or_default(),
        }
    }

    /// Whether `other` is an answer to the same claim.
    #[must_use]
    pub fn is_of_claim(&self, other: &Self) -> bool {
        (&self.cluster, &self.object, &self.host_name) == (&other.cluster, &other.object, &other.host_name)
    }

    /// Whether the name is asked for, or published.
    #[must_use]
    pub fn is_about(&self, name: &HostName) -> bool {
        let names = self.records.iter().filter_map(|line| line.split_once(' ')).map(|(name, _)| name);
        self.host_name.parse().is_ok_and(|host_name: HostName| host_name == *name)
            || names.into_iter().any(|published| published == name.as_str())
    }
}

impl Answer {
    /// `None` while nothing was answered.
    #[must_use]
    pub fn of(state: &State) -> Option<Self> {
        match state {
            State::Published => Some(Self::Published),
            State::Denied(Denial { code, message, guard }) => {
                Some(Self::Denied { code: code.clone(), message: message.clone(), guard: guard.clone() })
            }
            State::Undecided(failure) => {
                Some(Self::Undecided { message: failure.to_string(), guard: failure.guard.clone() })
            }
            State::Unresolved(reason) => Some(Self::Unresolved { message: reason.to_string() }),
            State::Asked => None,
        }
    }

    /// Whether a guard has answered, so that the module that names was not asked.
    #[must_use]
    pub const fn is_by_guard(&self) -> bool {
        matches!(self, Self::Denied { guard: Some(_), .. } | Self::Undecided { guard: Some(_), .. })
    }

    /// In words.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Denied { .. } => "denied",
            Self::Undecided { .. } => "undecided",
            Self::Unresolved { .. } => "unresolved",
            Self::Withdrawn => "withdrawn",
        }
    }
}

impl NameRecorded {
    pub(super) fn of(expectation: &Expectation, revision: Option<i64>) -> Self {
        Self {
            name: expectation.name.clone(),
            records: expectation.lines(),
            clusters: expectation.clusters.iter().cloned().collect(),
            revision,
        }
    }
}
