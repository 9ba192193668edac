//! Conditions, as controllers write them into a status.

use serde::Deserialize;

use super::meta::or_default;

/// One condition; nothing is read of its message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Condition {
    /// For example `Accepted`.
    #[serde(rename = "type")]
    pub condition_type: Box<str>,
    /// `True`, `False` or `Unknown`.
    pub status: Box<str>,
    /// For machines.
    pub reason: Box<str>,
    /// Generation of the object that it is said of; 0 where that is not said.
    #[serde(deserialize_with = "or_default")]
    pub observed_generation: i64,
}

/// What one type of condition says of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Said<'a> {
    pub(super) holds: bool,
    /// Whether it is said of the object as it is now. Some controllers take minutes to look at a new generation:
    /// what is published must not go for what they said of an older one.
    pub(super) is_current: bool,
    pub(super) reason: &'a str,
}

/// Looks for a type of condition; `None` where it is not there, or not known.
pub(super) fn said<'a>(
    conditions: &'a [Condition],
    condition_type: &str,
    generation: i64,
) -> Option<Said<'a>> {
    let condition = conditions.iter().find(|condition| *condition.condition_type == *condition_type)?;
    let holds = match &*condition.status {
        "True" => true,
        "False" => false,
        _ => return None,
    };
    let observed = condition.observed_generation;
    Some(Said { holds, is_current: observed == 0 || observed >= generation, reason: &condition.reason })
}
