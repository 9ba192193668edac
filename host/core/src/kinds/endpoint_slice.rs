//! EndpointSlices of headless Services: the addresses of their pods.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::meta::{Meta, ObjectKey, or_default};
use super::{Kind, Row, Shape};

pub(super) const ROW: Row = Row {
    kind: "EndpointSlice",
    group: "discovery.k8s.io",
    version: "v1",
    plural: "endpointslices",
    is_namespaced: true,
    shape: Shape::EndpointSlice,
};

/// Kubernetes has this label on the slices of headless Services only. Those of all others are not watched: there are
/// many, and they change with every pod.
pub(super) const HEADLESS: &str = "service.kubernetes.io/headless";

/// The label with the name of the Service.
const SERVICE: &str = "kubernetes.io/service-name";

/// The pods of a slice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct SliceEndpoints(pub Box<[SliceEndpoint]>);

/// One pod of a slice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct SliceEndpoint {
    /// Its addresses, of one family.
    #[serde(deserialize_with = "or_default")]
    pub addresses: Box<[Box<str>]>,
    /// `spec.hostname` of the pod, or empty.
    #[serde(deserialize_with = "or_default")]
    pub hostname: Box<str>,
    /// Whether it serves.
    #[serde(deserialize_with = "or_default")]
    pub conditions: EndpointConditions,
}

/// Whether a pod serves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct EndpointConditions {
    /// Not set means yes.
    pub ready: Option<bool>,
}

impl SliceEndpoint {
    pub(super) fn is_ready(&self) -> bool {
        self.conditions.ready.unwrap_or(true)
    }
}

/// The Service that a slice belongs to.
pub(super) fn parents(meta: &Meta) -> BTreeSet<(Kind, ObjectKey)> {
    let service = meta.labels.get(SERVICE);
    service.map(|name| (Kind::Service, (meta.namespace.to_string(), name.to_owned()))).into_iter().collect()
}
