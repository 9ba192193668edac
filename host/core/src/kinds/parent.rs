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
    /// The Gateway, or that of the ListenerSet.
    pub(super) gateway: (&'a Meta, &'a GatewaySpec),
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
    let missing = || UnresolvedReason::NoSuchParent(reference.describe(namespace));
    let kind = reference.kind().ok_or_else(missing)?;
    of(lookup.object(kind, &reference.key(namespace)).ok_or_else(missing)?, lookup, rules)
}

/// What routes that attach to this object need of it.
pub(super) fn of<'a>(
    object: &'a Watched,
    lookup: &'a impl Lookup,
    rules: &SourceRules,
) -> Result<Parent<'a>, UnresolvedReason> {
    let meta = &object.meta;
    match &object.fields {
        Fields::Gateway(spec, status) if rules.select_parent(object) => Ok(Parent {
            gateway: (meta, spec),
            meta,
            listeners: &spec.listeners,
            statuses: &status.listeners,
            needs_acceptance: false,
            targets: gateway::targets(meta, status),
        }),
        Fields::ListenerSet(spec, status) if rules.select_parent(object) => {
            of_set(meta, spec, status, lookup, rules)
        }
        _ => Err(UnresolvedReason::NotSelected(meta.describe(object.kind))),
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
    let found = lookup
        .object(Kind::Gateway, &spec.parent_ref.key(&meta.namespace))
        .filter(|_| spec.parent_ref.kind() == Some(Kind::Gateway));
    let Some(found @ Watched { fields: Fields::Gateway(GatewaySpec { allowed_listeners, .. }, _), .. }) =
        found
    else {
        return Err(UnresolvedReason::NoSuchParent(gateway));
    };
    let above = of(found, lookup, rules)?;
    let set = || meta.describe(Kind::ListenerSet);
    if !allows(&allowed_listeners.namespaces, "None", above.namespace(), &meta.namespace, lookup) {
        return Err(UnresolvedReason::SetNotAllowed(gateway, set()));
    }
    match said(&status.conditions, "Accepted", meta.generation) {
        Some(said) if said.holds => {}
        Some(said) if said.is_current => return Err(UnresolvedReason::SetNotAllowed(gateway, set())),
        _ => return Err(UnresolvedReason::NotServing(set())),
    }
    let own = meta.annotations.targets();
    Ok(Parent {
        gateway: above.gateway,
        meta,
        listeners: &spec.listeners,
        statuses: &status.listeners,
        needs_acceptance: true,
        targets: if own.is_empty() { above.targets } else { own },
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
        listener::serving(listener, self.statuses, self.meta.generation, self.needs_acceptance)
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
