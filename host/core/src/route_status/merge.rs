//! Our entries among those of others, in `status.parents` of a route.
//!
//! The list is one value to the API server, so whoever changes it has read all of it, and writes it back guarded by the
//! version that was read. Entries of others come out as they went in.

use serde_json::{Value, json};

use crate::kinds::{CONTROLLER_NAME, Entry, OwnEntries, RouteStatus};

/// Most entries that the Gateway API allows.
const MAX_PARENTS: usize = 32;

/// The list with our entries as they are wanted, at a moment as text; `None` where nothing is to be changed. Where there
/// are too many others, as many of ours are there as fit.
#[must_use]
pub fn merged(parents: &[Value], wanted: &[Entry], now: &str) -> Option<Vec<Value>> {
    let own: Vec<&Value> = parents.iter().filter(|entry| is_own(entry)).collect();
    let mut merged: Vec<Value> = parents.iter().filter(|entry| !is_own(entry)).cloned().collect();
    let room = MAX_PARENTS.saturating_sub(merged.len());
    let wanted = &wanted[..wanted.len().min(room)];
    if own_entries(parents) == OwnEntries::of(wanted) {
        return None;
    }
    merged.extend(wanted.iter().map(|entry| written(entry, &own, now)));
    Some(merged)
}

/// What stands in a list of ours.
#[must_use]
pub fn own_entries(parents: &[Value]) -> OwnEntries {
    let own: Vec<&Value> = parents.iter().filter(|entry| is_own(entry)).collect();
    let status: Result<RouteStatus, _> = serde_json::from_value(json!({ "parents": own }));
    status.map(|status| status.own).unwrap_or_default()
}

fn is_own(entry: &Value) -> bool {
    entry["controllerName"] == CONTROLLER_NAME
}

/// An entry as it is written. A condition that stays as it is keeps its time.
fn written(entry: &Entry, own: &[&Value], now: &str) -> Value {
    let parent = json!(entry.parent);
    let is_same = |old: &&&Value| old["parentRef"]["name"] == parent["name"] && is_of(old, entry);
    let old = own.iter().find(is_same).map_or(&Value::Null, |old| &old["conditions"]);
    let old: &[Value] = old.as_array().map(Vec::as_slice).unwrap_or_default();
    let conditions = entry.conditions.iter().map(|condition| {
        let is_same =
            |old: &&Value| old["type"] == condition.condition_type && old["status"] == condition.status;
        let since = old.iter().find(is_same).and_then(|old| old["lastTransitionTime"].as_str());
        let mut written = json!(condition);
        written["lastTransitionTime"] = json!(since.unwrap_or(now));
        written
    });
    json!({
        "parentRef": parent,
        "controllerName": CONTROLLER_NAME,
        "conditions": conditions.collect::<Vec<_>>(),
    })
}

/// Whether an entry as it stands there is of the same parent.
fn is_of(old: &Value, entry: &Entry) -> bool {
    let bare = |parent| Entry { parent, conditions: Vec::new() };
    let old = serde_json::from_value(old["parentRef"].clone()).map(bare);
    old.is_ok_and(|old| OwnEntries::of(&[old]) == OwnEntries::of(&[bare(entry.parent.clone())]))
}
