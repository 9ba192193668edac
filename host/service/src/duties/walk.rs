//! Fulfils the duties in their order, and undoes them in the opposite one.

use std::collections::BTreeMap;

use openmcp_dns_core::name::HostName;

use super::{Context, Duty, UndoContext, Undone};
use openmcp_dns_api::ClusterDNSStatus;
use openmcp_dns_api::conditions::{DutyName, Finding, Reason};

/// What was found for each duty.
pub type Findings = BTreeMap<DutyName, Finding>;

/// The duties towards one cluster.
pub struct Duties(Vec<Row>);

struct Row {
    duty: Box<dyn Duty>,
    /// What became of undoing it at the last attempt; `None` before there was one.
    undone: Option<Undone>,
}

/// What became of an attempt to undo all duties.
pub struct Retreat {
    /// Whether it is over.
    pub is_over: bool,
    /// How each duty stands.
    pub findings: Findings,
    /// What was given up in this attempt.
    pub left_behind: Vec<String>,
}

impl Duties {
    /// Duties in the order in which they are fulfilled.
    #[must_use]
    pub fn new(duties: Vec<Box<dyn Duty>>) -> Self {
        Self(duties.into_iter().map(|duty| Row { duty, undone: None }).collect())
    }

    /// Which they are.
    pub fn names(&self) -> impl Iterator<Item = DutyName> {
        self.0.iter().map(|row| row.duty.name())
    }

    /// Does what is missing for each of them. What one finds keeps no other from being fulfilled.
    pub async fn fulfil(&mut self, context: &Context<'_>) -> Findings {
        let mut findings = Findings::new();
        for Row { duty, .. } in &mut self.0 {
            findings.insert(duty.name(), duty.fulfil(context).await);
        }
        findings
    }

    /// Takes back what was done in a zone that the cluster has left; gives whether that is over.
    pub async fn leave(&mut self, context: &Context<'_>, zone: &HostName) -> bool {
        let mut is_left = true;
        for Row { duty, .. } in &mut self.0 {
            is_left &= duty.leave(context, zone).await;
        }
        is_left
    }

    /// Takes back what is left of them.
    pub async fn undo(&mut self, context: &UndoContext<'_>) -> Retreat {
        let (mut findings, mut left_behind) = (Findings::new(), Vec::new());
        let mut later_are_over = true;
        for Row { duty, undone } in self.0.iter_mut().rev() {
            let is_its_turn = later_are_over || !duty.outlasts_later_duties();
            if is_its_turn && !undone.as_ref().is_some_and(Undone::is_over) {
                let name = duty.name().as_str();
                let now = duty.undo(context).await;
                match &now {
                    Undone::Done => {}
                    Undone::GivenUp(what) => {
                        tracing::warn!(cluster = %context.id, duty = name, "{what}");
                        left_behind.push(what.clone());
                    }
                    // The same is told once.
                    Undone::Again(_) if undone.as_ref() == Some(&now) => {}
                    Undone::Again(why) => tracing::info!(cluster = %context.id, duty = name, "{why}"),
                }
                *undone = Some(now);
            }
            findings.insert(duty.name(), finding(undone.as_ref()));
            later_are_over &= undone.as_ref().is_some_and(Undone::is_over);
        }
        Retreat { is_over: later_are_over, findings, left_behind }
    }

    /// Has each of them add to the status what its condition does not say.
    pub fn tell(&self, status: &mut ClusterDNSStatus) {
        self.0.iter().for_each(|row| row.duty.tell(status));
    }
}

/// How a duty stands that is being undone.
fn finding(undone: Option<&Undone>) -> Finding {
    match undone {
        None => Finding::bad(Reason::Leaving, "taken back last, when nothing else is left"),
        Some(Undone::Done) => Finding::bad(Reason::Leaving, "taken back: the Cluster is being deleted"),
        Some(Undone::Again(why)) => Finding::bad(Reason::Leaving, why),
        Some(Undone::GivenUp(what)) => Finding::bad(Reason::LeftBehind, what),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use async_trait::async_trait;
    use openmcp_dns_core::cluster::ClusterId;

    use super::*;
    use crate::duties::{Spent, Way};
    use crate::record::Summary;
    use openmcp_dns_api::Cluster;

    /// What the fake duties were asked to do, in that order.
    type Journal = Arc<Mutex<Vec<String>>>;

    /// A duty that writes down what it is asked to do, and answers as told.
    struct Fake {
        name: DutyName,
        /// How often it cannot be undone.
        stubborn: usize,
        /// After which time it gives up.
        patience: Duration,
        last: bool,
        journal: Journal,
    }

    #[async_trait]
    impl Duty for Fake {
        fn name(&self) -> DutyName {
            self.name
        }
        async fn fulfil(&mut self, _: &Context<'_>) -> Finding {
            self.journal.lock().unwrap().push(format!("fulfil {}", self.name.as_str()));
            Finding::bad(Reason::Unreachable, "broken")
        }
        async fn undo(&mut self, context: &UndoContext<'_>) -> Undone {
            self.journal.lock().unwrap().push(format!("undo {}", self.name.as_str()));
            if self.stubborn == 0 {
                return Undone::Done;
            }
            self.stubborn -= 1;
            if context.spent.elapsed < self.patience {
                Undone::Again("not yet".to_owned())
            } else {
                Undone::GivenUp("left as it is".to_owned())
            }
        }
        fn outlasts_later_duties(&self) -> bool {
            self.last
        }
    }

    fn fake(name: DutyName, journal: &Journal) -> Fake {
        Fake { name, stubborn: 0, patience: Duration::MAX, last: false, journal: Arc::clone(journal) }
    }

    fn three(change: impl Fn(&mut Fake)) -> (Duties, Journal) {
        let journal = Journal::default();
        let duties = [DutyName::Annotated, DutyName::Forwarded, DutyName::Recorded].map(|name| {
            let mut fake = fake(name, &journal);
            change(&mut fake);
            Box::new(fake) as Box<dyn Duty>
        });
        (Duties::new(duties.into()), journal)
    }

    async fn undo(duties: &mut Duties, elapsed: Duration) -> bool {
        try_to_undo(duties, elapsed).await.is_over
    }

    async fn try_to_undo(duties: &mut Duties, elapsed: Duration) -> Retreat {
        let (id, cluster) = (ClusterId::new("ns", "w1"), Cluster::new("w1", Default::default()));
        let spent = Spent { elapsed, bound: Duration::from_secs(60) };
        let reverse_zones = std::collections::BTreeSet::new();
        let context = UndoContext {
            reverse_zones: &reverse_zones,
            id: &id,
            cluster: &cluster,
            present: true,
            zone: None,
            spent,
            store_trouble: None,
            way: Way::None,
        };
        duties.undo(&context).await
    }

    fn taken(journal: &Journal) -> Vec<String> {
        std::mem::take(&mut *journal.lock().unwrap())
    }

    #[tokio::test]
    async fn duties_are_fulfilled_in_order_whatever_the_others_find() {
        let (mut duties, journal) = three(|_| {});
        let (id, cluster) = (ClusterId::new("ns", "w1"), Cluster::new("w1", Default::default()));
        let (zone, summary) = ("openmcp.cluster".parse().unwrap(), Summary::default());
        let (summary, way) = (&summary, Way::None);
        let reverse_zones = &std::collections::BTreeSet::new();
        let context = Context {
            id: &id,
            cluster: &cluster,
            zone: &zone,
            gateway: None,
            reverse_zones,
            summary,
            has_agent: false,
            way,
        };
        let findings = duties.fulfil(&context).await;
        assert_eq!(taken(&journal), ["fulfil Annotated", "fulfil Forwarded", "fulfil Recorded"]);
        assert_eq!(findings.len(), 3);
    }

    #[tokio::test]
    async fn duties_are_undone_backwards_and_each_of_them_once() {
        let (mut duties, journal) =
            three(|fake| fake.stubborn = usize::from(fake.name == DutyName::Forwarded));
        assert!(!undo(&mut duties, Duration::ZERO).await);
        assert_eq!(taken(&journal), ["undo Recorded", "undo Forwarded", "undo Annotated"]);
        assert!(undo(&mut duties, Duration::ZERO).await);
        assert_eq!(taken(&journal), ["undo Forwarded"]);
        assert!(undo(&mut duties, Duration::ZERO).await);
        assert_eq!(taken(&journal), [""; 0]);
    }

    #[tokio::test]
    async fn what_the_others_need_to_be_undone_is_undone_after_them() {
        let (mut duties, journal) = three(|fake| {
            fake.last = fake.name == DutyName::Annotated;
            fake.stubborn = usize::from(fake.name == DutyName::Recorded);
        });
        assert!(!undo(&mut duties, Duration::ZERO).await);
        assert_eq!(taken(&journal), ["undo Recorded", "undo Forwarded"]);
        assert!(undo(&mut duties, Duration::ZERO).await);
        assert_eq!(taken(&journal), ["undo Recorded", "undo Annotated"]);
    }

    #[tokio::test]
    async fn a_duty_that_cannot_be_undone_holds_the_release_until_its_bound_and_no_longer() {
        let bound = Duration::from_secs(60);
        let (mut duties, journal) = three(|fake| {
            fake.patience = bound;
            fake.stubborn = if fake.name == DutyName::Forwarded { usize::MAX } else { 0 };
        });
        assert!(!undo(&mut duties, Duration::ZERO).await);
        assert!(!undo(&mut duties, bound - Duration::from_secs(1)).await);
        assert!(undo(&mut duties, bound).await);
        taken(&journal);
        assert!(undo(&mut duties, bound).await);
        assert_eq!(taken(&journal), [""; 0], "what was given up is not tried again");
    }

    #[tokio::test]
    async fn how_it_stands_is_said_of_each_duty_and_what_is_given_up_once() {
        let (mut duties, _) = three(|fake| {
            fake.last = fake.name == DutyName::Annotated;
            fake.patience = Duration::from_secs(60);
            fake.stubborn = if fake.name == DutyName::Forwarded { usize::MAX } else { 0 };
        });
        let said = |retreat: &Retreat| {
            DutyName::ALL
                .into_iter()
                .filter_map(|name| retreat.findings.get(&name))
                .map(|finding| format!("{} {}", finding.reason, finding.message))
                .collect::<Vec<_>>()
        };
        let done = "Leaving taken back: the Cluster is being deleted";
        let first = try_to_undo(&mut duties, Duration::ZERO).await;
        assert_eq!(
            said(&first),
            ["Leaving not yet", "Leaving taken back last, when nothing else is left", done]
        );
        assert!(!first.is_over && first.left_behind.is_empty());
        let second = try_to_undo(&mut duties, Duration::from_secs(60)).await;
        assert_eq!(said(&second), ["LeftBehind left as it is", done, done]);
        assert!(second.is_over);
        assert_eq!(second.left_behind, ["left as it is"]);
        assert!(try_to_undo(&mut duties, Duration::from_secs(60)).await.left_behind.is_empty());
    }
}
