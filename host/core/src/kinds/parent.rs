//! What a route attaches to: a Gateway, or a ListenerSet that adds to one.

use super::condition::said;
use super::gateway::{self, GatewaySpec};
use super::listener::{self, FromNamespaces, Listener, ListenerStatus, Serving};
use super::listener_set::{ListenerSetSpec, ListenerSetStatus};
use super::meta::Meta;
use super::object::{Fields, Lookup, Watched};
use super::reference::ParentRef;
use super::rules::SourceRules;
use super::{Kind, ObjectKey};
use crate::resolve::UnresolvedReason;

/// A Gateway or ListenerSet with what routes need of it.
pub(super) struct Parent<'a> {
    meta: &'a Meta,
    listeners: &'a [Listener],
    statuses: &'a [ListenerStatus],
    /// Whether a listener serves nothing before its controller has accepted it.
    needs_acceptance: bool,
    /// Where it is reachable; empty while it has no address.
    pub(super) targets: Vec<String>,
}

/// Finds what a reference from an object in this namespace leads to.
pub(super) fn find<'a>(
    reference: &ParentRef,
    namespace: &str,
    lookup: &'a impl Lookup,
    rules: &SourceRules,
) -> Result<Parent<'a>, UnresolvedReason> {
    let describe = || reference.describe(namespace);
    let missing = || UnresolvedReason::NoSuchParent(describe());
    let kind = reference.kind().ok_or_else(missing)?;
    let found = lookup.object(kind, &reference.key(namespace)).ok_or_else(missing)?;
    if rules.ignored_kinds.contains(&kind) {
        return Err(UnresolvedReason::NotSelected(describe()));
    }
    of(found, lookup, rules)
}

/// What routes that attach to this object need of it.
pub(super) fn of<'a>(
    object: &'a Watched,
    lookup: &'a impl Lookup,
    rules: &SourceRules,
) -> Result<Parent<'a>, UnresolvedReason> {
    let meta = &object.meta;
    match &object.fields {
        Fields::Gateway(spec, status) if rules.select_gateway(meta) => Ok(Parent {
            meta,
            listeners: &spec.listeners,
            statuses: &status.listeners,
            needs_acceptance: false,
            targets: gateway::targets(meta, status),
        }),
        Fields::ListenerSet(spec, status) if !meta.annotations.are_for_others() => {
            of_set(meta, spec, status, lookup, rules)
        }
        _ => Err(UnresolvedReason::NotSelected(describe(object.kind, meta))),
    }
}

fn of_set<'a>(
    meta: &'a Meta,
    spec: &'a ListenerSetSpec,
    status: &'a ListenerSetStatus,
    lookup: &'a impl Lookup,
    rules: &SourceRules,
) -> Result<Parent<'a>, UnresolvedReason> {
    let gateway = spec.parent_ref.describe(&meta.namespace);
    let missing = || UnresolvedReason::NoSuchParent(gateway.clone());
    let key = spec.parent_ref.key(&meta.namespace);
    let found = lookup
        .object(Kind::Gateway, &key)
        .filter(|_| spec.parent_ref.kind() == Some(Kind::Gateway))
        .ok_or_else(missing)?;
    let Fields::Gateway(GatewaySpec { allowed_listeners, .. }, gateway_status) = &found.fields else {
        return Err(missing());
    };
    if !rules.select_gateway(&found.meta) {
        return Err(UnresolvedReason::NotSelected(gateway));
    }
    let set = || describe(Kind::ListenerSet, meta);
    if !allows(&allowed_listeners.namespaces, "None", &found.meta.namespace, &meta.namespace, lookup) {
        return Err(UnresolvedReason::SetNotAllowed(gateway, set()));
    }
    match said(&status.conditions, "Accepted", meta.generation) {
        Some(said) if said.holds => {}
        Some(said) if said.is_current => return Err(UnresolvedReason::SetNotAllowed(gateway, set())),
        _ => return Err(UnresolvedReason::NotServing(set())),
    }
    let own = meta.annotations.targets();
    Ok(Parent {
        meta,
        listeners: &spec.listeners,
        statuses: &status.listeners,
        needs_acceptance: true,
        targets: if own.is_empty() { gateway::targets(&found.meta, gateway_status) } else { own },
    })
}

impl<'a> Parent<'a> {
    /// Its listeners.
    pub(super) const fn listeners(&self) -> &'a [Listener] {
        self.listeners
    }

    /// Where it is.
    pub(super) fn namespace(&self) -> &'a str {
        &self.meta.namespace
    }

    /// Whether a listener serves what attaches to it.
    pub(super) fn serving(&self, listener: &Listener) -> Serving {
        let serving = listener::serving(listener, self.statuses, self.meta.generation);
        let is_accepted = || listener::is_accepted(listener, self.statuses, self.meta.generation);
        match serving {
            Serving::Yes if self.needs_acceptance && is_accepted() != Some(true) => Serving::NotYet,
            serving => serving,
        }
    }
}

/// Whether an object in a namespace may attach to one in `home`. An empty rule means `default`.
pub(super) fn allows(
    from: &FromNamespaces,
    default: &str,
    home: &str,
    namespace: &str,
    lookup: &impl Lookup,
) -> bool {
    match if from.from.is_empty() { default } else { &from.from } {
        "Same" => namespace == home,
        "All" => true,
        "Selector" => {
            let key: ObjectKey = (String::new(), namespace.to_owned());
            lookup
                .object(Kind::Namespace, &key)
                .zip(from.selector.as_ref())
                .is_some_and(|(namespace, selector)| selector.matches(&namespace.meta.labels))
        }
        _ => false,
    }
}

fn describe(kind: Kind, meta: &Meta) -> String {
    format!("{kind} {}/{}", meta.namespace, meta.name)
}
