//! All that a log knows of one name.

use schemars::JsonSchema;
use serde::Serialize;

use super::entry::{Answer, ClaimAnswered, Entry, Event, ModuleAsked, NameRecorded};
use super::reading::DecisionLog;
use crate::cluster::{ClusterId, SourceRef};
use crate::name::HostName;

/// Every claim on a name with its answers, and what was recorded there, in order of time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct History {
    /// The name.
    pub name: HostName,
    /// What was noted; also where the log says of itself that something is missing.
    pub events: Vec<Entry>,
    /// Who asks for the name now, and since when it is answered so.
    pub claims: Vec<PresentClaim>,
    /// What the store holds now, and since when.
    pub recorded: Option<PresentRecords>,
}

/// A claim as it was answered last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PresentClaim {
    /// The cluster.
    pub cluster: ClusterId,
    /// The object.
    pub object: SourceRef,
    /// The host name as the object has it.
    pub host_name: String,
    /// What was answered.
    pub answer: Answer,
    /// What is published for it.
    pub records: Vec<String>,
    /// Who was asked.
    pub modules: Vec<ModuleAsked>,
    /// Since when this is the answer.
    pub since: String,
}

/// What the store holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct PresentRecords {
    /// Types with values; empty when the name is gone.
    pub records: Vec<String>,
    /// The revision that made it so, if that is known.
    pub revision: Option<i64>,
    /// Since when.
    pub since: String,
}

impl History {
    /// Looks a name up.
    #[must_use]
    pub fn of(log: &DecisionLog, name: &HostName) -> Self {
        // An answer without records belongs to it, too, where there were some.
        let mut about: Vec<&ClaimAnswered> = Vec::new();
        for entry in &log.entries {
            if let Event::Decided(answered) = &entry.event
                && answered.is_about(name)
                && !about.iter().any(|other| other.is_of_claim(answered))
            {
                about.push(answered);
            }
        }
        let is_about = |event: &Event| match event {
            Event::Decided(answered) => about.iter().any(|other| other.is_of_claim(answered)),
            Event::Recorded(recorded) => recorded.name == *name,
            Event::Lost { .. } => true,
            Event::AskedIn(_) | Event::Unknown => false,
        };
        let events: Vec<Entry> = log.entries.iter().filter(|entry| is_about(&entry.event)).cloned().collect();
        let claims = about.into_iter().filter_map(|claim| PresentClaim::of(&events, claim)).collect();
        let recorded = PresentRecords::of(&events);
        Self { name: name.clone(), events, claims, recorded }
    }

    /// Whether the log holds anything about the name.
    #[must_use]
    pub fn knows_the_name(&self) -> bool {
        self.events.iter().any(|entry| !matches!(entry.event, Event::Lost { .. }))
    }
}

impl PresentClaim {
    /// `None` when it is asked for no longer.
    fn of(events: &[Entry], claim: &ClaimAnswered) -> Option<Self> {
        let answers = events.iter().rev().filter_map(|Entry { time, event }| match event {
            Event::Decided(answered) if answered.is_of_claim(claim) => Some((time, answered)),
            _ => None,
        });
        let (last, since) = since(answers, |a, b| (&a.answer, &a.records) == (&b.answer, &b.records))?;
        let ClaimAnswered { cluster, object, host_name, question: _, answer, records, modules } =
            (**last).clone();
        let present = Self { cluster, object, host_name, answer, records, modules, since };
        (present.answer != Answer::Withdrawn).then_some(present)
    }
}

impl PresentRecords {
    fn of(events: &[Entry]) -> Option<Self> {
        let recorded = events.iter().rev().filter_map(|Entry { time, event }| match event {
            Event::Recorded(recorded) => Some((time, recorded)),
            _ => None,
        });
        let is_same = |last: &NameRecorded, other: &NameRecorded| last.records == other.records;
        let (last, since) = since(recorded, is_same)?;
        Some(Self { records: last.records.clone(), revision: last.revision, since })
    }
}

/// The last one of those that are given the last first, and since when it was the same.
fn since<'e, T>(
    mut all: impl Iterator<Item = (&'e String, &'e T)>,
    is_same: impl Fn(&T, &T) -> bool,
) -> Option<(&'e T, String)> {
    let (first, last) = all.next()?;
    let before = all.take_while(|(_, other)| is_same(last, other)).last();
    Some((last, before.map_or(first, |(time, _)| time).clone()))
}
