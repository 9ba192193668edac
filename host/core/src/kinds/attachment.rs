//! How a route stands to each listener of its parents, for who asks why it does not attach.

use std::fmt;

use super::hostname::intersect;
use super::listener::{Listener, Serving};
use crate::resolve::UnresolvedReason;

/// How a route stands to one of the parents that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// The parent, with the section name and port by which the route names it.
    pub parent: String,
    /// Its listeners, or why none of them counts.
    pub listeners: Result<Vec<ListenerStanding>, UnresolvedReason>,
}

/// How a route stands to one listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerStanding {
    /// Name of the listener.
    pub name: String,
    host_name: String,
    fits: Result<Serving, Misfit>,
}

/// Why a listener does not let a route in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misfit {
    /// The route names another section.
    SectionName,
    /// The route names another port.
    Port,
    /// Routes of this kind do not speak its protocol.
    Protocol,
    /// `allowedRoutes.kinds` has others.
    Kind,
    /// `allowedRoutes.namespaces` has others.
    Namespace,
}

/// Whether a listener serves a host name for a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListenerVerdict {
    /// It does; with the name, where the two differ the narrower one.
    Serves(String),
    /// It does not let the route in.
    Misfit(Misfit),
    /// Its own host name is another.
    OtherHostName(String),
    /// Its controller has not said yet that it serves anything.
    NotServing,
    /// Its controller says that it serves nothing.
    Refused,
}

impl ListenerStanding {
    pub(super) fn new(listener: &Listener, fits: Result<Serving, Misfit>) -> Self {
        Self { name: listener.name.to_string(), host_name: listener.hostname.to_string(), fits }
    }

    /// Whether the listener serves a host name of the route; an empty one stands for the listener's.
    #[must_use]
    pub fn verdict(&self, host_name: &str) -> ListenerVerdict {
        let serving = match self.fits {
            Ok(serving) => serving,
            Err(misfit) => return ListenerVerdict::Misfit(misfit),
        };
        match (intersect(&self.host_name, host_name), serving) {
            (None, _) => ListenerVerdict::OtherHostName(self.host_name.clone()),
            (Some(name), Serving::Yes) => ListenerVerdict::Serves(name),
            (Some(_), Serving::NotYet) => ListenerVerdict::NotServing,
            (Some(_), Serving::No) => ListenerVerdict::Refused,
        }
    }
}

impl fmt::Display for ListenerVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serves(name) if name.is_empty() => f.write_str("takes it, but neither side names a host"),
            Self::Serves(name) => write!(f, "serves {name}"),
            Self::OtherHostName(own) => write!(f, "no: its host name is {own}"),
            Self::NotServing => f.write_str("not yet: its controller has not said that it serves anything"),
            Self::Refused => f.write_str("no: it is in conflict with another one, not accepted, or invalid"),
            Self::Misfit(misfit) => f.write_str(match misfit {
                Misfit::SectionName => "no: the route names another section",
                Misfit::Port => "no: the route names another port",
                Misfit::Protocol => "no: it has a protocol that routes of this kind do not speak",
                Misfit::Kind => "no: its allowedRoutes.kinds has other kinds",
                Misfit::Namespace => "no: its allowedRoutes.namespaces does not let the route's namespace in",
            }),
        }
    }
}
