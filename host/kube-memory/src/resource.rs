//! The kinds that a server serves: data, given by who makes it.

use std::sync::Arc;

use serde_json::Value;

/// Says what is wrong with an object; the message goes into the refusal.
pub type Validator = Arc<dyn Fn(&Value) -> Result<(), String> + Send + Sync>;

/// One kind, as `kubectl api-resources` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// API group; empty for the core group.
    pub group: String,
    /// Version, for example `v1alpha1`. A server serves one version of a kind.
    pub version: String,
    /// For example `HTTPRoute`.
    pub kind: String,
    /// For example `httproutes`.
    pub plural: String,
    /// Whether its objects belong to a namespace.
    pub namespaced: bool,
    /// Whether it has the subresource `status`.
    pub has_status: bool,
    /// Whether a CustomResourceDefinition defines it. The rules for these are stricter: an update has
    /// to name the version that it replaces, and a write to the status leaves the metadata alone.
    pub custom: bool,
}

impl Resource {
    /// A kind of a CustomResourceDefinition, with status and in a namespace.
    #[must_use]
    pub fn custom(group: &str, version: &str, kind: &str, plural: &str) -> Self {
        let [group, version, kind, plural] = [group, version, kind, plural].map(str::to_owned);
        Self { group, version, kind, plural, namespaced: true, has_status: true, custom: true }
    }

    /// The same, but its objects belong to no namespace.
    #[must_use]
    pub fn in_no_namespace(mut self) -> Self {
        self.namespaced = false;
        self
    }

    /// For example `networking.k8s.io/v1`, or `v1` for the core group.
    #[must_use]
    pub fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    /// How messages name the kind: `ingresses.networking.k8s.io`.
    pub(crate) fn qualified(&self) -> String {
        if self.group.is_empty() { self.plural.clone() } else { format!("{}.{}", self.plural, self.group) }
    }

    /// Whether `metadata.generation` counts the changes of what is asked for.
    pub(crate) fn counts_generations(&self) -> bool {
        self.custom || (self.has_status && !self.group.is_empty())
    }

    pub(crate) fn is_namespace(&self) -> bool {
        self.group.is_empty() && self.plural == "namespaces"
    }

    pub(crate) fn is_secret(&self) -> bool {
        self.group.is_empty() && self.plural == "secrets"
    }
}

/// Kinds that every API server has and that this service and its tests need.
#[must_use]
pub fn built_in() -> Vec<Resource> {
    let row = |group, version, kind, plural, namespaced, has_status| Resource {
        namespaced,
        has_status,
        custom: false,
        ..Resource::custom(group, version, kind, plural)
    };
    vec![
        row("", "v1", "Namespace", "namespaces", false, true),
        row("", "v1", "ConfigMap", "configmaps", true, false),
        row("", "v1", "Secret", "secrets", true, false),
        row("", "v1", "Service", "services", true, true),
        row("coordination.k8s.io", "v1", "Lease", "leases", true, false),
        row("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", true, false),
        row("events.k8s.io", "v1", "Event", "events", true, false),
        row("networking.k8s.io", "v1", "Ingress", "ingresses", true, true),
    ]
}
