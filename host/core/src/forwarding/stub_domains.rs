//! An entry in `stubDomains` of ConfigMap `kube-dns`: JSON text that kube-dns reads (GKE), and NodeLocal DNSCache too.

use serde_json::{Map, Value, json};

use super::change::Change;
use super::facts::{Facts, config_map};
use super::pods::MountedKey;
use super::refusal::Refusal;
use super::{Edit, Fit, Order, Place, json_members, owned_zones};
use crate::deployment::Reference;
use crate::name::HostName;

/// The key of the ConfigMap.
const KEY: &str = "stubDomains";

/// The ConfigMap of that name in all clusters that have one.
const CUSTOMARY: &str = "kube-dns";

pub(super) fn fits(facts: &Facts) -> Option<Fit> {
    let pods = facts.dns_pods()?;
    let folder = pods.flag("config-dir")?;
    let config_map = pods.mounted_folder(folder.trim_end_matches('/'))?;
    let because = format!("{} reads {folder}, which is {config_map}: this is kube-dns", pods.name());
    let places: Vec<Box<dyn Place>> = vec![Box::new(StubDomain { config_map })];
    Some(Fit { because: vec![because], places, ..Fit::default() })
}

pub(super) fn traces(_: &Facts) -> Vec<Box<dyn Place>> {
    vec![Box::new(StubDomain { config_map: config_map(CUSTOMARY) })]
}

/// Our entry.
pub(super) struct StubDomain {
    pub(super) config_map: Reference,
}

impl StubDomain {
    fn at(&self) -> MountedKey {
        MountedKey { config_map: self.config_map.clone(), key: KEY.to_owned() }
    }

    fn edited(&self, text: &str, zone: &HostName, value: Option<&Value>) -> Result<String, Refusal> {
        json_members::with(text, zone.as_str(), value).ok_or_else(|| Refusal::NotUnderstood {
            place: self.at().name(),
            why: "it is no JSON object of domains and servers".to_owned(),
        })
    }
}

impl Place for StubDomain {
    fn name(&self) -> String {
        format!("an entry in {}", self.at().name())
    }

    fn set(&self, facts: &Facts, order: Order<'_>) -> Result<Edit, Refusal> {
        let text = self.at().text(facts).unwrap_or_default();
        let wanted = json!(order.upstreams());
        let object = facts.object(&self.config_map);
        let after = self.edited(text, order.zone, Some(&wanted))?;
        let entries: Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
        match entries.get(order.zone.as_str()) {
            Some(found) if *found == wanted => return Ok(Edit::default()),
            Some(_) if !owned_zones::has(object, order.zone) => {
                return Err(Refusal::Taken { place: self.at().name() });
            }
            Some(_) | None => {}
        }
        let mut fields = owned_zones::with(object, order.zone);
        fields["data"] = json!({KEY: after});
        Ok(Edit { change: Some(Change::set(facts, self.config_map.clone(), fields)), notes: Vec::new() })
    }

    fn unset(&self, facts: &Facts, zone: &HostName) -> Result<Option<Change>, Refusal> {
        let object = facts.object(&self.config_map);
        if !owned_zones::has(object, zone) {
            return Ok(None);
        }
        let text = self.at().text(facts).unwrap_or_default();
        let after = self.edited(text, zone, None)?;
        let is_gone = after.split_whitespace().collect::<String>() == "{}" || after.is_empty();
        let is_only = facts.texts(&self.config_map).all(|(key, _)| key == KEY);
        let mut fields = owned_zones::without(object, zone);
        fields["data"] = json!({KEY: if is_gone { Value::Null } else { json!(after) }});
        Ok(Some(Change::unset(facts, self.config_map.clone(), fields, is_gone && is_only)))
    }
}
