//! Conditions, as controllers write them into a status.

use serde::Deserialize;

/// One condition.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Condition {
    /// For example `Accepted`.
    #[serde(rename = "type")]
    pub condition_type: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// For machines.
    pub reason: String,
}
