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

/// One change of each object, that does what all of them do one after the other.
pub(super) fn composed(changes: Vec<Change>) -> Vec<Change> {
    let mut all: Vec<Change> = Vec::new();
    for Change { object, action } in changes {
        // Only the last one of the object: one that was deleted is made anew, or not.
        let before = all.iter_mut().rev().find(|change| change.object == object);
        let before = before.map(|before| &mut before.action);
        match (before, action) {
            (Some(before @ Action::Merge(_)), Action::Delete { resource_version }) => {
                *before = Action::Delete { resource_version };
            }
            (Some(Action::Merge(one)), Action::Merge(other)) => *one = merged(one.take(), other),
            (Some(Action::Create(one)), Action::Create(other) | Action::Merge(other)) => {
                *one = merged(one.take(), other);
            }
            (_, action) => all.push(Change { object, action }),
        }
    }
    all
}

/// Changes a value as a merge patch says (RFC 7396).
pub(super) fn patch(target: &mut Value, patch_with: &Value) {
    let Value::Object(fields) = patch_with else {
        *target = patch_with.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (name, value) in fields {
        if value.is_null() {
            target.as_object_mut().map(|target| target.remove(name));
        } else {
            patch(&mut target[name], value);
        }
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
