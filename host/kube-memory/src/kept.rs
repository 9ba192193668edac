//! Kept: an object as the server holds it.

use std::sync::Arc;

use serde_json::Value;

use crate::managers::{self, Manager};

/// The JSON text of an object, as a real server has it in etcd. A tree of maps would take more than ten times as much.
/// Clones share it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept(Arc<str>);

/// An object that was taken out to be worked on.
#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) object: Value,
    pub(crate) managers: Vec<Manager>,
}

impl Kept {
    pub(crate) fn new(object: &Value) -> Self {
        Self(object.to_string().into())
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    pub(crate) fn object(&self) -> Value {
        // It was written by `new`.
        serde_json::from_str(&self.0).unwrap_or_default()
    }

    pub(crate) fn stored(&self) -> Stored {
        let object = self.object();
        Stored { managers: managers::of(&object), object }
    }
}
