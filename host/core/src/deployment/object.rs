//! What all objects have in common.

use std::fmt;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::config::Workload;

/// The label that says who manages an object.
pub const MANAGED_BY_LABEL: &str = "app.kubernetes.io/managed-by";

/// The label that says which part of the central DNS an object belongs to.
pub const COMPONENT_LABEL: &str = "app.kubernetes.io/component";

/// The manager on what is ours.
pub const MANAGER: &str = "openmcp-dns";

/// Annotation with a digest of what was rendered: where it differs, fields may have to go that no longer are.
pub const RENDERED_ANNOTATION: &str = "dns.openmcp.cloud/rendered";

/// Which object of the API it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// For example `apps/v1`.
    pub api_version: String,
    /// For example `StatefulSet`.
    pub kind: String,
    /// Its namespace; empty where there is one for the whole cluster.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Reference {
    /// Of a rendered or read object.
    pub fn of(object: &Value) -> Self {
        let text = |pointer| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        Self {
            api_version: text("/apiVersion"),
            kind: text("/kind"),
            namespace: text("/metadata/namespace"),
            name: text("/metadata/name"),
        }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.namespace {
            "" => write!(f, "{} {}", self.kind, self.name),
            namespace => write!(f, "{} {namespace}/{}", self.kind, self.name),
        }
    }
}

/// Whether we made an object: others of the same name are left alone.
pub fn is_ours(object: &Value) -> bool {
    labels(object).get(MANAGED_BY_LABEL).and_then(Value::as_str) == Some(MANAGER)
}

fn labels(object: &Value) -> &Value {
    object.pointer("/metadata/labels").unwrap_or(&Value::Null)
}

/// A namespace for what is put into a cluster; `standard` is the Pod Security Standard that is enforced in it.
pub(super) fn own_namespace(name: &str, component: &str, standard: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": {
            "app.kubernetes.io/name": "openmcp-dns",
            COMPONENT_LABEL: component,
            MANAGED_BY_LABEL: MANAGER,
            "pod-security.kubernetes.io/enforce": standard,
        }},
    })
}

/// The account of its pods, in the namespace of the same name. What it may do is bound to it elsewhere.
pub(super) fn own_account(name: &str, component: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": metadata(name, name, component),
        "automountServiceAccountToken": false,
    })
}

/// Name, namespace and labels.
pub(super) fn metadata(namespace: &str, name: &str, component: &str) -> Value {
    let mut labels = selector(component);
    labels[MANAGED_BY_LABEL] = json!(MANAGER);
    json!({"name": name, "namespace": namespace, "labels": labels})
}

/// The labels that pods of a component have, and no others.
pub(super) fn selector(component: &str) -> Value {
    json!({"app.kubernetes.io/name": "openmcp-dns", COMPONENT_LABEL: component})
}

/// What the restricted Pod Security Standard asks of a pod.
pub(super) fn pod_security() -> Value {
    json!({
        "runAsNonRoot": true,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "fsGroup": 65532,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    })
}

/// What it asks of a container, and no file that it could write.
pub(super) fn container_security() -> Value {
    json!({
        "allowPrivilegeEscalation": false,
        "readOnlyRootFilesystem": true,
        "capabilities": {"drop": ["ALL"]},
    })
}

/// Where the pods of a component run, and before whom: fields of a pod's spec.
pub(super) fn placed(mut spec: Value, workload: &Workload, component: &str) -> Value {
    let Workload { image: _, resources: _, node_selector, tolerations, priority_class } = workload;
    spec["topologySpreadConstraints"] = spread(component);
    spec["nodeSelector"] = json!(node_selector);
    if !tolerations.is_empty() {
        spec["tolerations"] = json!(tolerations);
    }
    if let Some(class) = priority_class {
        spec["priorityClassName"] = json!(class);
    }
    spec
}

/// Spreads the pods of a component over the nodes as far as there are some.
fn spread(component: &str) -> Value {
    json!([{
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": selector(component)},
    }])
}

/// A disruption budget: one pod may go at a time.
pub(super) fn disruption_budget(namespace: &str, name: &str, component: &str) -> Value {
    json!({
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata(namespace, name, component),
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": selector(component)}},
    })
}

/// With the digest of itself.
pub(super) fn finished(mut object: Value) -> Value {
    object["metadata"]["annotations"][RENDERED_ANNOTATION] = json!(digest(&object.to_string()));
    object
}

/// 16 digits that change with a text.
pub fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
