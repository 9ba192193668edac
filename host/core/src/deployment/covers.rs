//! Whether an object already is what was rendered.

use serde_json::Value;

/// Whether `live` has every field of `wanted`. Fields of others, and what the API server filled in, may stand beside them.
pub fn covers(live: &Value, wanted: &Value) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => wanted
            .iter()
            .all(|(key, wanted)| live.get(key).map_or_else(|| is_empty(wanted), |live| covers(live, wanted))),
        (Value::Array(live), Value::Array(wanted)) => {
            live.len() == wanted.len() && live.iter().zip(wanted).all(|(live, wanted)| covers(live, wanted))
        }
        (live, wanted) => live == wanted,
    }
}

/// The API server leaves out what is empty.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::covers;

    #[test]
    fn what_others_added_is_no_difference_and_what_they_changed_is() {
        let wanted = json!({"a": {"b": 1, "empty": {}}, "list": [{"name": "x"}]});
        assert!(covers(
            &json!({"a": {"b": 1, "c": 2}, "list": [{"name": "x", "mode": 420}], "z": 0}),
            &wanted
        ));
        for changed in [
            json!({"a": {"b": 2}, "list": [{"name": "x"}]}),
            json!({"a": {"b": 1}, "list": [{"name": "x"}, {"name": "y"}]}),
            json!({"a": {"b": 1}, "list": [{"name": "y"}]}),
            json!({"a": {"b": 1}}),
            json!(null),
        ] {
            assert!(!covers(&changed, &wanted), "{changed}");
        }
    }
}
