//! What is read of every object: its metadata.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};

/// Namespace and name of an object within its cluster.
pub type ObjectKey = (String, String);

/// The metadata that the service reads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Meta {
    /// Name of the object.
    pub name: String,
    /// Namespace; empty for cluster-scoped kinds.
    pub namespace: String,
    /// Unique over time.
    pub uid: String,
    /// Version for optimistic locking and watches.
    pub resource_version: String,
    /// Labels.
    #[serde(deserialize_with = "or_default")]
    pub labels: BTreeMap<String, String>,
}

/// Takes `null` for the default, as the API conventions do.
pub(super) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}
