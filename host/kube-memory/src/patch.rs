//! The two kinds of patches: merge (RFC 7396) and server-side apply.

use serde_json::{Map, Value};

use crate::fields::{self, FieldSet};
use crate::managers::{self, Manager};
use crate::refusal::Refusal;

/// A merge patch as RFC 7396 has it.
pub(crate) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(target) = target else { return };
    for (name, value) in patch {
        if value.is_null() {
            target.remove(name);
        } else {
            merge(target.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}

/// Applies a configuration: what it names is set, what this manager named before and does not name any
/// more is removed unless somebody else owns it, too.
///
/// `entry` says who applies, with no fields. Gives the new object and the new entries.
///
/// # Errors
/// When somebody else owns a field with another value, unless `force` takes it.
pub(crate) fn apply(
    live: &Value,
    managers: &[Manager],
    configuration: &Value,
    entry: Manager,
    force: bool,
) -> Result<(Value, Vec<Manager>), Refusal> {
    let applied = fields::leaves(configuration);
    let place = managers.iter().position(|manager| manager.writer == entry.writer);
    let mut before = FieldSet::new();
    let mut others = managers.to_vec();
    others.retain(|manager| {
        let own = manager.writer == entry.writer;
        if own {
            before.clone_from(&manager.fields);
        }
        !own
    });
    let conflicts = conflicts(live, &others, configuration, &applied);
    if !conflicts.is_empty() {
        if !force {
            return Err(refusal(&conflicts));
        }
        let taken = conflicts.iter().map(|(_, path)| path.clone()).collect();
        managers::take(&mut others, &taken);
    }
    let mut merged = live.clone();
    overlay(&mut merged, configuration, &mut Vec::new());
    for path in before.difference(&applied) {
        let replaced = applied.iter().any(|named| named.starts_with(path));
        if !replaced && !managers::anybody_owns(&others, path) {
            fields::remove(&mut merged, path);
        }
    }
    let unchanged =
        managers.iter().find(|manager| manager.writer == entry.writer && manager.fields == applied);
    let time = unchanged.map_or(entry.time, |manager| manager.time.clone());
    others.insert(place.unwrap_or(others.len()), Manager { fields: applied, time, ..entry });
    managers::forget(&mut others, &merged);
    Ok((merged, others))
}

/// The fields of others that would change.
fn conflicts(
    live: &Value,
    others: &[Manager],
    configuration: &Value,
    applied: &FieldSet,
) -> Vec<(Manager, fields::FieldPath)> {
    let mut found = Vec::new();
    for manager in others {
        for path in &manager.fields {
            // A scalar where the other has a map, or the other way round, changes as well.
            let named = applied.iter().any(|named| path.starts_with(named) || named.starts_with(path));
            let wanted = fields::get(configuration, path);
            let keeps = wanted.is_some_and(|wanted| {
                let both_maps = wanted.is_object() && fields::get(live, path).is_some_and(Value::is_object);
                both_maps || fields::get(live, path) == Some(wanted)
            });
            let empty_map_named = wanted.is_none()
                && applied.iter().any(|named| {
                    path.starts_with(named) && fields::get(configuration, named).is_some_and(Value::is_object)
                });
            if named && !keeps && !empty_map_named {
                found.push((manager.clone(), path.clone()));
            }
        }
    }
    found
}

fn refusal(conflicts: &[(Manager, fields::FieldPath)]) -> Refusal {
    let causes: Vec<(String, String)> = conflicts
        .iter()
        .map(|(manager, path)| (format!("conflict with {}", manager.display()), fields::display(path)))
        .collect();
    let message = if let [(cause, field)] = causes.as_slice() {
        format!("Apply failed with 1 conflict: {cause}: {field}")
    } else {
        let mut lines: Vec<String> = Vec::new();
        let mut last = None;
        for (manager, path) in conflicts {
            if last != Some(&manager.writer) {
                lines.push(format!("conflicts with {}:", manager.display()));
                last = Some(&manager.writer);
            }
            lines.push(format!("- {}", fields::display(path)));
        }
        format!("Apply failed with {} conflicts: {}", conflicts.len(), lines.join("\n"))
    };
    Refusal::apply_conflict(message, &causes)
}

/// Lays a configuration over an object: maps are merged, sets united, the rest replaced.
fn overlay(target: &mut Value, configuration: &Value, path: &mut Vec<String>) {
    match (target, configuration) {
        (Value::Object(target), Value::Object(configuration)) => {
            for (name, value) in configuration {
                path.push(format!("f:{name}"));
                match target.get_mut(name) {
                    Some(inner) => overlay(inner, value, path),
                    None => {
                        target.insert(name.clone(), value.clone());
                    }
                }
                path.pop();
            }
        }
        (Value::Array(target), Value::Array(items))
            if items.iter().all(|item| fields::item_key(path, item).is_some()) && !items.is_empty() =>
        {
            for item in items {
                let key = fields::item_key(path, item);
                match target.iter_mut().find(|there| fields::item_key(path, there) == key) {
                    Some(there) => *there = item.clone(),
                    None => target.push(item.clone()),
                }
            }
        }
        (target, configuration) => *target = configuration.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::managers::Writer;

    fn entry(name: &str) -> Manager {
        Manager {
            writer: Writer { name: name.into(), applies: true, subresource: None },
            api_version: "v1".into(),
            time: "2026-01-01T00:00:00Z".into(),
            fields: FieldSet::new(),
        }
    }

    /// Applies one configuration after the other, each as (manager, force, configuration).
    fn applied(steps: &[(&str, bool, Value)]) -> Result<Value, Refusal> {
        let mut state = (json!({}), Vec::new());
        for (manager, force, configuration) in steps {
            state = apply(&state.0, &state.1, configuration, entry(manager), *force)?;
        }
        Ok(state.0)
    }

    #[test]
    fn a_merge_patch_is_that_of_rfc_7396() {
        // The examples of its appendix.
        for (target, patch, result) in [
            (json!({"a":"b"}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"b"}), json!({"b":"c"}), json!({"a":"b","b":"c"})),
            (json!({"a":"b"}), json!({"a":null}), json!({})),
            (json!({"a":"b","b":"c"}), json!({"a":null}), json!({"b":"c"})),
            (json!({"a":["b"]}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"c"}), json!({"a":["b"]}), json!({"a":["b"]})),
            (json!({"a":{"b":"c"}}), json!({"a":{"b":"d","c":null}}), json!({"a":{"b":"d"}})),
            (json!({"a":[{"b":"c"}]}), json!({"a":[1]}), json!({"a":[1]})),
            (json!(["a", "b"]), json!(["c", "d"]), json!(["c", "d"])),
            (json!({"a":"b"}), json!(["c"]), json!(["c"])),
            (json!({"e":null}), json!({"a":1}), json!({"e":null,"a":1})),
            (json!([1, 2]), json!({"a":"b","c":null}), json!({"a":"b"})),
            (json!({}), json!({"a":{"bb":{"ccc":null}}}), json!({"a":{"bb":{}}})),
        ] {
            let mut merged = target.clone();
            merge(&mut merged, &patch);
            assert_eq!(merged, result, "{target} {patch}");
        }
    }

    #[test]
    fn what_is_no_longer_applied_is_removed() {
        let steps = [
            ("a", false, json!({ "data": { "x": "1", "y": "2" } })),
            ("b", false, json!({ "data": { "z": "3" } })),
            ("a", false, json!({ "data": { "y": "2" } })),
        ];
        assert_eq!(applied(&steps).unwrap(), json!({ "data": { "y": "2", "z": "3" } }));
    }

    #[test]
    fn what_two_apply_stays_until_neither_does() {
        let both = json!({ "data": { "x": "1" } });
        let mut steps = vec![("a", false, both.clone()), ("b", false, both.clone()), ("a", false, json!({}))];
        assert_eq!(applied(&steps).unwrap(), both);
        steps.push(("b", false, json!({})));
        assert_eq!(applied(&steps).unwrap(), json!({}));
    }

    #[test]
    fn a_field_of_somebody_else_is_taken_only_by_force() {
        let first = ("a", false, json!({ "data": { "x": "1", "y": "1" } }));
        let error = applied(&[first.clone(), ("b", false, json!({ "data": { "x": "2" } }))]).unwrap_err();
        assert_eq!((error.code, error.reason), (409, "Conflict"));
        assert_eq!(error.message, "Apply failed with 1 conflict: conflict with \"a\": .data.x");
        let error =
            applied(&[first.clone(), ("b", false, json!({ "data": { "x": "2", "y": "2" } }))]).unwrap_err();
        assert_eq!(
            error.message,
            "Apply failed with 2 conflicts: conflicts with \"a\":\n- .data.x\n- .data.y"
        );
        let forced = [
            first,
            ("b", true, json!({ "data": { "x": "2" } })),
            ("a", false, json!({ "data": { "y": "1" } })),
        ];
        assert_eq!(applied(&forced).unwrap(), json!({ "data": { "x": "2", "y": "1" } }));
    }

    #[test]
    fn lists_are_replaced_and_sets_united() {
        let with =
            |finalizer: &str, item: u8| json!({ "metadata": { "finalizers": [finalizer] }, "list": [item] });
        let steps = [("a", false, with("x/a", 1)), ("b", true, with("x/b", 2))];
        assert_eq!(
            applied(&steps).unwrap(),
            json!({ "metadata": { "finalizers": ["x/a", "x/b"] }, "list": [2] })
        );
        let steps = [steps.as_slice(), &[("a", false, json!({}))]].concat();
        assert_eq!(applied(&steps).unwrap(), json!({ "metadata": { "finalizers": ["x/b"] }, "list": [2] }));
    }

    #[test]
    fn a_map_in_place_of_a_scalar_of_somebody_else_is_a_conflict() {
        let steps = [("a", false, json!({ "x": 1 })), ("b", false, json!({ "x": { "y": 1 } }))];
        assert_eq!(applied(&steps).unwrap_err().code, 409);
        let steps = [("a", false, json!({ "x": { "y": 1 } })), ("b", false, json!({ "x": 1 }))];
        assert_eq!(applied(&steps).unwrap_err().code, 409);
        let steps = [("a", false, json!({ "x": { "y": 1 } })), ("b", false, json!({ "x": {} }))];
        assert_eq!(applied(&steps).unwrap(), json!({ "x": { "y": 1 } }));
    }
}
