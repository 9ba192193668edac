//! ListenerSets: more listeners for a Gateway, often of another team; routes attach to them as to a Gateway.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::condition::Condition;
use super::listener::{Listener, ListenerStatus};
use super::meta::{Meta, ObjectKey, or_default};
use super::reference::ParentRef;
use super::{GATEWAY_API, Kind, Row, Shape};

pub(super) const ROW: Row = Row {
    kind: "ListenerSet",
    group: GATEWAY_API,
    version: "v1",
    plural: "listenersets",
    is_namespaced: true,
    shape: Shape::ListenerSet,
};

/// `spec` of a ListenerSet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ListenerSetSpec {
    /// The Gateway that it adds to.
    #[serde(deserialize_with = "or_default")]
    pub parent_ref: Box<ParentRef>,
    /// Where the Gateway accepts traffic, too.
    #[serde(deserialize_with = "or_default")]
    pub listeners: Box<[Listener]>,
}

/// `status` of a ListenerSet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ListenerSetStatus {
    /// Among them `Accepted`.
    #[serde(deserialize_with = "or_default")]
    pub conditions: Box<[Condition]>,
    /// What the controller says of each listener.
    #[serde(deserialize_with = "or_default")]
    pub listeners: Box<[ListenerStatus]>,
}

/// The Gateway that a ListenerSet names as its parent.
pub(super) fn parents(meta: &Meta, spec: &ListenerSetSpec) -> BTreeSet<(Kind, ObjectKey)> {
    let parent = Some(&spec.parent_ref).filter(|parent| parent.kind() == Some(Kind::Gateway));
    parent.map(|parent| (Kind::Gateway, parent.key(&meta.namespace))).into_iter().collect()
}
