//! Listeners, as a Gateway and a ListenerSet have them: what they let in, and whether they serve it.

use serde::Deserialize;

use super::condition::{Condition, said};
use super::meta::or_default;
use super::selector::LabelSelector;

/// One listener.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Listener {
    /// Unique within its object.
    pub name: String,
    /// Restricts the host names; empty means any.
    #[serde(deserialize_with = "or_default")]
    pub hostname: String,
    /// 1 to 65535.
    pub port: i32,
    /// `HTTP`, `HTTPS`, `TLS`, `TCP`, `UDP` or a vendor's own.
    pub protocol: String,
    /// Which routes may attach.
    #[serde(deserialize_with = "or_default")]
    pub allowed_routes: AllowedRoutes,
}

/// Which routes may attach to a listener.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct AllowedRoutes {
    /// From which namespaces.
    #[serde(deserialize_with = "or_default")]
    pub namespaces: FromNamespaces,
    /// Of which kinds; empty means those that fit the protocol.
    #[serde(deserialize_with = "or_default")]
    pub kinds: Vec<RouteGroupKind>,
}

/// The namespaces from which others may attach.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct FromNamespaces {
    /// `All`, `Same`, `Selector` or `None`; empty means what the field says. Anything else allows nothing.
    #[serde(deserialize_with = "or_default")]
    pub from: String,
    /// With `Selector`: the labels that the namespace must have. A selector that is not there selects
    /// nothing, an empty one everything (`metav1.LabelSelector`).
    pub selector: Option<LabelSelector>,
}

/// A group and kind of route.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct RouteGroupKind {
    /// `None` means `gateway.networking.k8s.io`.
    pub group: Option<String>,
    /// For example `HTTPRoute`.
    pub kind: String,
}

/// What the controller says of one listener.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ListenerStatus {
    /// Name of the listener.
    pub name: String,
    /// Conditions, among them `Conflicted`, `Accepted` and `Programmed`.
    #[serde(deserialize_with = "or_default")]
    pub conditions: Box<[Condition]>,
}

/// Whether a listener serves what attaches to it, as its controller says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Serving {
    Yes,
    /// It will probably soon, or has until now.
    NotYet,
    /// It is in conflict with another one, is not accepted, or is not programmed.
    No,
}

/// What the statuses of an object's listeners say of one of them. Without any word a listener serves, unless it has to
/// be accepted first: many controllers only say what is wrong.
pub(super) fn serving(
    listener: &Listener,
    statuses: &[ListenerStatus],
    generation: i64,
    needs_acceptance: bool,
) -> Serving {
    let conditions = statuses.iter().find(|status| status.name == listener.name);
    let conditions = conditions.map(|status| &*status.conditions).unwrap_or_default();
    let said = |condition_type| said(conditions, condition_type, generation);
    let without_fault =
        if needs_acceptance && said("Accepted").is_none() { Serving::NotYet } else { Serving::Yes };
    let wrong = [("Conflicted", true), ("Accepted", false), ("Programmed", false)];
    let wrong = wrong.into_iter().filter_map(|(condition_type, is_wrong)| {
        // A listener is not programmed either while an address is awaited, or its controller is at work.
        let can_pass = condition_type == "Programmed";
        said(condition_type).filter(|said| said.holds == is_wrong).map(|said| {
            if said.is_current && !(can_pass && said.reason != "Invalid") {
                Serving::No
            } else {
                Serving::NotYet
            }
        })
    });
    wrong.fold(without_fault, |worst, found| if worst == Serving::No { worst } else { found })
}
