//! OpenShift: its DNS operator renders the Corefile, and is told of servers in a list. Ours is known by its name.

use serde_json::{Value, json};

use super::change::Change;
use super::facts::{Facts, KindOf};
use super::refusal::Refusal;
use super::{Edit, Fit, Order, Place};
use crate::deployment::{Reference, covers, digest};
use crate::name::HostName;

pub(super) const GROUP: &str = "operator.openshift.io";

pub(super) const KIND: KindOf =
    KindOf { api_version: "operator.openshift.io/v1", kind: "DNS", plural: "dnses", namespaced: false };

/// Where its pods run, and the Service before them.
pub(super) const PODS: &str = "openshift-dns";
pub(super) const SERVICE: &str = "dns-default";

/// The only one that the operator looks at.
fn default() -> Reference {
    KIND.named("default")
}

pub(super) fn objects(_: &Facts) -> Vec<Reference> {
    vec![default()]
}

/// Whether the operator has the cluster's DNS.
pub(super) fn is_there(facts: &Facts) -> bool {
    facts.object(&default()).is_some()
}

pub(super) fn fits(facts: &Facts) -> Option<Fit> {
    if !is_there(facts) {
        return None;
    }
    let because = vec![format!("there is {} of {GROUP}, whose operator writes the cluster's DNS", default())];
    Some(Fit { because, places: traces(facts), ..Fit::default() })
}

pub(super) fn traces(_: &Facts) -> Vec<Box<dyn Place>> {
    vec![Box::new(Entry)]
}

/// Our entry in `spec.servers`.
struct Entry;

/// A service name (RFC 6335): 15 characters at most, and another one for each zone.
fn name(zone: &HostName) -> String {
    format!("openmcp-{:.7}", digest(zone.as_str()))
}

fn servers(facts: &Facts) -> Vec<Value> {
    let servers = facts.object(&default()).and_then(|object| object.pointer("/spec/servers")?.as_array());
    servers.cloned().unwrap_or_default()
}

impl Place for Entry {
    fn name(&self) -> String {
        format!("an entry in spec.servers of {}", default())
    }

    fn set(&self, facts: &Facts, order: Order<'_>) -> Result<Edit, Refusal> {
        let zone = order.zone.as_str();
        let wanted = json!({
            "name": name(order.zone),
            "zones": [zone],
            "forwardPlugin": {"upstreams": order.upstreams()},
        });
        let mut servers = servers(facts);
        let is_ours = |server: &Value| server["name"] == wanted["name"];
        let serves = |server: &Value| {
            server["zones"].as_array().is_some_and(|zones| {
                zones.iter().filter_map(Value::as_str).any(|other| other.trim_end_matches('.') == zone)
            })
        };
        if servers.iter().any(|server| !is_ours(server) && serves(server)) {
            return Err(Refusal::Taken { place: format!("spec.servers of {}", default()) });
        }
        match servers.iter_mut().find(|server| is_ours(server)) {
            Some(server) if covers(server, &wanted) => return Ok(Edit::default()),
            Some(server) => *server = wanted,
            None => servers.push(wanted),
        }
        let change = Change::set(facts, default(), json!({"spec": {"servers": servers}}));
        Ok(Edit { change: Some(change), notes: Vec::new() })
    }

    fn unset(&self, facts: &Facts, zone: &HostName) -> Result<Option<Change>, Refusal> {
        let mut servers = servers(facts);
        let before = servers.len();
        servers.retain(|server| server["name"] != name(zone));
        if servers.len() == before {
            return Ok(None);
        }
        let left = if servers.is_empty() { Value::Null } else { json!(servers) };
        Ok(Some(Change::unset(facts, default(), json!({"spec": {"servers": left}}), false)))
    }
}
