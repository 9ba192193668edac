//! References to parents.

use serde::{Deserialize, Serialize};

use super::meta::ObjectKey;
use super::{GATEWAY_API, Kind};

/// A reference from a route, or a ListenerSet, to its parent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ParentRef {
    /// `None`, or empty, means `gateway.networking.k8s.io`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<Box<str>>,
    /// `None`, or empty, means `Gateway`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Box<str>>,
    /// `None`, or empty, means the namespace of the object that refers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Box<str>>,
    /// Name of the parent.
    pub name: Box<str>,
    /// Restricts to one listener.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub section_name: Option<Box<str>>,
    /// Restricts to listeners of one port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<i32>,
}

impl ParentRef {
    /// The kind of the parent, if listeners of it are read here.
    pub(super) fn kind(&self) -> Option<Kind> {
        [Kind::Gateway, Kind::ListenerSet]
            .into_iter()
            .find(|known| known.as_str() == self.kind_name() && is_of_gateway_api(self.group.as_deref()))
    }

    /// All that it says, with what an API server puts in the place of what it does not.
    pub(super) fn named(&self) -> (&str, &str, &str, &str, &str, Option<i32>) {
        let group = self.group.as_deref().filter(|group| !group.is_empty()).unwrap_or(GATEWAY_API);
        (
            group,
            self.kind_name(),
            self.namespace.as_deref().unwrap_or_default(),
            &self.name,
            self.section_name.as_deref().unwrap_or_default(),
            self.port,
        )
    }

    fn kind_name(&self) -> &str {
        self.kind.as_deref().filter(|kind| !kind.is_empty()).unwrap_or(Kind::Gateway.as_str())
    }

    /// Namespace and name of the parent of an object in this namespace.
    pub(super) fn key(&self, namespace: &str) -> ObjectKey {
        let given = self.namespace.as_deref().filter(|namespace| !namespace.is_empty());
        (given.unwrap_or(namespace).to_owned(), self.name.to_string())
    }

    /// The parent, for people.
    pub(super) fn describe(&self, namespace: &str) -> String {
        let (namespace, name) = self.key(namespace);
        format!("{} {namespace}/{name}", self.kind_name())
    }
}

/// Whether a group, as a reference has it, is the Gateway API's.
pub(super) fn is_of_gateway_api(group: Option<&str>) -> bool {
    group.is_none_or(|group| group.is_empty() || group == GATEWAY_API)
}
