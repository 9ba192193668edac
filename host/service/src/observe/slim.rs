//! Lets kube watch objects of which only a few fields are kept.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::{ApiResource, DynamicResourceScope};
use openmcp_dns_core::object::{Meta, Object};
use openmcp_dns_core::objects::{Watched, WatchedKind};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};

/// An object of the pure core, with the metadata that kube's watcher needs.
#[derive(Clone, Debug)]
pub(super) struct Slim<Spec: Default, Status: Default> {
    meta: ObjectMeta,
    pub(super) object: Object<Spec, Status>,
}

impl<'de, Spec, Status> Deserialize<'de> for Slim<Spec, Status>
where
    Spec: Default + Deserialize<'de>,
    Status: Default + Deserialize<'de>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let object = Object::deserialize(deserializer)?;
        let meta = object_meta(&object.meta);
        Ok(Self { meta, object })
    }
}

fn object_meta(meta: &Meta) -> ObjectMeta {
    ObjectMeta {
        name: Some(meta.name.clone()),
        namespace: (!meta.namespace.is_empty()).then(|| meta.namespace.clone()),
        uid: Some(meta.uid.clone()),
        resource_version: Some(meta.resource_version.clone()),
        ..ObjectMeta::default()
    }
}

impl<Spec: Default, Status: Default> kube::Resource for Slim<Spec, Status> {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(resource: &ApiResource) -> Cow<'_, str> {
        resource.kind.as_str().into()
    }
    fn group(resource: &ApiResource) -> Cow<'_, str> {
        resource.group.as_str().into()
    }
    fn version(resource: &ApiResource) -> Cow<'_, str> {
        resource.version.as_str().into()
    }
    fn api_version(resource: &ApiResource) -> Cow<'_, str> {
        resource.api_version.as_str().into()
    }
    fn plural(resource: &ApiResource) -> Cow<'_, str> {
        resource.plural.as_str().into()
    }
    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
}

/// Reads an object of a watched kind from JSON, as a manifest has it.
///
/// # Errors
/// When a field is not of its type.
pub fn from_json(kind: WatchedKind, object: serde_json::Value) -> serde_json::Result<Watched> {
    Ok(match kind {
        WatchedKind::Gateway => Watched::Gateway(read(object)?),
        WatchedKind::HttpRoute => Watched::HttpRoute(read(object)?),
        WatchedKind::Ingress => Watched::Ingress(read(object)?),
        WatchedKind::Namespace => Watched::Namespace(read(object)?),
    })
}

fn read<T: DeserializeOwned>(object: serde_json::Value) -> serde_json::Result<T> {
    serde_json::from_value(object)
}
