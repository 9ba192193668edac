//! Who has written which fields of an object.

use serde_json::{Value, json};

use crate::fields::{self, FieldPath, FieldSet};

/// One entry of `metadata.managedFields`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Manager {
    pub(crate) writer: Writer,
    pub(crate) api_version: String,
    /// RFC 3339.
    pub(crate) time: String,
    pub(crate) fields: FieldSet,
}

/// Who writes, and how: the same name that applies and updates is two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Writer {
    pub(crate) name: String,
    pub(crate) applies: bool,
    pub(crate) subresource: Option<String>,
}

impl Manager {
    /// As conflicts name it.
    pub(crate) fn display(&self) -> String {
        let Writer { name, applies, subresource } = &self.writer;
        let subresource = subresource.as_ref().map(|name| format!(" with subresource {name:?}"));
        let shown = format!("{name:?}{}", subresource.unwrap_or_default());
        if *applies { shown } else { format!("{shown} using {} at {}", self.api_version, self.time) }
    }

    fn from_value(entry: &Value) -> Self {
        let text = |field: &str| entry[field].as_str().unwrap_or_default().to_owned();
        Self {
            writer: Writer {
                name: text("manager"),
                applies: entry["operation"] == "Apply",
                subresource: entry["subresource"].as_str().map(str::to_owned),
            },
            api_version: text("apiVersion"),
            time: text("time"),
            fields: fields::from_fields_v1(&entry["fieldsV1"]),
        }
    }

    fn to_value(&self) -> Value {
        let Self { writer, api_version, time, fields } = self;
        let mut entry = json!({
            "manager": writer.name,
            "operation": if writer.applies { "Apply" } else { "Update" },
            "apiVersion": api_version,
            "time": time,
            "fieldsType": "FieldsV1",
            "fieldsV1": fields::to_fields_v1(fields),
        });
        if let Some(subresource) = &writer.subresource {
            entry["subresource"] = json!(subresource);
        }
        entry
    }
}

/// The entries of an object.
pub(crate) fn of(object: &Value) -> Vec<Manager> {
    let entries = object["metadata"]["managedFields"].as_array();
    entries.into_iter().flatten().map(Manager::from_value).collect()
}

pub(crate) fn to_managed_fields(managers: &[Manager]) -> Value {
    managers.iter().map(Manager::to_value).collect()
}

/// Whether the entries say the same, whenever it was written.
pub(crate) fn same(one: &[Manager], other: &[Manager]) -> bool {
    let says = |manager: &Manager| (manager.writer.clone(), manager.fields.clone());
    one.iter().map(says).eq(other.iter().map(says))
}

/// The entries after `writer` has replaced `old` by `new` without applying: it owns what it has changed.
pub(crate) fn after_update(managers: &[Manager], old: &Value, new: &Value, entry: Manager) -> Vec<Manager> {
    let changed: FieldSet = fields::leaves(new)
        .into_iter()
        .filter(|path| fields::get(old, path) != fields::get(new, path))
        .collect();
    let mut after = managers.to_vec();
    if !changed.is_empty() {
        take(&mut after, &changed);
        match after.iter_mut().find(|manager| manager.writer == entry.writer) {
            Some(manager) => {
                manager.fields.extend(changed);
                manager.time = entry.time;
            }
            None => after.push(Manager { fields: changed, ..entry }),
        }
    }
    forget(&mut after, new);
    after
}

/// Takes fields away from everybody.
pub(crate) fn take(managers: &mut [Manager], taken: &FieldSet) {
    for manager in managers {
        manager.fields.retain(|path| !taken.contains(path));
    }
}

/// Nobody owns what is not there.
pub(crate) fn forget(managers: &mut Vec<Manager>, object: &Value) {
    for manager in managers.iter_mut() {
        manager.fields.retain(|path| fields::get(object, path).is_some());
    }
    managers.retain(|manager| !manager.fields.is_empty());
}

/// Whether anybody owns this field or one inside of it.
pub(crate) fn anybody_owns(managers: &[Manager], path: &FieldPath) -> bool {
    managers.iter().any(|manager| manager.fields.iter().any(|owned| owned.starts_with(path)))
}
