//! Merge: brings what a file says into an object that others write to as well.

use serde_json::{Map, Value};

/// The object `now` with what the file says. As `kubectl apply` does: what the file said `before` and does not
/// say any more goes, and what it never said stays: the service has its finalizer, its annotations and the
/// status there.
pub(super) fn merge(now: Value, before: Option<&Value>, wanted: &Value) -> Value {
    match (now, wanted) {
        (Value::Object(mut now), Value::Object(wanted)) => {
            for gone in keys(before).filter(|key| !wanted.contains_key(*key)) {
                now.remove(gone);
            }
            for (key, wanted) in wanted {
                let before = before.and_then(|before| before.get(key));
                let merged = merge(now.remove(key).unwrap_or(Value::Null), before, wanted);
                now.insert(key.clone(), merged);
            }
            Value::Object(now)
        }
        (_, wanted) => wanted.clone(),
    }
}

fn keys(object: Option<&Value>) -> impl Iterator<Item = &String> {
    object.and_then(Value::as_object).into_iter().flat_map(Map::keys)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_others_wrote_stays_and_what_the_file_says_no_more_goes() {
        let now = json!({
            "metadata": { "finalizers": ["ours"], "annotations": { "a": "1", "ours": "x" } },
            "spec": { "list": [1, 2], "old": true },
            "status": { "phase": "Ready" }
        });
        let before = json!({
            "metadata": { "annotations": { "a": "1" } }, "spec": { "list": [1, 2], "old": true }
        });
        let wanted = json!({ "metadata": { "annotations": { "b": "2" } }, "spec": { "list": [3] } });
        assert_eq!(
            merge(now, Some(&before), &wanted),
            json!({
                "metadata": { "finalizers": ["ours"], "annotations": { "b": "2", "ours": "x" } },
                "spec": { "list": [3] },
                "status": { "phase": "Ready" }
            })
        );
    }

    #[test]
    fn a_status_goes_when_it_stood_in_the_file_and_does_so_no_more() {
        let file = json!({ "status": { "addresses": [{ "value": "10.0.0.1" }] } });
        assert_eq!(merge(file.clone(), Some(&file), &json!({})), json!({}));
        assert_eq!(merge(file.clone(), None, &json!({})), file);
    }
}
