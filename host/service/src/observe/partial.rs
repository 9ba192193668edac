//! Lets kube watch objects of which only a few fields are kept.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::{ApiResource, DynamicResourceScope};
use openmcp_dns_core::kinds::{Meta, Object};
use serde::{Deserialize, Deserializer};

/// An object of the pure core, with the metadata that kube's watcher needs.
#[derive(Clone, Debug)]
pub(super) struct PartialObject<Spec: Default, Status: Default> {
    meta: ObjectMeta,
    pub(super) object: Object<Spec, Status>,
}

impl<'de, Spec, Status> Deserialize<'de> for PartialObject<Spec, Status>
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
        name: Some(meta.name.to_string()),
        namespace: (!meta.namespace.is_empty()).then(|| meta.namespace.to_string()),
        uid: Some(meta.uid.to_string()),
        resource_version: Some(meta.resource_version.to_string()),
        ..ObjectMeta::default()
    }
}

impl<Spec: Default, Status: Default> kube::Resource for PartialObject<Spec, Status> {
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
