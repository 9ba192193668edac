//! The kinds of objects that claim host names, or that claims depend on: one file and one row each.
//!
//! A new kind whose fields are those of another (every route of the Gateway API) is a file like
//! `http_route.rs`. One with fields of its own is a file like `ingress.rs` and a `Shape`.
//! Nothing else asks which kind it has before it: everybody walks [`Kind::ALL`]. The tests in
//! `tests/kinds.rs` say what else a kind needs: a fixture, permissions, a line in the documentation.

mod condition;
mod external_dns;
mod gateway;
mod hostname;
mod http_route;
mod ingress;
mod meta;
mod namespace;
mod object;
mod route;
mod selector;

use std::fmt;

pub use external_dns::{Endpoint, EndpointsSpec, endpoint};
pub use meta::{Meta, ObjectKey};
pub use object::{Fields, Lookup, Object, Part, Reader, Watched};

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
    /// A route of the Gateway API.
    Route {
        /// Protocols of the listeners that it attaches to.
        protocols: &'static [&'static str],
    },
    Ingress,
    /// What an agent asks for.
    Endpoints,
    /// Watched for its metadata.
    MetadataOnly,
}

/// What objects of a kind are there for; what others depend on comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// A namespace, whose labels say what may attach where.
    Namespace,
    /// Sources name them as their parents, and point to where they are.
    Parent,
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
    /// Where routes point to.
    Gateway = gateway,
    /// Claims host names at the addresses of Gateways.
    HttpRoute = http_route,
    /// Claims host names at the addresses of its load balancer.
    Ingress = ingress,
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
        !matches!(self.row().shape, Shape::Endpoints)
    }

    /// The kinds that claim host names.
    pub fn sources() -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(|kind| kind.role() == Role::Source)
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

    /// What its objects are there for.
    #[must_use]
    pub const fn role(self) -> Role {
        match self.row().shape {
            Shape::Gateway => Role::Parent,
            Shape::Route { .. } | Shape::Ingress | Shape::Endpoints => Role::Source,
            Shape::MetadataOnly => Role::Namespace,
        }
    }

    /// The kinds on whose objects it depends what an object of this kind asks for, itself included.
    /// Only when all of them are known may a value be withdrawn.
    pub fn needs(self) -> impl Iterator<Item = Self> {
        let others: &[Self] = match self.row().shape {
            Shape::Route { .. } => &[Self::Gateway, Self::Namespace],
            Shape::Gateway | Shape::Ingress | Shape::Endpoints | Shape::MetadataOnly => &[],
        };
        std::iter::once(self).chain(others.iter().copied())
    }

    /// Whether a route of this kind attaches to listeners of a protocol.
    fn attaches_to(self, protocol: &str) -> bool {
        match self.row().shape {
            Shape::Route { protocols } => protocols.contains(&protocol),
            Shape::Gateway | Shape::Ingress | Shape::Endpoints | Shape::MetadataOnly => false,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
