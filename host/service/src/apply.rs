//! Brings rendered objects to a cluster: what differs is applied, and nothing else is asked of it.

use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;
use kube::api::{ApiResource, DeleteParams, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams};
use openmcp_dns_api::FIELD_MANAGER;
use openmcp_dns_core::deployment::{COMPONENT_LABEL, MANAGED_BY_LABEL, MANAGER, Reference, covers, is_ours};
use serde_json::{Value, json};
use thiserror::Error;

/// Why an object is not as it should be.
#[derive(Debug, Error)]
pub(crate) enum ApplyError {
    /// Another one of that name is there.
    #[error(
        "{0} is not ours (it lacks the label {MANAGED_BY_LABEL}: {MANAGER}) and is left alone; delete or rename it"
    )]
    Foreign(Reference),
    /// The cluster refused, or did not answer.
    #[error("{verb} {object} failed")]
    Request {
        verb: &'static str,
        object: Reference,
        #[source]
        source: Box<kube::Error>,
    },
    /// The kind has no plural here.
    #[error("{0} is of an unknown kind; report this as a bug")]
    UnknownKind(Reference),
}

impl ApplyError {
    /// Whether rights are missing.
    pub(crate) fn is_forbidden(&self) -> bool {
        matches!(self, Self::Request { source, .. } if is_forbidden(source))
    }
}

/// Whether an API server refuses for want of rights.
pub(crate) fn is_forbidden(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 403)
}

/// A kind that is rendered: its version, its own name and its plural.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rendered(pub(crate) &'static str, pub(crate) &'static str, pub(crate) &'static str);

/// The kinds of which there is one for the whole cluster, of those that are rendered.
const OF_THE_CLUSTER: [&str; 3] = ["Namespace", "ClusterRole", "ClusterRoleBinding"];

/// Brings the objects of some components to one namespace of a cluster.
pub(crate) struct Applier {
    pub(crate) client: kube::Client,
    pub(crate) namespace: String,
    /// All kinds that may be rendered, in the order in which they are applied.
    pub(crate) kinds: &'static [Rendered],
    /// The values of the component label on what is rendered; what has another one is somebody else's.
    pub(crate) components: &'static [&'static str],
}

impl Applier {
    /// Brings all objects, in their order, and takes away what was rendered once and no longer is. Gives what was changed.
    ///
    /// # Errors
    /// At the first object that is not ours or is refused; those before it are there.
    pub(crate) async fn apply(&self, rendered: &[Value]) -> Result<Vec<Reference>, ApplyError> {
        let mut changed = Vec::new();
        for wanted in rendered {
            let object = Reference::of(wanted);
            if self.bring(&object, wanted).await? {
                changed.push(object);
            }
        }
        let rendered: Vec<Reference> = rendered.iter().map(Reference::of).collect();
        // What others need goes last.
        for kind in self.kinds.iter().rev() {
            changed.extend(self.take_away(*kind, &rendered).await?);
        }
        Ok(changed)
    }

    async fn bring(&self, object: &Reference, wanted: &Value) -> Result<bool, ApplyError> {
        let api = self.api(object)?;
        let failed = |verb| {
            let object = object.clone();
            move |source| ApplyError::Request { verb, object, source: Box::new(source) }
        };
        if let Some(live) = api.get_opt(&object.name).await.map_err(failed("reading"))? {
            let live = serde_json::to_value(&live).unwrap_or_default();
            if !is_ours(&live) {
                return Err(ApplyError::Foreign(object.clone()));
            }
            if covers(&live, wanted) {
                return Ok(false);
            }
        }
        let params = PatchParams::apply(FIELD_MANAGER).force();
        api.patch(&object.name, &params, &Patch::Apply(wanted)).await.map_err(failed("applying"))?;
        Ok(true)
    }

    async fn take_away(
        &self,
        Rendered(api_version, kind, plural): Rendered,
        rendered: &[Reference],
    ) -> Result<Vec<Reference>, ApplyError> {
        let all = Reference {
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            namespace: if OF_THE_CLUSTER.contains(&kind) { String::new() } else { self.namespace.clone() },
            name: plural.to_owned(),
        };
        let failed = |verb, object: Reference| {
            move |source| ApplyError::Request { verb, object, source: Box::new(source) }
        };
        let api = self.api(&all)?;
        // The service keeps other things beside these.
        let ours =
            format!("{MANAGED_BY_LABEL}={MANAGER},{COMPONENT_LABEL} in ({})", self.components.join(","));
        let ours = ListParams::default().labels(&ours);
        let live = api.list_metadata(&ours).await.map_err(failed("listing", all.clone()))?;
        let mut removed = Vec::new();
        for name in live.items.into_iter().filter_map(|object| object.metadata.name) {
            let object = Reference { name, ..all.clone() };
            if !rendered.contains(&object) {
                match api.delete(&object.name, &DeleteParams::background()).await {
                    // Somebody was faster.
                    Err(kube::Error::Api(status)) if status.code == 404 => {}
                    gone => drop(gone.map_err(failed("deleting", object.clone()))?),
                }
                removed.push(object);
            }
        }
        Ok(removed)
    }

    fn api(&self, object: &Reference) -> Result<Api<DynamicObject>, ApplyError> {
        let known = self
            .kinds
            .iter()
            .find(|Rendered(version, kind, _)| *version == object.api_version && *kind == object.kind);
        let Some(Rendered(api_version, kind, plural)) = known else {
            return Err(ApplyError::UnknownKind(object.clone()));
        };
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let resource =
            ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural);
        let client = self.client.clone();
        Ok(match &*object.namespace {
            "" => Api::all_with(client, &resource),
            namespace => Api::namespaced_with(client, namespace, &resource),
        })
    }
}

/// Whether a cluster has something of ours in the namespace of this name, where all objects have it, too: their account
/// comes first and goes last, but for a namespace of ours. An account that we may not read was not made by us.
///
/// # Errors
/// When the cluster does not answer, or refuses.
pub(crate) async fn is_there(client: &kube::Client, name: &str) -> Result<bool, kube::Error> {
    let Some(namespace) = namespace(client, name).await? else { return Ok(false) };
    if is_labelled(&namespace) {
        return Ok(true);
    }
    match Api::<ServiceAccount>::namespaced(client.clone(), name).get_metadata_opt(name).await {
        Ok(account) => Ok(account.is_some_and(|account| is_labelled(&account.metadata))),
        Err(error) if is_forbidden(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether a namespace is somebody else's, who has given us rights in it: it stays as it is.
///
/// # Errors
/// When the cluster does not answer, or refuses.
pub(crate) async fn has_foreign_namespace(client: &kube::Client, name: &str) -> Result<bool, kube::Error> {
    Ok(namespace(client, name).await?.is_some_and(|namespace| !is_labelled(&namespace)))
}

async fn namespace(client: &kube::Client, name: &str) -> Result<Option<ObjectMeta>, kube::Error> {
    let namespace = Api::<Namespace>::all(client.clone()).get_metadata_opt(name).await?;
    Ok(namespace.map(|namespace| namespace.metadata))
}

fn is_labelled(metadata: &ObjectMeta) -> bool {
    is_ours(&json!({"metadata": {"labels": metadata.labels}}))
}
