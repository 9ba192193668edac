//! Sets of fields, as `metadata.managedFields` records who has written what.
//!
//! A path is a list of elements in the notation of `FieldsV1`: `f:name` for a field, `v:"x"` for an
//! item of a set, `k:{"uid":"x"}` for an item that a key identifies.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// Written by the server alone, or what identifies the object: nobody's fields.
const UNOWNED: [&str; 9] = [
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "managedFields",
];

pub(crate) type FieldPath = Vec<String>;

/// Paths of leaves: scalars, lists that are replaced as a whole, items of sets, and empty maps.
pub(crate) type FieldSet = BTreeSet<FieldPath>;

/// How an item of a list is identified; `None` for lists that are replaced as a whole, which is what a
/// schema says where it says nothing.
pub(crate) fn item_key(list: &[String], item: &Value) -> Option<String> {
    match list.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["f:metadata", "f:finalizers"] => Some(format!("v:{item}")),
        ["f:metadata", "f:ownerReferences"] => Some(format!("k:{{\"uid\":{}}}", item["uid"])),
        _ => None,
    }
}

/// The fields of an object that somebody can own.
pub(crate) fn leaves(object: &Value) -> FieldSet {
    let mut found = FieldSet::new();
    for (name, value) in object.as_object().into_iter().flatten() {
        match (name.as_str(), value) {
            ("apiVersion" | "kind", _) => {}
            ("metadata", Value::Object(metadata)) => {
                for (name, value) in metadata.iter().filter(|(name, _)| !UNOWNED.contains(&name.as_str())) {
                    collect(value, &mut vec!["f:metadata".to_owned(), format!("f:{name}")], &mut found);
                }
            }
            _ => collect(value, &mut vec![format!("f:{name}")], &mut found),
        }
    }
    found
}

fn collect(value: &Value, path: &mut FieldPath, found: &mut FieldSet) {
    let mut inside = false;
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                inside = true;
                path.push(format!("f:{name}"));
                collect(value, path, found);
                path.pop();
            }
        }
        Value::Array(items) => {
            let keys: Vec<String> = items.iter().filter_map(|item| item_key(path, item)).collect();
            inside = !keys.is_empty();
            found.extend(keys.into_iter().map(|key| [path.as_slice(), &[key]].concat()));
        }
        _ => {}
    }
    if !inside {
        found.insert(path.clone());
    }
}

/// What stands at a path.
pub(crate) fn get<'o>(object: &'o Value, path: &[String]) -> Option<&'o Value> {
    let mut value = object;
    for (depth, element) in path.iter().enumerate() {
        value = match element.strip_prefix("f:") {
            Some(name) => value.get(name)?,
            None => value
                .as_array()?
                .iter()
                .find(|item| item_key(&path[..depth], item).as_ref() == Some(element))?,
        };
    }
    Some(value)
}

/// Takes away what stands at a path, and the maps and lists that it leaves empty.
pub(crate) fn remove(object: &mut Value, path: &[String]) {
    remove_below(object, path, 0);
}

/// Gives whether nothing is left.
fn remove_below(value: &mut Value, path: &[String], depth: usize) -> bool {
    let Some(element) = path.get(depth) else { return true };
    match (value, element.strip_prefix("f:")) {
        (Value::Object(map), Some(name)) => {
            let emptied = map.get_mut(name).is_some_and(|inner| remove_below(inner, path, depth + 1));
            if emptied {
                map.remove(name);
            }
            emptied && map.is_empty()
        }
        (Value::Array(items), None) => {
            let before = items.len();
            items.retain(|item| item_key(&path[..depth], item).as_ref() != Some(element));
            items.is_empty() && before > 0
        }
        _ => false,
    }
}

/// As messages write a path: `.metadata.finalizers[="x"]`.
pub(crate) fn display(path: &[String]) -> String {
    let shown = path.iter().map(|element| {
        let (kind, rest) = element.split_once(':').unwrap_or(("f", element));
        match kind {
            "v" => format!("[={rest}]"),
            "k" => format!("[{}]", rest.trim_matches(['{', '}']).replacen("\"uid\":", "uid=", 1)),
            _ => format!(".{rest}"),
        }
    });
    shown.collect()
}

/// As `managedFields` holds it.
pub(crate) fn to_fields_v1(set: &FieldSet) -> Value {
    let mut root = Map::new();
    for path in set {
        let mut map = &mut root;
        for element in path {
            let inner = map.entry(element.clone()).or_insert_with(|| Value::Object(Map::new()));
            let Value::Object(inner) = inner else { break };
            map = inner;
        }
    }
    Value::Object(root)
}

/// What [`to_fields_v1`] has written.
pub(crate) fn from_fields_v1(tree: &Value) -> FieldSet {
    fn read(tree: &Value, path: &mut FieldPath, found: &mut FieldSet) {
        for (element, inner) in tree.as_object().into_iter().flatten() {
            path.push(element.clone());
            if inner.as_object().is_none_or(Map::is_empty) {
                found.insert(path.clone());
            } else {
                read(inner, path, found);
            }
            path.pop();
        }
    }
    let mut found = FieldSet::new();
    read(tree, &mut Vec::new(), &mut found);
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object() -> Value {
        json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {
                "name": "one", "uid": "u", "finalizers": ["a/b"], "annotations": { "example.com/x": "1" },
                "ownerReferences": [{ "uid": "o", "name": "owner" }],
            },
            "data": { "a": "1" }, "list": [1, 2], "empty": {},
        })
    }

    #[test]
    fn fields_are_leaves_and_items_of_sets() {
        let shown: Vec<String> = leaves(&object()).iter().map(|path| display(path)).collect();
        assert_eq!(
            shown,
            [
                ".data.a",
                ".empty",
                ".list",
                ".metadata.annotations.example.com/x",
                ".metadata.finalizers[=\"a/b\"]",
                ".metadata.ownerReferences[uid=\"o\"]",
            ]
        );
    }

    #[test]
    fn what_is_removed_takes_empty_parents_along() {
        let mut changed = object();
        for path in leaves(&object()) {
            assert!(get(&changed, &path).is_some(), "{path:?}");
            remove(&mut changed, &path);
            assert!(get(&changed, &path).is_none(), "{path:?}");
        }
        assert_eq!(
            changed,
            json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "one", "uid": "u" } })
        );
    }

    #[test]
    fn a_set_is_read_as_it_was_written() {
        let set = leaves(&object());
        assert_eq!(from_fields_v1(&to_fields_v1(&set)), set);
    }

    #[test]
    fn a_set_is_written_as_a_tree() {
        let set = leaves(&json!({ "metadata": { "finalizers": ["x"] }, "data": { "a": "1", "b": "2" } }));
        assert_eq!(
            to_fields_v1(&set),
            json!({ "f:metadata": { "f:finalizers": { "v:\"x\"": {} } }, "f:data": { "f:a": {}, "f:b": {} } })
        );
    }
}
