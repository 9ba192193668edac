//! Label selectors, as a listener has them for namespaces.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::meta::or_default;
use crate::labels::Labels;

/// A Kubernetes label selector.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LabelSelector {
    /// Labels that must have these values.
    #[serde(deserialize_with = "or_default")]
    pub match_labels: BTreeMap<String, String>,
    /// Further requirements; all must hold.
    #[serde(deserialize_with = "or_default")]
    pub match_expressions: Vec<LabelRequirement>,
}

/// One requirement of a label selector.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct LabelRequirement {
    /// The label's key.
    pub key: String,
    /// `In`, `NotIn`, `Exists` or `DoesNotExist`.
    pub operator: String,
    /// For `In` and `NotIn`.
    #[serde(deserialize_with = "or_default")]
    pub values: Vec<String>,
}

impl LabelSelector {
    /// Whether all requirements hold; an empty selector matches everything, an unknown operator nothing.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        self.matches_by(|key| labels.get(key))
    }

    /// As [`Self::matches`], for what has keys and values but is no labels.
    pub(super) fn matches_by<'v>(&self, get: impl Fn(&str) -> Option<&'v str>) -> bool {
        self.match_labels.iter().all(|(key, value)| get(key) == Some(value.as_str()))
            && self.match_expressions.iter().all(|requirement| requirement.matches(get(&requirement.key)))
    }
}

impl LabelRequirement {
    fn matches(&self, value: Option<&str>) -> bool {
        match self.operator.as_str() {
            "In" => value.is_some_and(|value| self.values.iter().any(|other| other == value)),
            "NotIn" => value.is_none_or(|value| self.values.iter().all(|other| other != value)),
            "Exists" => value.is_some(),
            "DoesNotExist" => value.is_none(),
            _ => false,
        }
    }
}
