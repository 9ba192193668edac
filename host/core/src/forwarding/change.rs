//! What is asked of a cluster's API server.

use serde_json::{Value, json};

use super::facts::Facts;
use crate::deployment::{MANAGED_BY_LABEL, MANAGER, Reference, is_ours};

/// One change of one object.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The object.
    pub object: Reference,
    /// What becomes of it.
    pub action: Action,
}

/// What becomes of an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// There is none yet.
    Create(Value),
    /// A merge patch; it names the version that was read, so that nobody's change in between is lost.
    Merge(Value),
    /// It is ours, and nothing is left in it.
    Delete {
        /// The version that was read.
        resource_version: String,
    },
}

impl Change {
    /// Sets fields of an object; makes it where there is none.
    pub(super) fn set(facts: &Facts, object: Reference, fields: Value) -> Self {
        let metadata = match facts.resource_version(&object) {
            Some(version) => json!({"metadata": {"resourceVersion": version}}),
            None => {
                let mut labelled = json!({
                    "apiVersion": object.api_version,
                    "kind": object.kind,
                    "metadata": {"name": object.name, "labels": {MANAGED_BY_LABEL: MANAGER}},
                });
                if !object.namespace.is_empty() {
                    labelled["metadata"]["namespace"] = json!(object.namespace);
                }
                return Self { object, action: Action::Create(merged(labelled, fields)) };
            }
        };
        Self { object, action: Action::Merge(merged(metadata, fields)) }
    }

    /// Takes fields out of an object; deletes it where we made it and `is_empty` says that nothing is left.
    pub(super) fn unset(facts: &Facts, object: Reference, fields: Value, is_empty: bool) -> Self {
        let version = facts.resource_version(&object).unwrap_or_default().to_owned();
        if is_empty && facts.object(&object).is_some_and(is_ours) {
            return Self { object, action: Action::Delete { resource_version: version } };
        }
        let patch = merged(json!({"metadata": {"resourceVersion": version}}), fields);
        Self { object, action: Action::Merge(patch) }
    }
}

/// Both, field by field.
fn merged(mut one: Value, other: Value) -> Value {
    let Value::Object(fields) = other else { return one };
    for (key, value) in fields {
        let before = one.get(&key).cloned();
        one[&key] = match before {
            Some(before) if before.is_object() => merged(before, value),
            _ => value,
        };
    }
    one
}
