//! From objects to host names with targets: which names does an object ask for, and where do they
//! point to?
//!
//! The rules are those of the Gateway API specification and of external-dns's sources, with one
//! difference: what is missing for a moment (no address yet, not yet accepted) is told apart from
//! what is refused, because a published name must outlive a moment.

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
    /// The object names no parent of a kind that is read here.
    NoParent,
}

impl UnresolvedReason {
    /// Whether this is likely to pass by itself. A name that is published stays so long as it lasts.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::NotYetAccepted(_) | Self::NoAddress(_) => true,
            Self::NotAccepted(_)
            | Self::NoSuchParent(_)
            | Self::NoListener(_)
            | Self::ListenerRefused(_)
            | Self::HostNameMismatch(_)
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
            Self::HostNameMismatch(parent) => write!(f, "no listener of {parent} has a matching host name"),
            Self::NoAddress(parent) => write!(f, "{parent} has no address yet"),
            Self::NoParent => f.write_str("the route names no Gateway as its parent"),
        }
    }
}

/// Collects wanted host names with the targets of several parents united.
#[derive(Default)]
pub(crate) struct Collector {
    wanted: std::collections::BTreeMap<String, std::collections::BTreeSet<String>>,
    unresolved: std::collections::BTreeSet<Unresolved>,
}

impl Collector {
    pub(crate) fn want(&mut self, host_name: String, targets: impl IntoIterator<Item = String>) {
        self.wanted.entry(host_name).or_default().extend(targets);
    }

    pub(crate) fn unresolved(&mut self, host_name: &str, reason: UnresolvedReason) {
        self.unresolved.insert(Unresolved { host_name: host_name.to_owned(), reason });
    }

    /// A host name that one parent resolves is not unresolved because another parent does not.
    pub(crate) fn finish(self) -> Resolution {
        let unresolved = self
            .unresolved
            .into_iter()
            .filter(|unresolved| !self.wanted.contains_key(&unresolved.host_name))
            .collect();
        let wanted = self
            .wanted
            .into_iter()
            .map(|(host_name, targets)| Claim { host_name, targets: targets.into_iter().collect() })
            .collect();
        Resolution { wanted, unresolved }
    }
}
