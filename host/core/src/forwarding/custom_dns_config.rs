//! Alibaba Cloud's managed CoreDNS, which runs outside of the cluster and is told of zones by an object in it
//! (<https://www.alibabacloud.com/help/en/ack>, "Configure custom parameters for managed CoreDNS"). It takes IPv4 only.

use serde_json::{Value, json};

use super::change::Change;
use super::facts::{Facts, KindOf};
use super::refusal::Refusal;
use super::{Edit, Fit, Order, Place, owned_zones};
use crate::deployment::Reference;
use crate::name::HostName;

pub(super) const GROUP: &str = "networking.alibabacloud.com";

pub(super) const KIND: KindOf = KindOf {
    api_version: "networking.alibabacloud.com/v1beta1",
    kind: "CustomDNSConfig",
    plural: "customdnsconfigs",
    namespaced: false,
};

/// The only one that counts.
fn default() -> Reference {
    KIND.named("default")
}

pub(super) fn objects(_: &Facts) -> Vec<Reference> {
    vec![default()]
}

/// Where CoreDNS runs in the cluster, its own configuration counts, also where the kind is there.
pub(super) fn fits(facts: &Facts) -> Option<Fit> {
    if !facts.serves(GROUP) || facts.dns_pods().is_some() || facts.is_unreadable(&default()) {
        return None;
    }
    let because = vec![format!("the cluster serves {GROUP}, and no pods in it stand behind its DNS Service")];
    Some(Fit { because, places: traces(facts), ..Fit::default() })
}

pub(super) fn traces(_: &Facts) -> Vec<Box<dyn Place>> {
    vec![Box::new(Entry)]
}

/// Our entry in `spec.zones`.
struct Entry;

fn zones(facts: &Facts) -> Vec<Value> {
    let zones = facts.object(&default()).and_then(|object| object.pointer("/spec/zones")?.as_array());
    zones.cloned().unwrap_or_default()
}

fn is_named(entry: &Value, zone: &HostName) -> bool {
    entry["name"].as_str().is_some_and(|name| name.trim_end_matches('.') == zone.as_str())
}

impl Place for Entry {
    fn name(&self) -> String {
        format!("an entry in spec.zones of {}", default())
    }

    fn set(&self, facts: &Facts, order: Order<'_>) -> Result<Edit, Refusal> {
        if order.upstreams.iter().any(|server| server.ip().is_ipv6()) {
            let why = "it takes IPv4 addresses only".to_owned();
            return Err(Refusal::NotUnderstood { place: default().to_string(), why });
        }
        let upstreams = json!(order.upstreams());
        let object = facts.object(&default());
        let mut zones = zones(facts);
        match zones.iter_mut().find(|entry| is_named(entry, order.zone)) {
            Some(entry) if entry.pointer("/forward/upstreams") == Some(&upstreams) => {
                return Ok(Edit::default());
            }
            Some(_) if !owned_zones::has(object, order.zone) => {
                return Err(Refusal::Taken { place: format!("spec.zones of {}", default()) });
            }
            Some(entry) => entry["forward"]["upstreams"] = upstreams,
            None => zones.push(json!({"name": order.zone.as_str(), "forward": {"upstreams": upstreams}})),
        }
        let mut fields = owned_zones::with(object, order.zone);
        fields["spec"] = json!({"zones": zones});
        Ok(Edit { change: Some(Change::set(facts, default(), fields)), notes: Vec::new() })
    }

    fn unset(&self, facts: &Facts, zone: &HostName) -> Result<Option<Change>, Refusal> {
        let object = facts.object(&default());
        if !owned_zones::has(object, zone) {
            return Ok(None);
        }
        let mut zones = zones(facts);
        zones.retain(|entry| !is_named(entry, zone));
        let mut fields = owned_zones::without(object, zone);
        fields["spec"] = json!({"zones": zones});
        Ok(Some(Change::unset(facts, default(), fields, zones.is_empty())))
    }
}
