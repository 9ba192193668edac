//! Since when it is so, as far as a decision log says.

use std::collections::BTreeMap;

use openmcp_dns_core::decision_log::{Answer, DecisionLog, History, PresentClaim, PresentRecords};
use openmcp_dns_core::name::HostName;

use super::claim::{ClaimStep, DecisionStep, Where};
use super::explanation::Explanation;
use super::name::{NameStep, RecordedStep};

impl Explanation {
    /// Takes in what a decision log knows of the names. What it says otherwise, it says of another time.
    pub fn logged(&mut self, log: &DecisionLog) {
        // Looking a name up reads the whole log, and several claims and steps are of one name.
        let mut histories: BTreeMap<HostName, History> = BTreeMap::new();
        for claim in &mut self.claims {
            let Ok(name) = claim.host_name.parse::<HostName>() else { continue };
            let history = histories.entry(name).or_insert_with_key(|name| History::of(log, name));
            let present = history.claims.iter().find(|present| claim.is(present));
            claim.since = present.map(|present| present.since.clone());
        }
        for name in &mut self.names {
            let history =
                histories.entry(name.name.clone()).or_insert_with_key(|name| History::of(log, name));
            name.logged(history.recorded.clone());
        }
    }
}

impl ClaimStep {
    /// Whether the log says the same of this claim.
    fn is(&self, present: &PresentClaim) -> bool {
        let is_same = match (&self.leads_to, &self.decision) {
            (Where::Nowhere { .. }, _) => matches!(present.answer, Answer::Unresolved { .. }),
            (Where::Targets(_), Some(DecisionStep::Published { records })) => {
                present.answer == Answer::Published && present.records == *records
            }
            (Where::Targets(_), Some(DecisionStep::Denied { code, .. })) => {
                matches!(&present.answer, Answer::Denied { code: denied, .. } if denied == code)
            }
            (Where::Targets(_), Some(DecisionStep::Undecided { .. }) | None) => {
                matches!(present.answer, Answer::Undecided { .. })
            }
        };
        is_same
            && present.cluster.to_string() == self.cluster
            && present.object.to_string() == self.object
            && present.host_name == self.host_name
    }
}

impl NameStep {
    fn logged(&mut self, recorded: Option<PresentRecords>) {
        let records = self.expectation.lines();
        let recorded = recorded.filter(|recorded| recorded.records == records);
        self.recorded =
            recorded.map(|recorded| RecordedStep { since: recorded.since, revision: recorded.revision });
    }
}
