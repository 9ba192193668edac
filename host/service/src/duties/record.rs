//! Record: what the policy decided for the cluster is in the store.
//!
//! The recorder does it, for all clusters; what it knows of this one is in the summary.

use std::time::Duration;

use async_trait::async_trait;
use openmcp_dns_core::chain;
use openmcp_dns_core::name::HostName;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::{Context, Duty, UndoContext, Undone, Way};
use crate::open_reports;
use crate::record::{Command, HeldDeletion, NoDomain, ReportsStanding, Summary};
use crate::route_status;
use openmcp_dns_api::conditions::{DutyName, Finding, Reason};

/// How long one attempt waits for the records to be gone; most are gone in a few milliseconds.
const ATTEMPT: Duration = Duration::from_secs(1);

/// How long one attempt may take to take away what was said in the cluster, in the status of routes and in reports: some
/// thousand go in that time.
const REMOVING: Duration = Duration::from_secs(20);

/// Has a cluster's records kept, and withdrawn.
pub struct Record {
    commands: mpsc::Sender<Command>,
    /// Answers when the store holds nothing of the cluster any more; `None` while nobody was asked.
    withdrawing: Option<oneshot::Receiver<()>>,
    /// Whether the records are withdrawn.
    is_withdrawn: bool,
}

impl Record {
    /// Tells the recorder.
    pub const fn new(commands: mpsc::Sender<Command>) -> Self {
        Self { commands, withdrawing: None, is_withdrawn: false }
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
        if self.is_withdrawn {
            // Nobody says anything of routes any more since the recorder forgot the cluster.
            return untold(context).await;
        }
        if self.withdrawing.is_none() {
            let (done, gone) = oneshot::channel();
            let release = Command::Release { cluster: context.id.clone(), zone: zone.clone(), done };
            // The recorder ends only when the service does.
            if self.commands.send(release).await.is_ok() {
                self.withdrawing = Some(gone);
            }
        }
        let again = || {
            let trouble = context.store_trouble.map(|trouble| format!(": {trouble}")).unwrap_or_default();
            Undone::Again(format!("the records are being withdrawn{trouble}"))
        };
        let Some(gone) = &mut self.withdrawing else { return again() };
        match timeout(ATTEMPT, gone).await {
            Ok(Ok(())) => {
                self.is_withdrawn = true;
                untold(context).await
            }
            Ok(Err(_)) => {
                self.withdrawing = None;
                again()
            }
            Err(_) => again(),
        }
    }
}

/// Takes what was said of names from the routes that claimed them, and the reports. Where there is no way into the cluster,
/// there is nothing to be done: in most cases, they go with it.
async fn untold(context: &UndoContext<'_>) -> Undone {
    let Way::Open { client, .. } = context.way else { return Undone::Done };
    let removed = async {
        let routes = route_status::with_entries(client).await.map_err(|error| chain(&error))?;
        route_status::remove(client, routes).await?;
        let reports = open_reports::all(client).await.map_err(|error| chain(&error))?;
        open_reports::remove(client, reports).await
    };
    let removed = timeout(REMOVING, removed).await.unwrap_or_else(|_| Err("it takes long".to_owned()));
    Undone::of(removed, context.spent, "what was said in the status of routes, and in reports")
}

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
    if let Some(why) = &summary.route_trouble {
        return Finding {
            status: Some(true),
            reason: Reason::RouteStatusRefused,
            message: format!(
                "all is recorded; the status of routes cannot be written: apply deploy/cluster-access.yaml to the cluster \
                 again, or set spec.report.routeStatus of the DNSPolicy to false ({why})"
            ),
        };
    }
    if let ReportsStanding::Incomplete(why) = &summary.reports {
        return Finding {
            status: Some(true),
            reason: Reason::ReportsIncomplete,
            message: format!("all is recorded; not all reports on namespaces can be written: {why}"),
        };
    }
    let reports = match summary.reports {
        ReportsStanding::NotServed => "; the cluster does not serve the reports that the DNSPolicy wants",
        ReportsStanding::Fine | ReportsStanding::Incomplete(_) => "",
    };
    let evacuated = match summary.is_evacuated {
        true => "; the cluster is evacuated: names that others publish as well lead to those",
        false => "",
    };
    Finding::good(format!("{} claims are published{evacuated}{reports}", summary.published))
}

#[cfg(test)]
mod tests {
    use openmcp_dns_core::cluster::ClusterId;
    use openmcp_dns_core::policy::{FailureKind, PolicyFailure};

    use super::*;
    use crate::duties::Spent;
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
        let failure = PolicyFailure::new(FailureKind::Trap, "unreachable executed");
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
            (
                Summary { route_trouble: Some("HTTPRoute/a/b: forbidden".into()), ..summary() },
                Some(true),
                Reason::RouteStatusRefused,
                "spec.report.routeStatus of the DNSPolicy to false (HTTPRoute/a/b: forbidden)",
            ),
            (
                Summary { reports: ReportsStanding::Incomplete("forbidden".into()), ..summary() },
                Some(true),
                Reason::ReportsIncomplete,
                "can be written: forbidden",
            ),
            (
                Summary { reports: ReportsStanding::NotServed, ..summary() },
                Some(true),
                Reason::Succeeded,
                "3 claims are published; the cluster does not serve the reports",
            ),
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
        let reverse_zones = std::collections::BTreeSet::new();
        let context = UndoContext {
            reverse_zones: &reverse_zones,
            id: &id,
            cluster: &cluster,
            present: true,
            zone: Some(&zone),
            spent: Spent { elapsed: Duration::from_secs(86_400), bound: Duration::ZERO },
            store_trouble: Some("no leader"),
            way: Way::None,
        };
        let withdrawing = Undone::Again("the records are being withdrawn: no leader".to_owned());
        assert_eq!(duty.undo(&context).await, withdrawing);
        let Some(Command::Release { cluster: released, done, .. }) = asked.recv().await else {
            panic!("the recorder was not asked")
        };
        assert_eq!(released, id);
        assert_eq!(duty.undo(&context).await, withdrawing);
        assert!(asked.try_recv().is_err(), "it was asked twice");
        done.send(()).unwrap();
        assert_eq!(duty.undo(&context).await, Undone::Done);
    }

    #[tokio::test]
    async fn without_a_zone_no_records_can_be_found() {
        let (commands, mut asked) = mpsc::channel(4);
        let (id, cluster) = (ClusterId::new("ns", "w1"), Cluster::new("w1", Default::default()));
        let reverse_zones = std::collections::BTreeSet::new();
        let context = UndoContext {
            reverse_zones: &reverse_zones,
            id: &id,
            cluster: &cluster,
            present: true,
            zone: None,
            spent: Spent { elapsed: Duration::ZERO, bound: Duration::ZERO },
            store_trouble: None,
            way: Way::None,
        };
        assert_eq!(Record::new(commands).undo(&context).await, Undone::Done);
        assert!(asked.recv().await.is_none());
    }
}
