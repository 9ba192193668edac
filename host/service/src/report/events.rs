//! Events on routes and Ingresses, in the cluster where their author looks.

use openmcp_dns_core::cluster::{ClusterId, SourceRef};
use openmcp_dns_core::index::State;
use tokio::sync::{mpsc, watch};

use super::event_series;
use crate::journal::Occurrence;
use crate::leadership::Leadership;
use crate::record::{Report, explain};
use openmcp_dns_api::conditions::Reason;

/// Events that wait to be written for one cluster. More are dropped: after a restart, or when a
/// module fails, every claim may have one, and the status has the counts.
const QUEUE: usize = 512;

/// What to tell the author of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The object.
    pub source: SourceRef,
    /// Its unique identifier.
    pub uid: String,
    /// For machines.
    pub reason: Reason,
    /// For people.
    pub message: String,
}

impl Notice {
    /// What to tell of an occurrence, and in which cluster; `None` where there is nothing to do for the
    /// author of an object.
    #[must_use]
    pub fn of(occurrence: &Occurrence) -> Option<(&ClusterId, Self)> {
        let Occurrence::Recording(report) = occurrence else { return None };
        let notice = match report {
            Report::Claim { cluster, source, uid, host_name, state } => {
                let (reason, message) = explained(host_name, state)?;
                Some((cluster, Self { source: source.clone(), uid: uid.clone(), reason, message }))
            }
            Report::Conflict { uid, conflict } => {
                let (cluster, source) = &conflict.loser;
                let message = format!("{}: {}", conflict.name, conflict.message);
                let (source, uid, reason) = (source.clone(), uid.clone(), Reason::HostNameConflict);
                Some((cluster, Self { source, uid, reason, message }))
            }
            Report::Domain(..)
            | Report::Recorded { .. }
            | Report::Held { .. }
            | Report::Confirmed { .. }
            | Report::Touched(_) => None,
        };
        // What an agent asks for is no object that could have Events: it stands in the status of the cluster.
        notice.filter(|(_, notice)| notice.source.kind.is_watched())
    }
}

/// Why a host name is not published; `None` where its author can do nothing.
fn explained(host_name: &str, state: &State) -> Option<(Reason, String)> {
    let reason = match state {
        State::Denied(_) => Reason::HostNameDenied,
        State::Undecided(_) => Reason::PolicyFailed,
        State::Unresolved(reason) if !reason.is_transient() => Reason::HostNameUnresolved,
        State::Published | State::Unresolved(_) | State::Asked => return None,
    };
    let (code, why) = explain(state)?;
    Some((reason, format!("{host_name:?} is not published ({code}): {why}")))
}

/// The queue of one cluster's notices.
pub fn queue() -> (mpsc::Sender<Notice>, mpsc::Receiver<Notice>) {
    mpsc::channel(QUEUE)
}

/// Writes notices as Events until nobody sends any more. Notices for a cluster that cannot be
/// reached are dropped, and all while we do not lead: who leads writes them.
pub async fn write(
    notices: &mut mpsc::Receiver<Notice>,
    client: watch::Receiver<Option<kube::Client>>,
    leadership: &Leadership,
) {
    while let Some(notice) = notices.recv().await {
        let client = client.borrow().clone().filter(|_| leadership.is_leading());
        let Some(client) = client else { continue };
        if let Err(error) = event_series::publish(client, &notice).await {
            let (source, message) = (&notice.source, openmcp_dns_core::chain(&error));
            tracing::warn!(%source, %message, "unable to write an Event");
        }
    }
}
