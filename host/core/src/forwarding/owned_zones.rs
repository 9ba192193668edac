//! Which entries of an object are ours, where an entry has no place for a name of its owner: an annotation of the object says it.

use serde_json::{Value, json};

use crate::name::HostName;

/// The zones whose entries in this object are ours, with blanks between them.
const ANNOTATION: &str = "dns.openmcp.cloud/forwarded-zones";

fn zones(object: Option<&Value>) -> Vec<&str> {
    let text =
        object.and_then(|object| object.get("metadata")?.get("annotations")?.get(ANNOTATION)?.as_str());
    text.unwrap_or_default().split_whitespace().collect()
}

/// Whether the entry of a zone is ours.
pub(super) fn has(object: Option<&Value>, zone: &HostName) -> bool {
    zones(object).contains(&zone.as_str())
}

/// The fields that say so.
pub(super) fn with(object: Option<&Value>, zone: &HostName) -> Value {
    let mut all = zones(object);
    if !all.contains(&zone.as_str()) {
        all.push(zone.as_str());
    }
    fields(&all)
}

/// The fields that no longer say so.
pub(super) fn without(object: Option<&Value>, zone: &HostName) -> Value {
    let mut all = zones(object);
    all.retain(|other| *other != zone.as_str());
    fields(&all)
}

fn fields(zones: &[&str]) -> Value {
    let text = if zones.is_empty() { Value::Null } else { json!(zones.join(" ")) };
    json!({"metadata": {"annotations": {ANNOTATION: text}}})
}
