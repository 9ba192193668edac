//! The fields of Kubernetes objects that the service reads, and no others.
//!
//! An API server sends each object with managed fields, templates and specs that nobody here
//! reads. Deserializing into these types skips all that without allocating for it. The types are
//! the same for every served version of a kind: the fields they hold have not changed between
//! `v1alpha2` and `v1`. Each field may be missing.

use std::collections::BTreeSet;
use std::fmt::Debug;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::attachment::Attachment;
use super::details::ObjectDetails;
use super::endpoint_slice::{self, SliceEndpoints};
use super::endpoints::{self, EndpointsSpec};
use super::gateway::{GatewaySpec, GatewayStatus};
use super::ingress::{self, IngressSpec, IngressStatus};
use super::listener_set::{self, ListenerSetSpec, ListenerSetStatus};
use super::meta::{Meta, ObjectKey, or_default};
use super::own_listeners;
use super::parent_status::{OwnEntries, RouteStatus};
use super::route::{self, ParentClaims, Route, RouteSpec};
use super::rules::SourceRules;
use super::service::{self, ServiceSpec, ServiceStatus};
use super::{Kind, Shape};
use crate::details::Detail;
use crate::resolve::Resolution;

/// An object of which only `Spec` and `Status` are read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Object<Spec, Status>
where
    Spec: Default,
    Status: Default,
{
    /// Metadata.
    #[serde(rename = "metadata")]
    pub meta: Meta,
    /// What is wanted. An EndpointSlice has no spec, but its endpoints beside the metadata.
    #[serde(
        default,
        alias = "endpoints",
        deserialize_with = "or_default",
        bound(deserialize = "Spec: Deserialize<'de>")
    )]
    pub spec: Spec,
    /// What is.
    #[serde(default, deserialize_with = "or_default", bound(deserialize = "Status: Deserialize<'de>"))]
    pub status: Status,
}

/// A watched object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Its kind.
    pub kind: Kind,
    /// Its metadata.
    pub meta: Meta,
    /// What else is read of it.
    pub fields: Fields,
}

/// The spec and status of an object, by the shape of its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fields {
    /// Of a Gateway.
    Gateway(GatewaySpec, GatewayStatus),
    /// Of a ListenerSet.
    ListenerSet(ListenerSetSpec, ListenerSetStatus),
    /// Of a route of the Gateway API.
    Route(RouteSpec, RouteStatus),
    /// Of an Ingress.
    Ingress(IngressSpec, IngressStatus),
    /// Of a Service.
    Service(ServiceSpec, ServiceStatus),
    /// Of an EndpointSlice.
    EndpointSlice(SliceEndpoints),
    /// Of host names with targets.
    Endpoints(EndpointsSpec),
    /// Nothing: the kind is watched for its metadata.
    Nothing,
}

impl Fields {
    fn differ(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Route(spec, status), Self::Route(other_spec, other_status)) => {
                spec != other_spec || status.parents != other_status.parents
            }
            (fields, others) => fields != others,
        }
    }
}

/// A spec or status of which nothing is read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
struct Nothing {}

/// The type of a spec or a status.
pub trait Part: Clone + Debug + Default + DeserializeOwned + Send + 'static {}

impl<T: Clone + Debug + Default + DeserializeOwned + Send + 'static> Part for T {}

/// What reads objects, from wherever they come. It is told the types to read for a kind.
pub trait Reader {
    /// What comes of reading.
    type Output;

    /// Reads objects as [`Object<Spec, Status>`]; [`Object::watched`] takes `fields`.
    fn read<Spec: Part, Status: Part>(self, fields: fn(Spec, Status) -> Fields) -> Self::Output;
}

impl Kind {
    /// Reads objects of this kind.
    pub fn read<R: Reader>(self, reader: R) -> R::Output {
        match self.row().shape {
            Shape::Gateway => reader.read(Fields::Gateway),
            Shape::Route { .. } => reader.read(Fields::Route),
            Shape::ListenerSet => reader.read(Fields::ListenerSet),
            Shape::Ingress => reader.read(Fields::Ingress),
            Shape::Service => reader.read(Fields::Service),
            Shape::EndpointSlice => reader.read(|endpoints, Nothing {}| Fields::EndpointSlice(endpoints)),
            Shape::Endpoints { .. } => reader.read(|spec, Nothing {}| Fields::Endpoints(spec)),
            Shape::MetadataOnly => reader.read(|Nothing {}, Nothing {}| Fields::Nothing),
        }
    }
}

impl<Spec: Default, Status: Default> Object<Spec, Status> {
    /// The object as it is kept.
    #[must_use]
    pub fn watched(self, kind: Kind, fields: fn(Spec, Status) -> Fields) -> Watched {
        let Self { meta, spec, status } = self;
        let meta = Meta { resource_version: Box::default(), ..meta };
        Watched { kind, meta, fields: fields(spec, status) }
    }
}

/// Finds other objects of the same cluster.
pub trait Lookup {
    /// The object of this kind, namespace and name.
    fn object(&self, kind: Kind, key: &ObjectKey) -> Option<&Watched>;

    /// The objects that are parts of this one.
    fn parts(&self, kind: Kind, key: &ObjectKey) -> impl Iterator<Item = &Watched>;
}

impl Watched {
    /// Reads an object of a kind from JSON.
    ///
    /// # Errors
    /// When a field is not of its type.
    pub fn from_json(kind: Kind, object: serde_json::Value) -> serde_json::Result<Self> {
        kind.read(Json { kind, object })
    }

    /// Namespace and name.
    #[must_use]
    pub fn key(&self) -> ObjectKey {
        (self.meta.namespace.to_string(), self.meta.name.to_string())
    }

    /// The objects that this one names as its parents, or is a part of, whether they exist or not.
    #[must_use]
    pub fn parents(&self) -> BTreeSet<(Kind, ObjectKey)> {
        match &self.fields {
            Fields::Route(spec, _) => route::parents(&self.meta, spec),
            Fields::ListenerSet(spec, _) => listener_set::parents(&self.meta, spec),
            Fields::EndpointSlice(_) => endpoint_slice::parents(&self.meta),
            Fields::Gateway(..)
            | Fields::Ingress(..)
            | Fields::Service(..)
            | Fields::Endpoints(_)
            | Fields::Nothing => BTreeSet::new(),
        }
    }

    /// Whether the object is nothing to anybody: most Services claim nothing.
    #[must_use]
    pub fn says_nothing(&self) -> bool {
        matches!(self.fields, Fields::Service(..)) && self.meta.annotations.host_names().next().is_none()
    }

    /// What the object asks for; `None` when its kind claims no host names.
    #[must_use]
    pub fn resolve(&self, lookup: &impl Lookup, rules: &SourceRules) -> Option<Resolution> {
        if !self.kind.claims() {
            return None;
        }
        if !rules.select(self) {
            return Some(Resolution::default());
        }
        Some(match &self.fields {
            Fields::Route(spec, status) => self.route(spec, status, lookup, rules).resolve(),
            Fields::Ingress(spec, status) => ingress::resolve(&self.meta, spec, status, rules),
            Fields::Service(spec, status) => service::resolve(&self.meta, spec, status, lookup, rules),
            Fields::Endpoints(spec) => endpoints::resolve(&self.meta, spec),
            Fields::Gateway(..) | Fields::ListenerSet(..) => own_listeners::resolve(self, lookup, rules),
            Fields::EndpointSlice(_) | Fields::Nothing => return None,
        })
    }

    /// What a module that asks for this is told of the object.
    #[must_use]
    pub fn details<'o>(
        &'o self,
        lookup: &'o impl Lookup,
        rules: &'o SourceRules,
        wanted: &[Detail],
    ) -> ObjectDetails<'o> {
        ObjectDetails::new(self, lookup, rules, wanted)
    }

    /// Whether the rules, or an annotation of its own, leave the object out: it asks for nothing then.
    #[must_use]
    pub fn is_left_out(&self, rules: &SourceRules) -> bool {
        !rules.select(self)
    }

    /// How the object stands to the listeners that it wants to attach to; empty where its kind attaches to none.
    #[must_use]
    pub fn attachments(&self, lookup: &impl Lookup, rules: &SourceRules) -> Vec<Attachment> {
        match &self.fields {
            Fields::Route(spec, status) => self.route(spec, status, lookup, rules).attachments(),
            _ => Vec::new(),
        }
    }

    /// What the object claims through each of its parents; empty where its kind has none.
    #[must_use]
    pub fn parent_claims(&self, lookup: &impl Lookup, rules: &SourceRules) -> Vec<ParentClaims> {
        match &self.fields {
            Fields::Route(spec, status) if rules.select(self) => {
                self.route(spec, status, lookup, rules).parent_claims()
            }
            _ => Vec::new(),
        }
    }

    /// What stands in its status of ours.
    #[must_use]
    pub fn own_entries(&self) -> OwnEntries {
        match &self.fields {
            Fields::Route(_, status) => status.own,
            _ => OwnEntries::default(),
        }
    }

    pub(super) const fn route<'a, L: Lookup>(
        &'a self,
        spec: &'a RouteSpec,
        status: &'a RouteStatus,
        lookup: &'a L,
        rules: &'a SourceRules,
    ) -> Route<'a, L> {
        Route { kind: self.kind, meta: &self.meta, spec, status, lookup, rules }
    }

    /// Whether anything differs on which claims depend. The resource version does, after every write: most
    /// writes to a Gateway or route are heartbeats of its controller. And what we write into a status is no news to us.
    #[must_use]
    pub fn differs(&self, other: &Self) -> bool {
        self.fields.differ(&other.fields)
            || self.meta.labels != other.meta.labels
            || self.meta.annotations != other.meta.annotations
            || self.meta.generation != other.meta.generation
            || self.meta.uid != other.meta.uid
    }
}

struct Json {
    kind: Kind,
    object: serde_json::Value,
}

impl Reader for Json {
    type Output = serde_json::Result<Watched>;

    fn read<Spec: Part, Status: Part>(self, fields: fn(Spec, Status) -> Fields) -> Self::Output {
        Ok(serde_json::from_value::<Object<Spec, Status>>(self.object)?.watched(self.kind, fields))
    }
}
