//! What the server does with an object that somebody sends, before it keeps it.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::path::Place;
use crate::refusal::Refusal;
use crate::resource::Resource;

/// Set by the server alone.
const OWNED_BY_SERVER: [&str; 8] = [
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "resourceVersion",
    "managedFields",
    "selfLink",
];

/// Longest name of an object, and longest of a namespace.
const LONGEST_NAME: usize = 253;
const LONGEST_LABEL: usize = 63;

/// Reads a body that has to be a JSON object.
pub(crate) fn decode(body: &[u8]) -> Result<Value, Refusal> {
    let value: Value = serde_json::from_slice(body)
        .map_err(|error| Refusal::bad_request(format!("error decoding the body: {error}")))?;
    if value.is_object() { Ok(value) } else { Err(Refusal::bad_request("the body is no JSON object")) }
}

/// Drops what an API server does not keep: fields that are null, and empty maps and lists of the metadata.
pub(crate) fn tidy(object: &mut Value) {
    drop_nulls(object);
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for name in ["labels", "annotations", "finalizers", "ownerReferences"] {
            let empty = match metadata.get(name) {
                Some(Value::Object(map)) => map.is_empty(),
                Some(Value::Array(list)) => list.is_empty(),
                _ => false,
            };
            if empty {
                metadata.remove(name);
            }
        }
    }
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

/// Holds an object against the place that it is sent to, and fills in what the place says.
pub(crate) fn place(resource: &Resource, at: &Place, object: &mut Value) -> Result<(), Refusal> {
    let bad = |what: &str, given: &str, expected: &str| {
        Err(Refusal::bad_request(format!(
            "the {what} in the data ({given}) does not match the expected {what} ({expected})"
        )))
    };
    for (field, what, expected) in
        [("apiVersion", "API version", resource.api_version()), ("kind", "kind", resource.kind.clone())]
    {
        match object.get(field) {
            None => object[field] = json!(expected),
            Some(given) if *given == expected => {}
            Some(given) => return bad(what, given.as_str().unwrap_or_default(), &expected),
        }
    }
    let metadata = metadata_of(object)?;
    for (field, expected) in [("name", &at.name), ("namespace", &at.namespace)] {
        let given = metadata.get(field).and_then(Value::as_str).unwrap_or_default();
        match expected {
            Some(expected) if given.is_empty() => {
                metadata.insert(field.to_owned(), json!(expected));
            }
            Some(expected) if given != expected => {
                return Err(Refusal::bad_request(format!(
                    "the {field} of the object ({given}) does not match the {field} on the URL ({expected})"
                )));
            }
            None if field == "namespace" => {
                metadata.remove(field);
            }
            _ => {}
        }
    }
    types_of_metadata(resource, object)
}

fn metadata_of(object: &mut Value) -> Result<&mut Map<String, Value>, Refusal> {
    let bad = || Refusal::bad_request("the metadata of the object is no JSON object");
    let object = object.as_object_mut().ok_or_else(bad)?;
    object.entry("metadata").or_insert_with(|| json!({})).as_object_mut().ok_or_else(bad)
}

/// Everything else relies on these types.
fn types_of_metadata(resource: &Resource, object: &Value) -> Result<(), Refusal> {
    let texts = |value: &Value| value.as_object().is_some_and(|map| map.values().all(Value::is_string));
    let list =
        |value: &Value, fits: fn(&Value) -> bool| value.as_array().is_some_and(|list| list.iter().all(fits));
    for (name, value) in object["metadata"].as_object().into_iter().flatten() {
        let fits = match name.as_str() {
            "name" | "namespace" | "generateName" | "uid" | "resourceVersion" => value.is_string(),
            "labels" | "annotations" => texts(value),
            "finalizers" => list(value, Value::is_string),
            "ownerReferences" => list(value, |owner| owner["uid"].is_string()),
            _ => true,
        };
        if !fits {
            let kind = &resource.kind;
            return Err(Refusal::bad_request(format!(
                "{kind} cannot be handled: metadata.{name} has another type"
            )));
        }
    }
    Ok(())
}

/// Refuses names that cannot stand in a URL.
pub(crate) fn check_name(resource: &Resource, name: &str) -> Result<(), Refusal> {
    if name.is_empty() {
        return Err(Refusal::invalid(
            resource,
            name,
            "metadata.name: Required value: name or generateName is required",
        ));
    }
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let label = |label: &str| {
        !label.is_empty() && label.chars().all(inner) && !label.starts_with('-') && !label.ends_with('-')
    };
    let (fits, what) = if resource.is_namespace() {
        (name.len() <= LONGEST_LABEL && label(name), "label")
    } else {
        (name.len() <= LONGEST_NAME && name.split('.').all(label), "subdomain")
    };
    if fits {
        return Ok(());
    }
    let why = format!(
        "metadata.name: Invalid value: {name:?}: a lowercase RFC 1123 {what} must consist of lower case \
         alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character"
    );
    Err(Refusal::invalid(resource, name, &why))
}

/// Makes an object new: nothing that only the server sets, and then what it sets.
pub(crate) fn make_new(resource: &Resource, object: &mut Value, uid: &str, now: Timestamp) {
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.retain(|name, _| !OWNED_BY_SERVER.contains(&name.as_str()));
    }
    object["metadata"]["uid"] = json!(uid);
    object["metadata"]["creationTimestamp"] = json!(time(now));
    if resource.counts_generations() {
        object["metadata"]["generation"] = json!(1);
    }
}

/// Keeps what only the server sets as it was.
pub(crate) fn keep_server_fields(old: &Value, new: &mut Value) {
    for name in OWNED_BY_SERVER {
        match old["metadata"].get(name) {
            Some(value) => new["metadata"][name] = value.clone(),
            None => {
                if let Some(metadata) = new["metadata"].as_object_mut() {
                    metadata.remove(name);
                }
            }
        }
    }
}

/// What a write to the object or to a subresource changes of it; the rest stays as it was.
pub(crate) fn restrict(resource: &Resource, status: bool, old: &Value, candidate: Value) -> Value {
    if !resource.has_status {
        return candidate;
    }
    let (mut new, source) = if !status {
        let status = old.get("status").cloned();
        (candidate, json!({ "status": status }))
    } else if resource.custom {
        (old.clone(), candidate)
    } else {
        let mut new = old.clone();
        new["metadata"] = candidate["metadata"].clone();
        (new, candidate)
    };
    match source.get("status") {
        Some(status) if !status.is_null() => new["status"] = status.clone(),
        _ => {
            if let Some(new) = new.as_object_mut() {
                new.remove("status");
            }
        }
    }
    new
}

/// Counts a change of what is asked for; metadata and status are not.
pub(crate) fn count_generation(resource: &Resource, old: &Value, new: &mut Value) {
    let asked = |object: &Value| {
        let mut asked = object.as_object().cloned().unwrap_or_default();
        asked.remove("metadata");
        if resource.has_status {
            asked.remove("status");
        }
        asked
    };
    if resource.counts_generations() && asked(old) != asked(new) {
        new["metadata"]["generation"] = json!(old["metadata"]["generation"].as_u64().unwrap_or(0) + 1);
    }
}

/// What an API server fills in for the kinds that it knows itself.
pub(crate) fn set_defaults(resource: &Resource, object: &mut Value) {
    if resource.is_namespace() {
        let name = object["metadata"]["name"].clone();
        object["metadata"]["labels"]["kubernetes.io/metadata.name"] = name;
        if object["status"].is_null() {
            object["status"] = json!({ "phase": "Active" });
        }
    }
    if resource.is_secret()
        && let Some(object) = object.as_object_mut()
    {
        object.entry("type").or_insert_with(|| json!("Opaque"));
        if let Some(Value::Object(texts)) = object.remove("stringData") {
            let data = object.entry("data").or_insert_with(|| json!({})).as_object_mut();
            let encoded = |text: &Value| json!(STANDARD.encode(text.as_str().unwrap_or_default()));
            if let Some(data) = data {
                data.extend(texts.iter().map(|(key, text)| (key.clone(), encoded(text))));
            }
        }
    }
}

pub(crate) fn finalizers(object: &Value) -> Vec<&str> {
    object["metadata"]["finalizers"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

pub(crate) fn is_deleted(object: &Value) -> bool {
    !object["metadata"]["deletionTimestamp"].is_null()
}

/// A text field of the metadata; empty where there is none.
pub(crate) fn text<'o>(object: &'o Value, field: &str) -> &'o str {
    object["metadata"][field].as_str().unwrap_or_default()
}

/// As Kubernetes writes times, in whole seconds.
pub(crate) fn time(now: Timestamp) -> String {
    now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The same server makes the same identifiers in every run, and two servers different ones.
pub(crate) fn uid(server: &str, count: u64) -> String {
    let half = |salt: u8| {
        let mut hasher = DefaultHasher::new();
        (server, count, salt).hash(&mut hasher);
        hasher.finish()
    };
    let (one, two) = (half(0), half(1));
    format!(
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        one >> 32,
        (one >> 16) & 0xffff,
        one & 0xfff,
        two >> 52,
        two & 0xffff_ffff_ffff
    )
}

/// Five characters from an identifier, as they follow a `generateName`.
pub(crate) fn suffix(uid: &str) -> String {
    /// Without vowels and look-alikes, so that no words come out.
    const LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut number = uid.bytes().fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    let mut suffix = String::new();
    for _ in 0..5 {
        suffix.push(char::from(LETTERS[usize::try_from(number % 27).unwrap_or_default()]));
        number /= 27;
    }
    suffix
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_a_url_can_hold() {
        let config_map = crate::built_in().remove(1);
        for name in ["a", "kube-root-ca.crt", "1.2", &"a".repeat(253)] {
            assert_eq!(check_name(&config_map, name), Ok(()), "{name}");
        }
        for name in ["", "A", "a_b", "-a", "a-", "a..b", ".a", "a/b", "ä", &"a".repeat(254)] {
            assert_eq!(check_name(&config_map, name).unwrap_err().code, 422, "{name}");
        }
        let namespace = crate::built_in().remove(0);
        assert_eq!(check_name(&namespace, "a.b").unwrap_err().code, 422);
    }

    #[test]
    fn identifiers_are_unique_and_the_same_in_every_run() {
        let all: std::collections::BTreeSet<String> =
            ["a", "b"].iter().flat_map(|server| (0..1000).map(move |count| uid(server, count))).collect();
        assert_eq!(all.len(), 2000);
        assert!(all.iter().all(|uid| uid.len() == 36), "{:?}", all.first());
        assert_eq!(uid("a", 1), uid("a", 1));
    }

    #[test]
    fn times_are_in_whole_seconds() {
        let time = time("2026-01-02T03:04:05.678Z".parse().unwrap());
        assert_eq!(time, "2026-01-02T03:04:05Z");
    }
}
