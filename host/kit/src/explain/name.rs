//! One name: whose values stand there, what the store holds, and what servers answer.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use openmcp_dns_core::cluster::{ClusterId, SourceRef};
use openmcp_dns_core::conflict::{Claimant, Conflict, Desired, Present, Staying, Winners, resolve_conflicts};
use openmcp_dns_core::expectation::{Answer, Expectation, Verdict};
use openmcp_dns_core::mirror::{Mirror, Stored, StoredName};
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::next;
use openmcp_dns_core::record::{RecordSet, RecordType, RecordValue};
use openmcp_dns_core::skydns::{Owner, Prefix, Source, ValueId};
use schemars::JsonSchema;
use serde::Serialize;

/// One name, after all claims on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NameStep {
    /// The name.
    pub name: HostName,
    /// The values that are to stand there.
    pub won: Vec<Won>,
    /// Claims that give way to others.
    pub gave_way: Vec<GaveWay>,
    /// Clusters that ask for the name, too, and stand by: they are evacuated, or come after others in the order of the
    /// DNSPolicy.
    pub standing_by: Vec<StandingBy>,
    /// The keys, those that exist and those that are to.
    pub stored: Vec<StoredStep>,
    /// What servers answer.
    pub answers: Vec<AnswerStep>,
    /// Since when the store holds that, by a decision log; `None` where none says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recorded: Option<RecordedStep>,
    /// What they should.
    #[serde(skip)]
    pub expectation: Expectation,
}

/// A value that is to stand at a name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Won {
    /// The cluster that owns it.
    pub cluster: String,
    /// The object that it comes from.
    pub object: String,
    /// Type and value.
    pub record: String,
    /// Time to live.
    pub ttl_seconds: u32,
}

/// A cluster that asks for a name and stands by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StandingBy {
    /// The cluster.
    pub cluster: String,
    /// It comes before the one that serves the name, and takes over when it has asked for it for so long without interruption.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub takes_over_after_seconds: Option<u64>,
}

/// A claim that gives way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct GaveWay {
    /// Whose.
    pub cluster: String,
    /// Whose.
    pub object: String,
    /// To whom, and why.
    pub message: String,
}

/// A key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct StoredStep {
    /// The key.
    pub key: String,
    /// The revision at which it was written last; `None` when it does not exist, or nobody looked.
    pub revision: Option<i64>,
    /// Type and value; what cannot be served is said so.
    pub record: String,
    /// Who wrote it; `None` for what is not ours.
    pub owner: Option<String>,
    /// The object that it comes from, if it says so.
    pub object: Option<String>,
    /// How it stands to what is decided.
    pub standing: Standing,
}

/// Since when something is recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RecordedStep {
    /// Since when.
    pub since: String,
    /// The revision of the store that made it so, if that is known.
    pub revision: Option<i64>,
}

/// How a key stands to what is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Standing {
    /// The store was not looked at; this is where the value goes.
    NotLookedAt,
    /// It is there, as it is decided.
    AsDecided,
    /// It is there with another time to live, owner or source.
    Outdated,
    /// It is not there yet.
    Missing,
    /// Nobody wants it any more.
    NotWanted,
    /// Somebody else's, which is served and never changed.
    Foreign,
}

/// What a server answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AnswerStep {
    /// Its address.
    pub server: String,
    /// The cluster whose own DNS it is.
    pub cluster: Option<String>,
    /// The type that was asked for.
    #[serde(rename = "type")]
    pub record_type: RecordType,
    /// What it answered.
    pub answer: String,
    /// Whether that is right.
    pub verdict: &'static str,
    #[serde(skip)]
    is_right: bool,
}

impl Standing {
    /// In words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotLookedAt => "not looked at",
            Self::AsDecided => "as decided",
            Self::Outdated => "outdated",
            Self::Missing => "not written yet",
            Self::NotWanted => "not wanted any more",
            Self::Foreign => "not ours",
        }
    }
}

impl AnswerStep {
    /// How a server answered.
    #[must_use]
    pub fn new(
        server: String,
        cluster: Option<String>,
        record_type: RecordType,
        answer: &Answer,
        verdict: Verdict,
    ) -> Self {
        let is_right = verdict == Verdict::Match;
        Self { server, cluster, record_type, answer: answer.to_string(), verdict: verdict.as_str(), is_right }
    }
}

impl NameStep {
    /// What stands at a name of a zone, or is to. What the store holds there of clusters of which nobody `decides` stays.
    pub(super) fn of<'c>(
        name: &HostName,
        zone: &HostName,
        claims: impl Iterator<Item = (&'c Claimant, &'c RecordSet)>,
        standing_by: BTreeMap<ClusterId, Option<Duration>>,
        store: Option<&Mirror>,
        decides: impl Fn(&ClusterId) -> bool,
    ) -> Self {
        let stored_there = store.and_then(|store| store.at(name)).into_iter().flat_map(StoredName::iter);
        let staying = stored_there.filter_map(|stored| {
            let owner = stored.owner().filter(|owner| !owner.is_service() && !decides(&owner.cluster))?;
            Some(Staying {
                cluster: owner.cluster.clone(),
                source: stored.source().unwrap_or_default().to_owned(),
                value: stored.value()?,
            })
        });
        let present = Present {
            cname: store.and_then(|store| store.published_cname(name)),
            staying: staying.collect(),
        };
        let Winners { desired, conflicts, stood_in_for: _ } =
            resolve_conflicts(name, claims, standing_by.keys().cloned().collect(), &present);
        let expectation = match store {
            Some(store) => Expectation::from_stored(name, store.at(name)),
            None => Expectation {
                values: desired.iter().map(|desired| desired.value.clone()).collect(),
                ..Expectation::nothing(name)
            },
        };
        Self {
            name: name.clone(),
            stored: stored(name, zone, &desired, store),
            won: desired.iter().map(won).collect(),
            gave_way: conflicts.iter().map(gave_way).collect(),
            standing_by: standing_by.into_iter().map(StandingBy::of).collect(),
            answers: Vec::new(),
            recorded: None,
            expectation,
        }
    }

    /// Whether there is anything to say of the name.
    pub(super) fn is_known(&self) -> bool {
        !self.won.is_empty() || !self.gave_way.is_empty() || !self.stored.is_empty()
    }

    /// What to do about what is not as it should be.
    pub(super) fn next_steps(&self) -> Vec<String> {
        let gave_way = self.gave_way.iter().map(|GaveWay { object, .. }| next::gave_way(&self.name, object));
        let has = |standing| self.stored.iter().any(|stored| stored.standing == standing);
        let is_late = has(Standing::Missing) || has(Standing::Outdated) || has(Standing::NotWanted);
        let clusters = self.won.iter().map(|won| won.cluster.as_str()).next();
        let late = is_late.then(|| next::late(clusters));
        let foreign = has(Standing::Foreign).then(|| next::foreign(&self.name));
        let wrong = self.answers.iter().filter(|answer| !answer.is_right);
        let wrong = wrong.map(|answer| next::wrong_answer(answer.cluster.as_deref(), is_late));
        gave_way.chain(late).chain(foreign).chain(wrong).collect()
    }
}

impl StandingBy {
    fn of((cluster, delay): (ClusterId, Option<Duration>)) -> Self {
        Self { cluster: cluster.to_string(), takes_over_after_seconds: delay.map(|delay| delay.as_secs()) }
    }
}

fn won(desired: &Desired) -> Won {
    let Desired { cluster, source, value, ttl_seconds } = desired;
    Won {
        cluster: cluster.to_string(),
        object: source.to_string(),
        record: record(value),
        ttl_seconds: *ttl_seconds,
    }
}

fn gave_way(conflict: &Conflict) -> GaveWay {
    let (cluster, source) = &conflict.loser;
    GaveWay { cluster: cluster.to_string(), object: source.to_string(), message: conflict.message.clone() }
}

fn record(value: &RecordValue) -> String {
    format!("{} {value}", value.record_type())
}

/// Whether it is the PTR record of an address that its owner has published.
fn follows(store: &Mirror, name: &HostName, found: &Stored) -> bool {
    let (Some(address), Some(RecordValue::Ptr(host))) = (name.address(), found.value()) else { return false };
    let address = match address {
        IpAddr::V4(address) => RecordValue::A(address),
        IpAddr::V6(address) => RecordValue::Aaaa(address),
    };
    let at_host = store.at(&host).into_iter().flat_map(StoredName::iter);
    at_host
        .filter(|stored| stored.owner() == found.owner())
        .any(|stored| stored.value().as_ref() == Some(&address))
}

/// The keys of a name: first those that are decided, then what else stands there.
fn stored(name: &HostName, zone: &HostName, desired: &[Desired], store: Option<&Mirror>) -> Vec<StoredStep> {
    let default = Prefix::default();
    let prefix = store.map_or(&default, Mirror::prefix);
    let found = store.and_then(|store| store.at(name));
    let mut wanted = Vec::new();
    let mut steps: Vec<StoredStep> = desired
        .iter()
        .map(|Desired { cluster, source, value, ttl_seconds }| {
            let owner = Owner { zone: zone.clone(), cluster: cluster.clone() };
            let id = ValueId::of(&owner, value);
            wanted.push(id);
            let found = found.and_then(|found| found.get(id));
            let is_as_decided =
                |found: &Stored| found.is_written_as(value, *ttl_seconds, &owner, Source::Object(source));
            let standing = match found {
                _ if store.is_none() => Standing::NotLookedAt,
                None => Standing::Missing,
                Some(found) if is_as_decided(found) => Standing::AsDecided,
                Some(found) if found.owner().is_some() => Standing::Outdated,
                Some(_) => Standing::Foreign,
            };
            StoredStep {
                key: id.key(prefix, name),
                revision: found.map(|found| found.mod_revision),
                record: record(value),
                owner: Some(owner.to_string()),
                object: Some(SourceRef::to_string(source)),
                standing,
            }
        })
        .collect();
    let others = found.into_iter().flat_map(StoredName::iter).filter(|found| !wanted.contains(&found.id));
    steps.extend(others.map(|found| StoredStep {
        key: found.id.key(prefix, name),
        revision: Some(found.mod_revision),
        record: found.value().as_ref().map_or_else(|| "cannot be served".to_owned(), record),
        owner: found.owner().map(ToString::to_string),
        object: found.source().map(ToOwned::to_owned),
        standing: match found.owner() {
            Some(owner) if owner.zone == *zone && !owner.is_service() => match store {
                Some(store) if follows(store, name, found) => Standing::AsDecided,
                _ => Standing::NotWanted,
            },
            _ => Standing::Foreign,
        },
    }));
    steps
}
