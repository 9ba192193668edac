//! Objects on the platform cluster: what the service has made, and what it was installed with.

use kube::Api;
use kube::api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams};
use openmcp_dns_core::deployment::{MANAGED_BY_LABEL, MANAGER, Reference};
use openmcp_dns_modules::KEPT_LABEL;

use super::{UninstallError, failed, gone};

/// The kinds that the service makes in its namespace. What answers goes after what keeps it from being changed, and the
/// records after those who read them.
const KINDS: [(&str, &str); 11] = [
    ("batch/v1", "CronJob"),
    ("batch/v1", "Job"),
    ("policy/v1", "PodDisruptionBudget"),
    ("apps/v1", "Deployment"),
    ("v1", "Service"),
    ("apps/v1", "StatefulSet"),
    ("v1", "PersistentVolumeClaim"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("v1", "ConfigMap"),
    ("v1", "Secret"),
    ("v1", "Pod"),
];

/// What the service makes has at least one of these labels.
fn selectors() -> [String; 3] {
    [
        format!("{MANAGED_BY_LABEL}={MANAGER}"),
        // What a controller makes of it: pods, volume claims.
        format!("app.kubernetes.io/name={MANAGER}"),
        KEPT_LABEL.to_owned(),
    ]
}

/// For people.
pub(super) fn line(object: &Reference) -> String {
    let Reference { kind, namespace, name, .. } = object;
    if namespace.is_empty() { format!("{kind} {name}") } else { format!("{kind} {namespace}/{name}") }
}

/// All that the service has made in its namespace.
pub(super) async fn made(platform: &kube::Client, namespace: &str) -> Result<Vec<Reference>, UninstallError> {
    let mut made = Vec::new();
    for (api_version, kind) in KINDS {
        let mut reference = Reference {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: namespace.to_owned(),
            name: String::new(),
        };
        let api = api(platform, &reference);
        for selector in selectors() {
            let listed = api.list_metadata(&ListParams::default().labels(&selector)).await;
            let listed = listed.map_err(failed(format!("list the objects of kind {kind} in {namespace}")))?;
            for name in listed.items.into_iter().filter_map(|object| object.metadata.name) {
                reference.name = name;
                if !made.contains(&reference) {
                    made.push(reference.clone());
                }
            }
        }
    }
    Ok(made)
}

/// Those of the installed objects that are there, the last one first. A namespace that was not installed is not ours,
/// whatever lies in it.
pub(super) async fn existing(
    platform: &kube::Client,
    installed: &[Reference],
) -> Result<Vec<Reference>, UninstallError> {
    let mut existing = Vec::new();
    for object in installed.iter().rev() {
        let found = api(platform, object).get_metadata_opt(&object.name).await;
        let Some(found) = found.map_err(failed(format!("read {}", line(object))))? else { continue };
        let labels = found.metadata.labels.unwrap_or_default();
        let is_ours = labels.get("app.kubernetes.io/name").is_some_and(|name| name == MANAGER);
        if object.kind != "Namespace" || is_ours {
            existing.push(object.clone());
        }
    }
    Ok(existing)
}

/// Deletes it, and waits until it is gone.
pub(super) async fn remove(platform: &kube::Client, object: &Reference) -> Result<(), UninstallError> {
    let (api, line) = (api(platform, object), line(object));
    let what = format!("delete {line}");
    match api.delete(&object.name, &DeleteParams::background()).await {
        Ok(_) => {}
        Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()),
        Err(error) => return Err(failed(what)(error)),
    }
    gone(&line, async || Ok(api.get_metadata_opt(&object.name).await.map_err(failed(&what))?.is_none())).await
}

fn api(platform: &kube::Client, object: &Reference) -> Api<DynamicObject> {
    let Reference { api_version, kind, namespace, .. } = object;
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    if namespace.is_empty() {
        Api::all_with(platform.clone(), &resource)
    } else {
        Api::namespaced_with(platform.clone(), namespace, &resource)
    }
}
