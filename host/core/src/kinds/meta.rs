//! What is read of every object: its metadata.

use serde::{Deserialize, Deserializer};

use super::Kind;
use super::annotations::Annotations;
use crate::labels::Labels;

/// Namespace and name of an object within its cluster.
pub type ObjectKey = (String, String);

/// The metadata that the service reads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Meta {
    /// Name of the object.
    pub name: Box<str>,
    /// Namespace; empty for cluster-scoped kinds.
    pub namespace: Box<str>,
    /// Unique over time.
    pub uid: Box<str>,
    /// How often the spec has changed; 0 where that is not counted.
    #[serde(deserialize_with = "or_default")]
    pub generation: i64,
    /// Version for watches. What is kept of an object has none.
    pub resource_version: Box<str>,
    /// Labels.
    #[serde(deserialize_with = "or_default")]
    pub labels: Labels,
    /// Annotations, of which those that mean something here are whole, and others only if they are short.
    #[serde(deserialize_with = "or_default")]
    pub annotations: Annotations,
}

impl Meta {
    /// The object of this kind, for people.
    pub(super) fn describe(&self, kind: Kind) -> String {
        format!("{kind} {}/{}", self.namespace, self.name)
    }
}

/// Takes `null` for the default, as the API conventions do.
pub(super) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}
