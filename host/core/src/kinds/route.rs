//! Routes of the Gateway API: the fields that all their kinds have, and how they are resolved.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::Kind;
use super::annotations::{HostNameSource, collector, host_name_source};
use super::attachment::{Attachment, ListenerStanding, Misfit};
use super::backends::{self, Backends};
use super::condition::said;
use super::details;
use super::hostname::intersect;
use super::listener::{Listener, Serving};
use super::meta::{Meta, ObjectKey, or_default};
use super::object::Lookup;
use super::parent::{self, Parent};
use super::parent_status::RouteStatus;
use super::reference::{ParentRef, is_of_gateway_api};
use super::rules::{HostNamePlace, SourceRules};
use crate::details::ServingListener;
use crate::resolve::{Collector, Resolution, UnresolvedReason};

/// `spec` of a route.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RouteSpec {
    /// Host names; none means those of the listeners. TCPRoutes and UDPRoutes have none.
    #[serde(deserialize_with = "or_default")]
    pub hostnames: Box<[String]>,
    /// What the route wants to attach to.
    #[serde(deserialize_with = "or_default")]
    pub parent_refs: Box<[ParentRef]>,
    /// What the rules lead to.
    #[serde(rename = "rules", deserialize_with = "backends::of_route_rules")]
    pub backends: Backends,
}

/// What a route claims through one of the parents that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParentClaims {
    /// The parent, as in the route's spec.
    pub parent: ParentRef,
    /// The host names, as its claims have them: those that point to it, and those that do so no longer or not yet,
    /// which is likely to pass.
    pub host_names: BTreeSet<String>,
}

/// The Gateways and ListenerSets that a route names as its parents.
pub(super) fn parents(meta: &Meta, spec: &RouteSpec) -> BTreeSet<(Kind, ObjectKey)> {
    let parents = spec.parent_refs.iter();
    parents.filter_map(|parent| Some((parent.kind()?, parent.key(&meta.namespace)))).collect()
}

/// A route, with all that decides where it attaches.
pub(super) struct Route<'a, L> {
    pub(super) kind: Kind,
    pub(super) meta: &'a Meta,
    pub(super) spec: &'a RouteSpec,
    pub(super) status: &'a RouteStatus,
    pub(super) lookup: &'a L,
    pub(super) rules: &'a SourceRules,
}

/// Where a route attaches by one of its parent references.
struct Attached<'a> {
    /// Those that let it in, and whether they serve it.
    listeners: Vec<(&'a Listener, Serving)>,
    /// What has them, and where it is reachable.
    parent: Parent<'a>,
}

impl Attached<'_> {
    /// What of a host name is served.
    fn names(
        &self,
        host_name: &str,
        describe: impl Fn() -> String,
    ) -> Result<BTreeSet<String>, UnresolvedReason> {
        let matching = |wanted: Serving| {
            let listeners = self.listeners.iter().filter(move |(_, serving)| *serving == wanted);
            listeners.filter_map(|(listener, _)| intersect(&listener.hostname, host_name))
        };
        let names: BTreeSet<String> = matching(Serving::Yes).collect();
        if !names.is_empty() {
            Ok(names)
        } else if matching(Serving::NotYet).next().is_some() {
            Err(UnresolvedReason::NotServing(describe()))
        } else if matching(Serving::No).next().is_some() {
            Err(UnresolvedReason::ListenerRefused(describe()))
        } else {
            Err(UnresolvedReason::HostNameMismatch(describe()))
        }
    }
}

impl<'a, L: Lookup> Route<'a, L> {
    /// The host names that the route asks for, each with the addresses of the Gateways that accept it.
    pub(super) fn resolve(&self) -> Resolution {
        let meta = self.meta;
        let mut collector = collector(meta);
        let host_names = self.host_names(&mut collector);
        let mut has_parent = false;
        for parent_ref in self.parent_refs() {
            has_parent = true;
            let attached = self.attach(parent_ref);
            for host_name in &host_names {
                let found = match &attached {
                    Ok(attached) => {
                        let names = attached.names(host_name, || parent_ref.describe(&meta.namespace));
                        names.map(|names| (names, &attached.parent.targets))
                    }
                    Err(reason) => Err(reason.clone()),
                };
                match found {
                    Ok((names, targets)) => {
                        // Neither side names a host: there is nothing to publish.
                        for name in names.into_iter().filter(|name| !name.is_empty()) {
                            collector.want(name, targets.iter().cloned());
                        }
                    }
                    Err(reason) => collector.unresolved(&host_name.to_ascii_lowercase(), reason),
                }
            }
        }
        if !has_parent {
            for host_name in &host_names {
                collector.unresolved(&host_name.to_ascii_lowercase(), UnresolvedReason::NoParent);
            }
        }
        collector.finish()
    }

    /// What the route claims through each of its parents that have accepted it; parents through which it claims nothing
    /// are left out.
    pub(super) fn parent_claims(&self) -> Vec<ParentClaims> {
        // What is said of the annotations is not said of a parent.
        let host_names = self.host_names(&mut collector(self.meta));
        let claims = self.parent_refs().map(|parent_ref| {
            let attached = self.attach(parent_ref);
            let claimed = host_names.iter().flat_map(|host_name| {
                let found = attached.as_ref().map_err(UnresolvedReason::clone);
                match found.and_then(|attached| attached.names(host_name, String::new)) {
                    Ok(names) => names,
                    Err(UnresolvedReason::NotYetAccepted(_)) => BTreeSet::new(),
                    Err(reason) if reason.is_transient() => [host_name.to_ascii_lowercase()].into(),
                    Err(_) => BTreeSet::new(),
                }
            });
            let host_names = claimed.filter(|name| !name.is_empty()).collect();
            ParentClaims { parent: parent_ref.clone(), host_names }
        });
        claims.filter(|claims| !claims.host_names.is_empty()).collect()
    }

    /// The listeners that serve the route, each with the host name that restricts it.
    pub(super) fn serving(&self, listeners: &mut Vec<(&'a str, ServingListener)>) {
        for parent_ref in self.parent_refs() {
            let Ok(attached) = self.attach(parent_ref) else { continue };
            let serving = attached.listeners.iter().filter(|(_, serving)| *serving == Serving::Yes);
            listeners.extend(serving.map(|(listener, _)| details::of(&attached.parent, listener)));
        }
    }

    /// How the route stands to each listener of the Gateways and ListenerSets that it names.
    pub(super) fn attachments(&self) -> Vec<Attachment> {
        self.parent_refs().map(|parent_ref| self.attachment(parent_ref)).collect()
    }

    /// The references that lead to listeners.
    fn parent_refs(&self) -> impl Iterator<Item = &'a ParentRef> {
        self.spec.parent_refs.iter().filter(|parent| parent.kind().is_some())
    }

    /// The host names that the route asks for. An empty one stands for the listener's.
    fn host_names(&self, collector: &mut Collector) -> Vec<String> {
        let Self { meta, spec, rules, .. } = *self;
        let source = host_name_source(meta, "gateway-hostname-source", collector);
        let mut host_names = Vec::new();
        if source != Some(HostNameSource::AnnotationOnly) {
            host_names.extend(spec.hostnames.iter().cloned());
            host_names.extend(rules.template_names(meta, spec.hostnames.len()));
            if source.is_none() && spec.hostnames.is_empty() {
                host_names.push(String::new());
            }
        }
        if source != Some(HostNameSource::DefinedHostsOnly) && !rules.ignore(HostNamePlace::Annotation) {
            host_names.extend(meta.annotations.host_names().map(str::to_owned));
        }
        host_names
    }

    /// What the route attaches to by one of its parent references.
    fn attach(&self, parent_ref: &ParentRef) -> Result<Attached<'a>, UnresolvedReason> {
        let describe = || parent_ref.describe(&self.meta.namespace);
        let parent = self.admitted(parent_ref)?;
        let fits = |listener: &&Listener| self.misfit(parent_ref, listener, &parent).is_none();
        let fitting = parent.listeners().iter().filter(fits);
        let listeners: Vec<_> = fitting.map(|listener| (listener, parent.serving(listener))).collect();
        if listeners.is_empty() {
            return Err(UnresolvedReason::NoListener(describe()));
        }
        if parent.targets.is_empty() && listeners.iter().any(|(_, serving)| *serving != Serving::No) {
            return Err(UnresolvedReason::NoAddress(describe()));
        }
        Ok(Attached { listeners, parent })
    }

    /// The parent, if it accepts the route.
    fn admitted(&self, parent_ref: &ParentRef) -> Result<Parent<'a>, UnresolvedReason> {
        let parent = parent::find(parent_ref, &self.meta.namespace, self.lookup, self.rules)?;
        let describe = || parent_ref.describe(&self.meta.namespace);
        match self.accepted(parent_ref) {
            Some(true) => Ok(parent),
            Some(false) => Err(UnresolvedReason::NotAccepted(describe())),
            None => Err(UnresolvedReason::NotYetAccepted(describe())),
        }
    }

    /// What the status says of a parent: several controllers may each have an entry, one acceptance is
    /// enough. `None` when no controller has decided.
    fn accepted(&self, parent_ref: &ParentRef) -> Option<bool> {
        let namespace = &self.meta.namespace;
        let mut decided = None;
        for status in self.status.parents.iter().filter(|status| {
            status.parent_ref.key(namespace) == parent_ref.key(namespace)
                && status.parent_ref.kind() == parent_ref.kind()
                && status.parent_ref.section_name == parent_ref.section_name
                && status.parent_ref.port == parent_ref.port
        }) {
            match said(&status.conditions, "Accepted", self.meta.generation) {
                Some(said) if said.holds => return Some(true),
                Some(said) if said.is_current => decided = Some(false),
                _ => {}
            }
        }
        decided
    }

    /// Why a listener of a parent does not let the route in; `None` when it does.
    fn misfit(&self, parent_ref: &ParentRef, listener: &Listener, parent: &Parent<'_>) -> Option<Misfit> {
        let from = &listener.allowed_routes.namespaces;
        if parent_ref.section_name.as_ref().is_some_and(|name| **name != *listener.name) {
            Some(Misfit::SectionName)
        } else if parent_ref.port.is_some_and(|port| port != listener.port) {
            Some(Misfit::Port)
        } else if !self.kind.attaches_to(&listener.protocol) {
            Some(Misfit::Protocol)
        } else if !self.kind_fits(listener) {
            Some(Misfit::Kind)
        } else if !parent::allows(from, "Same", parent.namespace(), &self.meta.namespace, self.lookup) {
            Some(Misfit::Namespace)
        } else {
            None
        }
    }

    /// How the route stands to each listener of a parent.
    fn attachment(&self, parent_ref: &ParentRef) -> Attachment {
        let listeners = self.admitted(parent_ref).map(|parent| {
            let standing = |listener| {
                let misfit = self.misfit(parent_ref, listener, &parent);
                ListenerStanding::new(listener, misfit.map_or_else(|| Ok(parent.serving(listener)), Err))
            };
            parent.listeners().iter().map(standing).collect()
        });
        let parent = parent_ref.describe(&self.meta.namespace);
        let section = parent_ref.section_name.as_ref().map(|name| format!(", section {name}"));
        let port = parent_ref.port.map(|port| format!(", port {port}"));
        let parent = [Some(parent), section, port].into_iter().flatten().collect();
        Attachment { parent, listeners }
    }

    fn kind_fits(&self, listener: &Listener) -> bool {
        let kinds = &listener.allowed_routes.kinds;
        kinds.is_empty()
            || kinds.iter().any(|allowed| {
                allowed.kind == self.kind.as_str() && is_of_gateway_api(allowed.group.as_deref())
            })
    }
}
