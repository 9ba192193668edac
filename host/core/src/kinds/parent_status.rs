//! What controllers say of a route in its `status.parents`: what others say of its parents, and what of it is ours.
//!
//! Of our own entries only digests are kept: they say whether what stands there is what is to stand there. What a
//! route asks for never depends on them, so that writing them changes nothing that we read.

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::de::{Deserializer, Visitor};
use serde::{Deserialize, Serialize};

use super::condition::Condition;
use super::meta::or_default;
use super::reference::ParentRef;

/// By this, our entries are told from those of others: a domain and a path, as the Gateway API has it.
pub const CONTROLLER_NAME: &str = "dns.openmcp.cloud/openmcp-dns";

/// The condition that is the last to become true: caches have forgotten what was answered before.
pub const PROPAGATED: &str = "Propagated";

/// `status` of a route.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "ReadStatus")]
pub struct RouteStatus {
    /// What each other controller says of each parent.
    pub parents: Box<[RouteParentStatus]>,
    /// What stands there of ours.
    pub own: OwnEntries,
}

/// What one controller says of one parent of a route.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteParentStatus {
    /// The parent, as in the route's spec.
    pub parent_ref: ParentRef,
    /// Conditions, among them `Accepted`.
    pub conditions: Box<[Condition]>,
}

/// What one of our entries says of one parent of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The parent, as in the route's spec.
    pub parent: ParentRef,
    /// What is said of it.
    pub conditions: Vec<EntryCondition>,
}

/// A condition, without the time of its last transition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EntryCondition {
    /// For example `Recorded`.
    #[serde(rename = "type")]
    pub condition_type: &'static str,
    /// `True`, `False` or `Unknown`.
    pub status: &'static str,
    /// For machines.
    pub reason: &'static str,
    /// For people.
    pub message: String,
    /// Generation of the route that it is said of.
    pub observed_generation: i64,
}

impl EntryCondition {
    fn told(&self) -> Told<'_> {
        let Self { condition_type, status, reason, message, observed_generation } = self;
        let (message, observed_generation) = (TextDigest::of(message), *observed_generation);
        Told { condition_type, status, reason, message, observed_generation }
    }
}

/// Our entries on one route, in any order, as digests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OwnEntries {
    count: u32,
    all: u64,
    without_propagated: u64,
    /// Of how many the names are propagated.
    propagated: u32,
}

impl OwnEntries {
    /// What these entries would be.
    #[must_use]
    pub fn of(entries: &[Entry]) -> Self {
        let mut own = Self::default();
        for Entry { parent, conditions } in entries {
            own.add(parent, conditions.iter().map(EntryCondition::told));
        }
        own
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.count == 0
    }

    /// Whether they say that all is propagated, and otherwise what these others say.
    #[must_use]
    pub const fn are_propagated(self, others: Self) -> bool {
        self.count == others.count
            && self.propagated == self.count
            && self.without_propagated == others.without_propagated
    }

    fn add<'t>(&mut self, parent: &ParentRef, conditions: impl Iterator<Item = Told<'t>>) {
        let parent = digest(parent.named());
        let (mut all, mut others) = (parent, parent);
        let mut is_propagated = false;
        for told in conditions {
            // Conditions are a set: they may come in another order.
            let of_it = digest(told);
            all = all.wrapping_add(of_it);
            if told.condition_type == PROPAGATED {
                is_propagated = told.status == "True";
            } else {
                others = others.wrapping_add(of_it);
            }
        }
        self.count += 1;
        self.all = self.all.wrapping_add(digest(all));
        self.without_propagated = self.without_propagated.wrapping_add(digest(others));
        self.propagated += u32::from(is_propagated);
    }
}

/// What a condition says.
#[derive(Clone, Copy, Hash)]
struct Told<'t> {
    condition_type: &'t str,
    status: &'t str,
    reason: &'t str,
    message: TextDigest,
    observed_generation: i64,
}

/// The same for the same, as long as the process lives; nothing is kept longer.
fn digest(of: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

/// A text of which only a digest is read: messages of conditions are long.
#[derive(Clone, Copy, Debug, Hash)]
struct TextDigest(u64);

impl TextDigest {
    fn of(text: &str) -> Self {
        Self(digest(text))
    }
}

impl Default for TextDigest {
    fn default() -> Self {
        Self::of("")
    }
}

impl<'de> Deserialize<'de> for TextDigest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = TextDigest;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a text")
            }

            fn visit_str<E>(self, text: &str) -> Result<TextDigest, E> {
                Ok(TextDigest::of(text))
            }
        }

        deserializer.deserialize_str(Text)
    }
}

/// A status as it is read. Which entries are ours stands behind their conditions.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ReadStatus {
    #[serde(deserialize_with = "or_default")]
    parents: Vec<ReadEntry>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ReadEntry {
    parent_ref: ParentRef,
    controller_name: Box<str>,
    #[serde(deserialize_with = "or_default")]
    conditions: Vec<ReadCondition>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ReadCondition {
    #[serde(rename = "type")]
    condition_type: Box<str>,
    status: Box<str>,
    reason: Box<str>,
    #[serde(deserialize_with = "or_default")]
    message: TextDigest,
    #[serde(deserialize_with = "or_default")]
    observed_generation: i64,
}

impl ReadCondition {
    fn told(&self) -> Told<'_> {
        let Self { condition_type, status, reason, message, observed_generation } = self;
        let (message, observed_generation) = (*message, *observed_generation);
        Told { condition_type, status, reason, message, observed_generation }
    }
}

impl From<ReadCondition> for Condition {
    fn from(read: ReadCondition) -> Self {
        let ReadCondition { condition_type, status, reason, observed_generation, message: _ } = read;
        Self { condition_type, status, reason, observed_generation }
    }
}

impl From<ReadStatus> for RouteStatus {
    fn from(read: ReadStatus) -> Self {
        let (mut own, mut parents) = (OwnEntries::default(), Vec::new());
        for ReadEntry { parent_ref, controller_name, conditions } in read.parents {
            if *controller_name == *CONTROLLER_NAME {
                own.add(&parent_ref, conditions.iter().map(ReadCondition::told));
            } else {
                let conditions = conditions.into_iter().map(Condition::from).collect();
                parents.push(RouteParentStatus { parent_ref, conditions });
            }
        }
        Self { parents: parents.into(), own }
    }
}
