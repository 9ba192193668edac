//! Forward: makes each cluster's own DNS send questions for the zone to the central DNS server.
//!
//! ```text
//! the cluster ──layout──► flavour ──patch──► its DNS configuration ──► its DNS ◄──verify
//! ```
//! What a cluster's DNS reads is its [`Layout`]; a flavour is the way to change one layout and to change
//! it back. There is one flavour so far, [`corefile`]. The pure core edits the text and refuses what it
//! does not understand; a refusal leaves the text as it is. That the API server took the text is no
//! success: only an answer from the cluster's DNS is.

mod corefile;
mod finding;
mod layout;
mod verify;

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use openmcp_dns_core::chain;
use openmcp_dns_core::name::HostName;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::{Context, Duty, UndoContext, Undone, Way, wake_on_change};
use crate::tasks::Tasks;
use openmcp_dns_api::ClusterDNSStatus;
use openmcp_dns_api::conditions::{DutyName, Finding};

use corefile::ForwardError;
pub use corefile::{is_forwarded, remove};
use finding::{Seen, finding};
use verify::Verifier;

pub use layout::{Layout, follow};

/// Has a cluster's DNS forward the zone.
pub struct Forward {
    /// The central DNS server, as the cluster reaches it.
    upstreams: watch::Receiver<Vec<SocketAddr>>,
    verifier: Verifier,
}

impl Forward {
    /// Begins to ask the cluster's DNS as soon as it is known where; `wake` is told when it answers
    /// something else than before, and when the central DNS server has another address. Ends with the value.
    pub fn start(
        upstreams: watch::Receiver<Vec<SocketAddr>>,
        wake: &Arc<Notify>,
        tasks: &Tasks,
        cancel: &CancellationToken,
    ) -> Self {
        wake_on_change(upstreams.clone(), wake, tasks, cancel);
        Self { upstreams, verifier: Verifier::start(wake, tasks, cancel) }
    }

    async fn configure(&mut self, context: &Context<'_>) -> Seen {
        let upstreams = self.upstreams.borrow().clone();
        if upstreams.is_empty() {
            return Seen::NoCentralServer;
        }
        let (client, layout) = match context.way {
            Way::Open { client, layout, .. } => (client, layout),
            // Somebody else has it forward; it can be asked all the same.
            Way::None if context.has_agent => {
                return Seen::ByHand(self.verifier.check(context.cluster, context.zone));
            }
            Way::None | Way::Unusable(_) => return Seen::NoWay,
        };
        let layout = layout.borrow().clone();
        let applied = match layout {
            Layout::Unknown => return Seen::Reading,
            Layout::Trouble(message) => return Seen::Trouble(message),
            Layout::Missing => return Seen::UnknownLayout,
            Layout::Found(config_map) => corefile::apply(client, &config_map, context.zone, &upstreams).await,
        };
        match applied {
            Ok(warnings) => {
                Seen::Configured { warnings, check: self.verifier.check(context.cluster, context.zone) }
            }
            Err(error @ (ForwardError::Refused(_) | ForwardError::NoCorefile)) => {
                Seen::NotUnderstood(chain(&error))
            }
            Err(error) => Seen::NotWritten(chain(&error)),
        }
    }
}

#[async_trait]
impl Duty for Forward {
    fn name(&self) -> DutyName {
        DutyName::Forwarded
    }

    async fn fulfil(&mut self, context: &Context<'_>) -> Finding {
        let seen = self.configure(context).await;
        finding(&seen, context.zone, &self.upstreams.borrow())
    }

    async fn leave(&mut self, context: &Context<'_>, zone: &HostName) -> bool {
        if self.upstreams.borrow().is_empty() {
            return true;
        }
        let client = match context.way {
            Way::Open { client, .. } => client,
            // It was somebody else who had it forward.
            Way::None if context.has_agent => return true,
            Way::None | Way::Unusable(_) => return false,
        };
        let removed = corefile::remove(client, zone).await;
        if let Err(error) = &removed {
            tracing::warn!(cluster = %context.id, %zone, error = chain(error), "unable to take the forward block back");
        }
        removed.is_ok()
    }

    /// Takes our block out of the cluster's DNS configuration.
    async fn undo(&mut self, context: &UndoContext<'_>) -> Undone {
        let Some(zone) = context.zone else { return Undone::Done };
        let removed = match context.way {
            Way::Open { client, .. } => corefile::remove(client, zone).await.map_err(|error| chain(&error)),
            Way::Unusable(why) => Err(why.to_owned()),
            Way::None => Err("there is no access to the cluster".to_owned()),
        };
        Undone::of(removed, context.elapsed, "the forward block in the cluster's Corefile")
    }

    fn tell(&self, status: &mut ClusterDNSStatus) {
        status.cluster_dns_address =
            self.verifier.address().map(|server| server.to_string()).unwrap_or_default();
    }
}
