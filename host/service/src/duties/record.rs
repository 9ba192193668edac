//! Record: what the policy decided for the cluster is in the store.
//!
//! The recorder does it, for all clusters; what it knows of this one is in the summary.

use std::time::Duration;

use async_trait::async_trait;
use openmcp_dns_core::name::HostName;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::{Context, Duty, UndoContext, Undone};
use crate::record::{Command, HeldDeletion, NoDomain, Summary};
use openmcp_dns_api::conditions::{DutyName, Finding, Reason};

/// How long one attempt waits for the records to be gone; most are gone in a few milliseconds.
const ATTEMPT: Duration = Duration::from_secs(1);

/// Has a cluster's records kept, and withdrawn.
pub struct Record {
    commands: mpsc::Sender<Command>,
    /// Answers when the store holds nothing of the cluster any more; `None` while nobody was asked.
    withdrawing: Option<oneshot::Receiver<()>>,
}

impl Record {
    /// Tells the recorder.
    pub const fn new(commands: mpsc::Sender<Command>) -> Self {
        Self { commands, withdrawing: None }
    }
}

#[async_trait]
impl Duty for Record {
    fn name(&self) -> DutyName {
        DutyName::Recorded
    }

    async fn fulfil(&mut self, context: &Context<'_>) -> Finding {
        finding(context.summary)
    }

    /// Has the records withdrawn. Without a bound: the store is our own, and what stays in it would
    /// be answered for ever.
    async fn leave(&mut self, context: &Context<'_>, zone: &HostName) -> bool {
        !context.summary.left_zones.contains(zone)
    }

    async fn undo(&mut self, context: &UndoContext<'_>) -> Undone {
        let Some(zone) = context.zone else { return Undone::Done };
        if self.withdrawing.is_none() {
            let (done, gone) = oneshot::channel();
            let release = Command::Release { cluster: context.id.clone(), zone: zone.clone(), done };
            // The recorder ends only when the service does.
            if self.commands.send(release).await.is_ok() {
                self.withdrawing = Some(gone);
            }
        }
        let Some(gone) = &mut self.withdrawing else { return Undone::Again(WITHDRAWING.to_owned()) };
        match timeout(ATTEMPT, gone).await {
            Ok(Ok(())) => Undone::Done,
            Ok(Err(_)) => {
                self.withdrawing = None;
                Undone::Again(WITHDRAWING.to_owned())
            }
            Err(_) => Undone::Again(WITHDRAWING.to_owned()),
        }
    }
}

const WITHDRAWING: &str = "the records are being withdrawn";

/// Whether what was decided is in the store.
fn finding(summary: &Summary) -> Finding {
    match &summary.domain {
        None => return Finding::unknown(Reason::InProgress, "the cluster's domain is not decided yet"),
        Some(Err(NoDomain::Policy(failure))) => {
            return Finding::bad(Reason::NoDomain, format!("the cluster has no domain: {failure}"));
        }
        Some(Err(taken @ NoDomain::Taken { .. })) => {
            return Finding::bad(
                Reason::DomainConflict,
                format!("the cluster has no domain: {taken}; rename the cluster or give it another domain"),
            );
        }
        Some(Ok(_)) => {}
    }
    if let Some(trouble) = &summary.store_trouble {
        return Finding::bad(Reason::StoreUnavailable, trouble);
    }
    if let Some(HeldDeletion { names, token }) = &summary.held {
        return Finding::bad(
            Reason::DeletionHeld,
            format!(
                "{names} names would be withdrawn and are held; to let that go on now, annotate this object with \
                 dns.openmcp.cloud/confirm-deletion={token}"
            ),
        );
    }
    if summary.undecided > 0 {
        return Finding::bad(
            Reason::PolicyFailed,
            format!("the policy module failed on {} claims; what was published stays", summary.undecided),
        );
    }
    if summary.pending > 0 {
        return Finding::unknown(Reason::InProgress, "changes are being decided on or written");
    }
    if summary.foreign_names > 0 {
        return Finding {
            status: Some(true),
            reason: Reason::ForeignRecords,
            message: format!(
                "all is recorded; at {} names of this cluster stand values that are not ours, and are left alone",
                summary.foreign_names
            ),
        };
    }
    let evacuated = match summary.is_evacuated {
        true => "; the cluster is evacuated: names that others publish as well lead to those",
        false => "",
    };
    Finding::good(format!("{} claims are published{evacuated}", summary.published))
}

#[cfg(test)]
mod tests {
    use openmcp_dns_core::cluster::ClusterId;
    use openmcp_dns_core::policy::{FailureKind, PolicyFailure};

    use super::*;
    use crate::duties::Way;
    use openmcp_dns_api::Cluster;

    fn summary() -> Summary {
        let domain = Some(Ok("w1.openmcp.cluster".parse().unwrap()));
        Summary { domain, published: 3, ..Summary::default() }
    }

    #[test]
    fn a_held_deletion_names_the_word_that_confirms_it() {
        let domain = Some(Ok("w1.openmcp.cluster".parse().unwrap()));
        let held = Some(HeldDeletion { names: 12, token: "cafe".into() });
        let finding = finding(&Summary { domain, held, ..Summary::default() });
        assert_eq!((finding.status, finding.reason), (Some(false), Reason::DeletionHeld));
        assert!(finding.message.contains("confirm-deletion=cafe"), "{}", finding.message);
    }

    #[test]
    fn what_hinders_a_cluster_most_is_what_its_condition_says() {
        let by = ClusterId::new("ns", "older");
        let taken = NoDomain::Taken { domain: "w1.openmcp.cluster".parse().unwrap(), by };
        let failure = PolicyFailure { kind: FailureKind::Trap, message: "unreachable executed".into() };
        for (summary, status, reason, text) in [
            (Summary::default(), None, Reason::InProgress, "not decided yet"),
            (
                Summary { domain: Some(Err(NoDomain::Policy(failure))), ..summary() },
                Some(false),
                Reason::NoDomain,
                "unreachable executed",
            ),
            (
                Summary { domain: Some(Err(taken)), ..summary() },
                Some(false),
                Reason::DomainConflict,
                "older cluster ns/older; rename the cluster",
            ),
            (
                Summary { store_trouble: Some("no answer".into()), undecided: 1, ..summary() },
                Some(false),
                Reason::StoreUnavailable,
                "no answer",
            ),
            (
                Summary { undecided: 2, pending: 1, ..summary() },
                Some(false),
                Reason::PolicyFailed,
                "2 claims",
            ),
            (Summary { pending: 1, ..summary() }, None, Reason::InProgress, "decided on or written"),
            (Summary { foreign_names: 4, ..summary() }, Some(true), Reason::ForeignRecords, "at 4 names"),
            (summary(), Some(true), Reason::Succeeded, "3 claims are published"),
            (Summary { is_evacuated: true, ..summary() }, Some(true), Reason::Succeeded, "is evacuated"),
        ] {
            let finding = finding(&summary);
            assert_eq!((finding.status, finding.reason), (status, reason), "{finding:?}");
            assert!(finding.message.contains(text), "{finding:?}");
        }
    }

    #[tokio::test]
    async fn records_are_asked_to_be_withdrawn_once_and_waited_for_without_a_bound() {
        let (commands, mut asked) = mpsc::channel(4);
        let mut duty = Record::new(commands);
        let (id, cluster) = (ClusterId::new("ns", "w1"), Cluster::new("w1", Default::default()));
        let zone = "openmcp.cluster".parse().unwrap();
        let context = UndoContext {
            id: &id,
            cluster: &cluster,
            present: true,
            zone: Some(&zone),
            elapsed: Duration::from_secs(86_400),
            way: Way::None,
        };
        assert_eq!(duty.undo(&context).await, Undone::Again(WITHDRAWING.to_owned()));
        let Some(Command::Release { cluster: released, done, .. }) = asked.recv().await else {
            panic!("the recorder was not asked")
        };
        assert_eq!(released, id);
        assert_eq!(duty.undo(&context).await, Undone::Again(WITHDRAWING.to_owned()));
        assert!(asked.try_recv().is_err(), "it was asked twice");
        done.send(()).unwrap();
        assert_eq!(duty.undo(&context).await, Undone::Done);
    }

    #[tokio::test]
    async fn without_a_zone_no_records_can_be_found() {
        let (commands, mut asked) = mpsc::channel(4);
        let (id, cluster) = (ClusterId::new("ns", "w1"), Cluster::new("w1", Default::default()));
        let elapsed = Duration::ZERO;
        let context =
            UndoContext { id: &id, cluster: &cluster, present: true, zone: None, elapsed, way: Way::None };
        assert_eq!(Record::new(commands).undo(&context).await, Undone::Done);
        assert!(asked.recv().await.is_none());
    }
}
