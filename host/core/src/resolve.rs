//! From objects to host names with targets: which names does an object ask for, and where do they
//! point to?
//!
//! The rules are those of the Gateway API specification and of external-dns's sources, with one
//! difference: what is missing for a moment (no address yet, not yet accepted) is told apart from
//! what is refused, because a published name must outlive a moment.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What one object asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resolution {
    /// Host names with their targets, sorted by host name; each host name once.
    pub wanted: Vec<Claim>,
    /// Host names without targets, and why. The host name is empty where the object names none.
    pub unresolved: Vec<Unresolved>,
}

/// One host name that an object asks for, as written there: it has not been checked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Claim {
    /// The host name.
    pub host_name: String,
    /// Addresses and host names to point to: sorted, without duplicates, not empty.
    pub targets: Vec<String>,
    /// How long answers may be kept, in seconds, as the object asks for it.
    pub ttl_seconds: Option<u32>,
}

/// A host name that points nowhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unresolved {
    /// The host name; empty where the object names none.
    pub host_name: String,
    /// Why.
    pub reason: UnresolvedReason,
}

/// Why a host name points nowhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UnresolvedReason {
    /// No controller has said yet whether the parent accepts the route.
    NotYetAccepted(String),
    /// The parent refuses the route.
    NotAccepted(String),
    /// The parent does not exist.
    NoSuchParent(String),
    /// No listener of the parent fits the route's section name, port, kind and namespace.
    NoListener(String),
    /// The listeners that fit are in conflict with others, or not accepted: they serve nothing.
    ListenerRefused(String),
    /// No fitting listener has a host name that intersects with this one.
    HostNameMismatch(String),
    /// The parent has no address yet.
    NoAddress(String),
    /// The parent counts for nothing, by the rules of the landscape or by its own annotation.
    NotSelected(String),
    /// The Gateway does not let the ListenerSet add to it.
    SetNotAllowed(String, String),
    /// No controller has said yet that the parent, or its listener, serves anything.
    NotServing(String),
    /// Other clusters do not reach the object.
    NotReachable(String),
    /// The object names no targets.
    NoTargets,
    /// Records of this type are not published.
    UnsupportedType(String),
    /// What an annotation of the object says cannot be read; the rest of the object counts.
    InvalidAnnotation(String),
    /// The object names no parent of a kind that is read here.
    NoParent,
}

impl UnresolvedReason {
    /// Whether this is likely to pass by itself. A name that is published stays so long as it lasts.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::NotYetAccepted(_) | Self::NoAddress(_) | Self::NotServing(_) => true,
            Self::NotAccepted(_)
            | Self::NoSuchParent(_)
            | Self::NoListener(_)
            | Self::ListenerRefused(_)
            | Self::HostNameMismatch(_)
            | Self::NotSelected(_)
            | Self::SetNotAllowed(..)
            | Self::NotReachable(_)
            | Self::NoTargets
            | Self::UnsupportedType(_)
            | Self::InvalidAnnotation(_)
            | Self::NoParent => false,
        }
    }
}

impl fmt::Display for UnresolvedReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotYetAccepted(parent) => write!(f, "{parent} has not accepted the route yet"),
            Self::NotAccepted(parent) => write!(f, "{parent} does not accept the route"),
            Self::NoSuchParent(parent) => write!(f, "{parent} does not exist"),
            Self::NoListener(parent) => {
                write!(f, "no listener of {parent} allows the route's kind, namespace, section name and port")
            }
            Self::ListenerRefused(parent) => {
                write!(f, "the listener of {parent} is in conflict with another one or is not accepted")
            }
            Self::NotSelected(parent) => {
                write!(f, "{parent} is left out, by spec.sources of the DNSPolicy or its own annotation")
            }
            Self::SetNotAllowed(gateway, set) => {
                write!(f, "{gateway} does not let {set} add listeners (spec.allowedListeners, or its status)")
            }
            Self::NotServing(parent) => write!(f, "{parent} does not serve its listener yet"),
            Self::NotReachable(object) => write!(
                f,
                "{object} is reachable in its own cluster only: make it of type LoadBalancer, or headless, or name \
                 targets in an annotation"
            ),
            Self::NoTargets => f.write_str("the object names no targets for it"),
            Self::UnsupportedType(record_type) => {
                write!(f, "records of type {record_type} are not published, only A, AAAA and CNAME")
            }
            Self::InvalidAnnotation(why) => f.write_str(why),
            Self::HostNameMismatch(parent) => write!(f, "no listener of {parent} has a matching host name"),
            Self::NoAddress(parent) => write!(f, "{parent} has no address yet"),
            Self::NoParent => f.write_str("the route names no Gateway as its parent"),
        }
    }
}

/// Collects wanted host names with the targets of several parents united.
pub(crate) struct Collector {
    ttl_seconds: Option<u32>,
    wanted: BTreeMap<String, Wanted>,
    unresolved: BTreeSet<Unresolved>,
}

#[derive(Default)]
struct Wanted {
    targets: BTreeSet<String>,
    ttl_seconds: Option<u32>,
}

impl Collector {
    /// Nothing is wanted yet; what will be has this time to live.
    pub(crate) const fn new(ttl_seconds: Option<u32>) -> Self {
        Self { ttl_seconds, wanted: BTreeMap::new(), unresolved: BTreeSet::new() }
    }

    pub(crate) fn want(&mut self, host_name: String, targets: impl IntoIterator<Item = String>) {
        self.want_for(host_name, targets, None);
    }

    /// As [`Self::want`], with a time to live of its own; of several the shortest holds.
    pub(crate) fn want_for(
        &mut self,
        host_name: String,
        targets: impl IntoIterator<Item = String>,
        ttl_seconds: Option<u32>,
    ) {
        let wanted = self.wanted.entry(host_name).or_default();
        wanted.targets.extend(targets);
        let ttl_seconds = ttl_seconds.or(self.ttl_seconds);
        wanted.ttl_seconds = [wanted.ttl_seconds, ttl_seconds].into_iter().flatten().min();
    }

    pub(crate) fn unresolved(&mut self, host_name: &str, reason: UnresolvedReason) {
        self.unresolved.insert(Unresolved { host_name: host_name.to_owned(), reason });
    }

    /// A host name that one parent resolves is not unresolved because another parent does not.
    pub(crate) fn finish(mut self) -> Resolution {
        self.wanted.retain(|_, wanted| !wanted.targets.is_empty());
        let unresolved = self.unresolved.into_iter();
        let unresolved = unresolved.filter(|unresolved| !self.wanted.contains_key(&unresolved.host_name));
        let unresolved = unresolved.collect();
        let wanted = self.wanted.into_iter().map(|(host_name, Wanted { targets, ttl_seconds })| Claim {
            host_name,
            targets: targets.into_iter().collect(),
            ttl_seconds,
        });
        Resolution { wanted: wanted.collect(), unresolved }
    }
}
