//! Objects of any kind as JSON, the way `kubectl` handles them.

use std::time::Duration;

use anyhow::{Context as _, bail};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind, TypeMeta};
use kube::{Api, Client};
use serde_json::Value;

use crate::wait::wait_until;

/// Under which name the tests write; a different one from that of the service.
const FIELD_MANAGER: &str = "a-person";

const ESTABLISHED: Duration = Duration::from_secs(60);

/// Kind and place of an object.
#[derive(Clone, Copy, Debug)]
pub struct Reference<'r> {
    /// For example `gateway.networking.k8s.io/v1`.
    pub api_version: &'r str,
    /// For example `HTTPRoute`.
    pub kind: &'r str,
    /// Empty for objects that belong to no namespace.
    pub namespace: &'r str,
    /// Its name.
    pub name: &'r str,
}

impl<'r> Reference<'r> {
    /// Of an object as JSON.
    #[must_use]
    pub fn of(object: &'r Value) -> Self {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        Self {
            api_version: text("/apiVersion"),
            kind: text("/kind"),
            namespace: text("/metadata/namespace"),
            name: text("/metadata/name"),
        }
    }

    /// The API that serves objects of this kind in this namespace.
    ///
    /// # Errors
    /// When the API version is none.
    pub fn api(&self, client: &Client) -> anyhow::Result<Api<DynamicObject>> {
        let types = TypeMeta { api_version: self.api_version.to_owned(), kind: self.kind.to_owned() };
        let resource = ApiResource::from_gvk(&GroupVersionKind::try_from(&types)?);
        Ok(match self.namespace {
            "" => Api::all_with(client.clone(), &resource),
            namespace => Api::namespaced_with(client.clone(), namespace, &resource),
        })
    }

    /// The object as it is now; `None` when it does not exist.
    ///
    /// # Errors
    /// When the API server does not answer.
    pub async fn get(&self, client: &Client) -> anyhow::Result<Option<Value>> {
        let object = self.api(client)?.get_opt(self.name).await;
        Ok(object.with_context(|| self.failed("read"))?.map(serde_json::to_value).transpose()?)
    }

    /// Merges a change into it (RFC 7396).
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn merge(&self, client: &Client, change: &Value) -> anyhow::Result<()> {
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let patched = self.api(client)?.patch(self.name, &params, &Patch::Merge(change)).await;
        patched.with_context(|| self.failed("change"))?;
        Ok(())
    }

    /// Merges a change into its status; `status` is the content of that field.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn merge_status(&self, client: &Client, status: &Value) -> anyhow::Result<()> {
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let change = serde_json::json!({ "status": status });
        let patched = self.api(client)?.patch_status(self.name, &params, &Patch::Merge(&change)).await;
        patched.with_context(|| self.failed("change the status of"))?;
        Ok(())
    }

    /// Deletes it; finalizers may keep it.
    ///
    /// # Errors
    /// When the API server refuses, or it does not exist.
    pub async fn delete(&self, client: &Client) -> anyhow::Result<()> {
        let deleted = self.api(client)?.delete(self.name, &DeleteParams::default()).await;
        deleted.with_context(|| self.failed("delete"))?;
        Ok(())
    }

    fn failed(&self, what: &str) -> String {
        format!("failed to {what} {} {}/{}", self.kind, self.namespace, self.name)
    }
}

/// Creates an object or changes it to what is given, as `kubectl apply --server-side` does.
///
/// # Errors
/// When the object is incomplete or the API server refuses.
pub async fn apply(client: &Client, object: &Value) -> anyhow::Result<()> {
    let reference = Reference::of(object);
    let params = PatchParams::apply(FIELD_MANAGER).force();
    let applied = reference.api(client)?.patch(reference.name, &params, &Patch::Apply(object)).await;
    applied.with_context(|| reference.failed("apply"))?;
    Ok(())
}

/// The objects in a YAML text.
///
/// # Errors
/// When it is no YAML.
pub fn documents(text: &str) -> anyhow::Result<Vec<Value>> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).context("failed to read a manifest")?;
    Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
}

/// Applies all CRDs among the documents of some YAML texts, and waits until they are served.
///
/// # Errors
/// When a text is no YAML, or a CRD is refused or not served.
pub async fn apply_crds(client: &Client, texts: &[String]) -> anyhow::Result<()> {
    let crds: Api<CustomResourceDefinition> = Api::all(client.clone());
    let mut names = Vec::new();
    for text in texts {
        for document in documents(text)? {
            if document["kind"] == "CustomResourceDefinition" {
                apply(client, &document).await?;
                names.push(document["metadata"]["name"].as_str().unwrap_or_default().to_owned());
            }
        }
    }
    if names.is_empty() {
        bail!("there is no CRD in what was given");
    }
    for name in names {
        wait_until(&format!("the CRD {name} is served"), ESTABLISHED, async || {
            let crd = crds.get(&name).await?;
            let conditions = crd.status.and_then(|status| status.conditions).unwrap_or_default();
            let established = conditions
                .iter()
                .any(|condition| condition.type_ == "Established" && condition.status == "True");
            Ok(if established { Ok(()) } else { Err(format!("{conditions:?}")) })
        })
        .await?;
    }
    Ok(())
}
