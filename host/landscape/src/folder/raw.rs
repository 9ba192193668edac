//! Raw objects: what a manifest says, whatever its kind, before anybody reads it as a type.

use std::sync::Arc;

use serde::de::IgnoredAny;
use serde_json::Value;

/// An object as it stands in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raw {
    /// Line in the file at which it begins, from 1; that of the list for an item of one.
    pub line: usize,
    identity: [Box<str>; 4],
    text: Arc<str>,
}

impl Raw {
    pub(super) fn new(line: usize, object: &Value) -> Self {
        let identity = ["/apiVersion", "/kind", "/metadata/namespace", "/metadata/name"]
            .map(|field| object.pointer(field).and_then(Value::as_str).unwrap_or_default().into());
        Self { line, identity, text: object.to_string().into() }
    }

    /// With the names that the object is read with: a number is a text there. The namespace is empty for
    /// what has none.
    pub(super) fn named(line: usize, mut object: Value, namespace: &str, name: &str) -> Self {
        if let Some(Value::Object(metadata)) = object.get_mut("metadata") {
            metadata.insert("name".to_owned(), name.into());
            if namespace.is_empty() {
                metadata.remove("namespace");
            } else {
                metadata.insert("namespace".to_owned(), namespace.into());
            }
        }
        Self::new(line, &object)
    }

    /// What tells it from the other objects of its cluster: apiVersion, kind, namespace and name, each
    /// empty where it is missing.
    #[must_use]
    pub fn identity(&self) -> [&str; 4] {
        self.identity.each_ref().map(AsRef::as_ref)
    }

    /// All its fields, as JSON: a tree of maps takes more than ten times as much memory. Of the kinds that the service
    /// reads, the namespace is the one that kubectl would give it; of other kinds, the one that is written,
    /// because it is not known whether they have one.
    #[must_use]
    pub const fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// The same as a tree.
    #[must_use]
    pub fn object(&self) -> Value {
        // It was written by `new`.
        serde_json::from_str(&self.text).unwrap_or_default()
    }
}

/// What every object says of itself.
#[derive(Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Header {
    pub(super) api_version: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) metadata: Option<HeaderMetadata>,
    items: Option<IgnoredAny>,
}

#[derive(Default, serde::Deserialize)]
#[serde(default)]
pub(super) struct HeaderMetadata {
    pub(super) name: Option<String>,
    pub(super) namespace: Option<String>,
}

impl Header {
    /// Whether the objects are the items of this one, as `kubectl get -o yaml` writes them.
    pub(super) fn is_list(&self) -> bool {
        self.items.is_some() && self.kind.as_deref().is_some_and(|kind| kind.ends_with("List"))
    }
}

/// A list of objects.
#[derive(serde::Deserialize)]
pub(super) struct List {
    pub(super) items: Vec<Value>,
}
