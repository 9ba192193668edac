//! Host names that the listeners of a Gateway or ListenerSet claim themselves, where an annotation wants it.

use super::annotations::collector;
use super::listener::Serving;
use super::object::{Lookup, Watched};
use super::parent;
use super::rules::SourceRules;
use crate::resolve::{Resolution, UnresolvedReason};

/// The host names of the listeners. Never a wildcard: it would lead every name that does not exist to them.
pub(super) fn resolve(object: &Watched, lookup: &impl Lookup, rules: &SourceRules) -> Resolution {
    if !object.meta.annotations.publish_listeners() {
        return Resolution::default();
    }
    let mut collector = collector(&object.meta);
    let describe = || object.meta.describe(object.kind);
    let parent = match parent::of(object, lookup, rules) {
        Ok(parent) => parent,
        Err(reason) => {
            collector.unresolved("", reason);
            return collector.finish();
        }
    };
    for listener in parent.listeners() {
        let host_name = listener.hostname.to_ascii_lowercase();
        if host_name.is_empty() || host_name.starts_with('*') {
            continue;
        }
        match parent.serving(listener) {
            Serving::Yes if parent.targets.is_empty() => {
                collector.unresolved(&host_name, UnresolvedReason::NoAddress(describe()));
            }
            Serving::Yes => collector.want(host_name, parent.targets.iter().cloned()),
            Serving::NotYet => collector.unresolved(&host_name, UnresolvedReason::NotServing(describe())),
            Serving::No => collector.unresolved(&host_name, UnresolvedReason::ListenerRefused(describe())),
        }
    }
    collector.finish()
}
