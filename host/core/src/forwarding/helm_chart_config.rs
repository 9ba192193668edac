//! RKE2: the Corefile is rendered from a Helm chart that the cluster's own controller applies, with values that a
//! HelmChartConfig of the same name may add to. What is written into the Corefile itself does not last.

use serde_json::{Value, json};

use super::change::Change;
use super::corefile::main;
use super::facts::{Facts, KindOf};
use super::refusal::Refusal;
use super::{Edit, Fit, Order, Place, helm_values};
use crate::deployment::Reference;
use crate::name::HostName;

pub(super) const GROUP: &str = "helm.cattle.io";

pub(super) const CHART: KindOf =
    KindOf { api_version: "helm.cattle.io/v1", kind: "HelmChart", plural: "helmcharts", namespaced: true };

pub(super) const CONFIG: KindOf = KindOf {
    api_version: "helm.cattle.io/v1",
    kind: "HelmChartConfig",
    plural: "helmchartconfigs",
    namespaced: true,
};

/// What Helm writes on what it has made.
const RELEASE: &str = "meta.helm.sh/release-name";

/// The release that the cluster's DNS is of.
fn release(facts: &Facts) -> Option<&str> {
    facts.dns_pods()?.annotation(RELEASE)
}

pub(super) fn objects(facts: &Facts) -> Vec<Reference> {
    let both = |release| [CHART, CONFIG].map(|kind| kind.named(release));
    release(facts).into_iter().flat_map(both).collect()
}

pub(super) fn fits(facts: &Facts) -> Option<Fit> {
    let release = release(facts)?;
    let chart = CHART.named(release);
    facts.object(&chart)?;
    let pods = facts.dns_pods()?;
    let because = vec![format!("{} is of {chart}, which a HelmChartConfig adds values to", pods.name())];
    Some(Fit { because, places: traces(facts), ..Fit::default() })
}

pub(super) fn traces(facts: &Facts) -> Vec<Box<dyn Place>> {
    let values = |release| Box::new(Values { at: CONFIG.named(release) }) as Box<dyn Place>;
    release(facts).map(values).into_iter().collect()
}

/// Our lines in `spec.valuesContent`.
struct Values {
    at: Reference,
}

impl Values {
    fn text<'f>(&self, facts: &'f Facts) -> &'f str {
        let text = facts.object(&self.at).and_then(|object| object.pointer("/spec/valuesContent")?.as_str());
        text.unwrap_or_default()
    }

    fn refusal(&self, why: String) -> Refusal {
        Refusal::NotUnderstood { place: format!("spec.valuesContent of {}", self.at), why }
    }
}

impl Place for Values {
    fn name(&self) -> String {
        format!("an entry of servers in spec.valuesContent of {}", self.at)
    }

    fn set(&self, facts: &Facts, order: Order<'_>) -> Result<Edit, Refusal> {
        let text = self.text(facts);
        let main = main(facts).and_then(|main| main.at.text(facts));
        let main = main.ok_or_else(|| {
            self.refusal("the Corefile that the chart has rendered is not there".to_owned())
        })?;
        let after = helm_values::with(text, main, order).map_err(|why| self.refusal(why))?;
        let set =
            |after: String| Change::set(facts, self.at.clone(), json!({"spec": {"valuesContent": after}}));
        Ok(Edit { change: after.map(set), notes: Vec::new() })
    }

    fn unset(&self, facts: &Facts, zone: &HostName) -> Result<Option<Change>, Refusal> {
        let text = self.text(facts);
        let Some(after) = helm_values::without(text, zone).map_err(|why| self.refusal(why))? else {
            return Ok(None);
        };
        let is_empty = after.trim().is_empty();
        let left = if is_empty { Value::Null } else { json!(after) };
        Ok(Some(Change::unset(facts, self.at.clone(), json!({"spec": {"valuesContent": left}}), is_empty)))
    }
}
