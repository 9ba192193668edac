//! The kinds of objects that claim host names, or that claims depend on: one file and one row each.
//!
//! A new kind whose fields are those of another (every route of the Gateway API) is a file like
//! `http_route.rs`. One with fields of its own is a file like `ingress.rs` and a `Shape`.
//! Nothing else asks which kind it has before it: everybody walks [`Kind::ALL`]. The tests in
//! `tests/kinds.rs` say what else a kind needs: a fixture, permissions, a line in the documentation.

mod annotations;
mod attachment;
mod backends;
mod condition;
mod details;
mod dns_endpoint;
mod endpoint_slice;
mod endpoints;
mod external_dns;
mod gateway;
mod grpc_route;
mod hostname;
mod http_route;
mod ingress;
mod listener;
mod listener_set;
mod load_balancer;
mod meta;
mod namespace;
mod object;
mod own_listeners;
mod parent;
mod parent_status;
mod reference;
mod route;
mod rules;
mod selector;
mod service;
mod tcp_route;
mod tls_route;
mod udp_route;

use std::fmt;

pub use annotations::Annotations;
pub use attachment::{Attachment, ListenerStanding, ListenerVerdict, Misfit};
pub use details::ObjectDetails;
pub use endpoints::{Endpoint, EndpointsSpec};
pub use external_dns::endpoint;
pub use meta::{Meta, ObjectKey};
pub use object::{Fields, Lookup, Object, Part, Reader, Watched};
pub use parent_status::{CONTROLLER_NAME, Entry, EntryCondition, OwnEntries, PROPAGATED, RouteStatus};
pub use reference::ParentRef;
pub use route::ParentClaims;
pub use rules::{GatewayRules, HostNamePlace, SourceRules, Template};
pub use selector::{LabelRequirement, LabelSelector};

/// API group of Gateways and routes.
const GATEWAY_API: &str = "gateway.networking.k8s.io";

/// What there is to know of a kind.
struct Row {
    /// In its Kubernetes spelling.
    kind: &'static str,
    /// Empty for the core group.
    group: &'static str,
    /// In which Events refer to it. It is read in every version that a cluster serves.
    version: &'static str,
    /// As in the path of its API.
    plural: &'static str,
    is_namespaced: bool,
    shape: Shape,
}

/// Which fields a kind has, and with them what it means and how it is resolved.
enum Shape {
    Gateway,
    ListenerSet,
    /// A route of the Gateway API.
    Route {
        /// Protocols of the listeners that it attaches to.
        protocols: &'static [&'static str],
    },
    Ingress,
    Service,
    EndpointSlice,
    /// Host names with targets, as somebody has written them down.
    Endpoints {
        /// Whether an API server has them.
        is_watched: bool,
    },
    /// Watched for its metadata.
    MetadataOnly,
}

/// What objects of a kind are there for; what others depend on comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// A namespace, whose labels say what may attach where.
    Namespace,
    /// Sources name them as their parents, and point to where they are. Some claim host names themselves.
    Parent,
    /// They say where a source is that has them.
    Part,
    /// They claim host names.
    Source,
}

/// Makes the list of kinds from rows of a name and the file that has the row.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $file:ident,)*) => {
        /// A kind of objects. They sort as they stand in the list.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind {
            $($(#[$doc])* $kind,)*
        }

        impl Kind {
            /// All of them.
            pub const ALL: [Self; [$(Self::$kind),*].len()] = [$(Self::$kind),*];

            const fn row(self) -> &'static Row {
                match self {
                    $(Self::$kind => &$file::ROW,)*
                }
            }
        }
    };
}

kinds! {
    /// Where routes point to; its listeners can claim host names themselves.
    Gateway = gateway,
    /// Adds listeners to a Gateway.
    ListenerSet = listener_set,
    /// Claims host names at the addresses of Gateways.
    HttpRoute = http_route,
    /// Claims host names at the addresses of Gateways.
    GrpcRoute = grpc_route,
    /// Claims host names at the addresses of Gateways.
    TlsRoute = tls_route,
    /// Claims the host names of an annotation at the addresses of Gateways.
    TcpRoute = tcp_route,
    /// Claims the host names of an annotation at the addresses of Gateways.
    UdpRoute = udp_route,
    /// Claims host names at the addresses of its load balancer.
    Ingress = ingress,
    /// Claims the host names of an annotation at its addresses.
    Service = service,
    /// Where the pods of a headless Service are.
    EndpointSlice = endpoint_slice,
    /// Claims host names with the targets that it names.
    DnsEndpoint = dns_endpoint,
    /// Listeners can select them by label.
    Namespace = namespace,
    /// Claims a host name as an agent in the cluster says.
    ExternalDns = external_dns,
}

impl Kind {
    /// Finds a kind by its Kubernetes spelling.
    #[must_use]
    pub fn parse(kind: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == kind)
    }

    /// The kinds that are watched in each cluster; the others no API server has.
    pub fn watched() -> impl Iterator<Item = Self> + Clone {
        Self::ALL.into_iter().filter(|kind| kind.is_watched())
    }

    /// Whether its objects are watched in each cluster.
    #[must_use]
    pub const fn is_watched(self) -> bool {
        !matches!(self.row().shape, Shape::Endpoints { is_watched: false })
    }

    /// The label that its objects must have to be watched.
    #[must_use]
    pub const fn watched_label(self) -> Option<&'static str> {
        match self.row().shape {
            Shape::EndpointSlice => Some(endpoint_slice::HEADLESS),
            _ => None,
        }
    }

    /// The kinds that claim host names.
    pub fn sources() -> impl Iterator<Item = Self> + Clone {
        Self::ALL.into_iter().filter(|kind| kind.claims())
    }

    /// Whether its objects can claim host names.
    #[must_use]
    pub const fn claims(self) -> bool {
        matches!(self.role(), Role::Source | Role::Parent)
    }

    /// Whether a cluster may well be without it. That of others is told.
    #[must_use]
    pub const fn is_optional(self) -> bool {
        !matches!(self, Self::Gateway | Self::HttpRoute | Self::Ingress | Self::Namespace)
    }

    /// The kind in its Kubernetes spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.row().kind
    }

    /// Its API group; empty for the core group.
    #[must_use]
    pub const fn group(self) -> &'static str {
        self.row().group
    }

    /// The version in which others are told of its objects. They are read in every version that a
    /// cluster serves.
    #[must_use]
    pub const fn version(self) -> &'static str {
        self.row().version
    }

    /// Group and version as in `apiVersion`, for example `networking.k8s.io/v1`.
    #[must_use]
    pub fn api_version(self) -> String {
        match (self.group(), self.version()) {
            ("", version) => version.to_owned(),
            (group, version) => format!("{group}/{version}"),
        }
    }

    /// Its name in the path of its API, for example `httproutes`.
    #[must_use]
    pub const fn plural(self) -> &'static str {
        self.row().plural
    }

    /// Whether its objects are in a namespace.
    #[must_use]
    pub const fn is_namespaced(self) -> bool {
        self.row().is_namespaced
    }

    /// Whether its objects are routes of the Gateway API: in their status, each controller has entries of its own.
    #[must_use]
    pub const fn is_route(self) -> bool {
        matches!(self.row().shape, Shape::Route { .. })
    }

    /// What its objects are there for.
    #[must_use]
    pub const fn role(self) -> Role {
        match self.row().shape {
            Shape::Gateway | Shape::ListenerSet => Role::Parent,
            Shape::Route { .. } | Shape::Ingress | Shape::Service | Shape::Endpoints { .. } => Role::Source,
            Shape::EndpointSlice => Role::Part,
            Shape::MetadataOnly => Role::Namespace,
        }
    }

    /// The kinds on whose objects it depends what an object of this kind asks for, itself included.
    /// Only when all of them are known may a value be withdrawn.
    pub fn needs(self) -> impl Iterator<Item = Self> {
        let others: &[Self] = match self.row().shape {
            Shape::Route { .. } => &[Self::Gateway, Self::ListenerSet, Self::Namespace],
            Shape::ListenerSet => &[Self::Gateway, Self::Namespace],
            Shape::Service => &[Self::EndpointSlice, Self::Namespace],
            // A module may decide by the labels of the namespace.
            Shape::Gateway | Shape::Ingress | Shape::Endpoints { is_watched: true } => &[Self::Namespace],
            Shape::EndpointSlice | Shape::Endpoints { is_watched: false } | Shape::MetadataOnly => &[],
        };
        std::iter::once(self).chain(others.iter().copied())
    }

    /// Whether a route of this kind attaches to listeners of a protocol.
    fn attaches_to(self, protocol: &str) -> bool {
        match self.row().shape {
            Shape::Route { protocols } => protocols.contains(&protocol),
            _ => false,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
