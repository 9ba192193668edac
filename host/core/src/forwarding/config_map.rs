//! Keys of ConfigMaps.

use serde_json::json;

use super::change::Change;
use super::facts::Facts;
use super::pods::MountedKey;
use super::refusal::Refusal;
use crate::corefile::CorefileError;

impl MountedKey {
    /// For people.
    pub(super) fn name(&self) -> String {
        format!("key {} of {}", self.key, self.config_map)
    }

    pub(super) fn text<'f>(&self, facts: &'f Facts) -> Option<&'f str> {
        facts.text(&self.config_map, &self.key)
    }

    /// Gives the key this text.
    pub(super) fn set(&self, facts: &Facts, text: &str) -> Change {
        Change::set(facts, self.config_map.clone(), json!({"data": {&self.key: text}}))
    }

    /// Why it is left alone.
    pub(super) fn refusal(&self) -> impl Fn(CorefileError) -> Refusal {
        let place = self.name();
        move |source| Refusal::Corefile { place: place.clone(), source }
    }
}
