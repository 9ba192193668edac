//! Forward: makes each cluster's own DNS send questions for the zone to the central DNS server.
//!
//! ```text
//! the cluster ──facts──► core::forwarding: strategy, changes ──write──► its DNS configuration ──► its DNS ◄──verify
//! ```
//! What a cluster has of DNS is its [`Layout`]; the pure core says how it is changed, and refuses what it does not
//! understand: that stays as it is. That the API server took a change is no success: only an answer from the cluster's DNS is.

mod finding;
mod layout;
mod verify;
mod write;

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use openmcp_dns_core::chain;
use openmcp_dns_core::forwarding::{Facts, Order, Plan, Strategy, plan};
use openmcp_dns_core::name::HostName;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::{Context, Duty, UndoContext, Undone, Way, wake_on_change};
use crate::service_config::ServiceConfig;
use crate::tasks::Tasks;
use openmcp_dns_api::conditions::{DutyName, Finding};
use openmcp_dns_api::{ClusterDNSStatus, Forwarding};

use finding::{Seen, finding};
use layout::Layout;
use verify::Verifier;
use write::write;

pub use layout::{LayoutView, follow, layout};
pub use write::{is_forwarded, remove};

/// Has a cluster's DNS forward the zone.
pub struct Forward {
    /// The central DNS server, as the cluster reaches it.
    upstreams: watch::Receiver<Vec<SocketAddr>>,
    /// What people have chosen.
    config: ServiceConfig,
    verifier: Verifier,
    /// What was known when something was written: until it is read again, nothing more is.
    written_on: Option<Arc<Facts>>,
    /// How the zone is forwarded.
    forwarding: Option<Forwarding>,
}

impl Forward {
    /// Begins to ask the cluster's DNS as soon as it is known where; `wake` is told when it answers
    /// something else than before, and when the central DNS server has another address. Ends with the value.
    pub fn start(
        upstreams: watch::Receiver<Vec<SocketAddr>>,
        config: ServiceConfig,
        wake: &Arc<Notify>,
        tasks: &Tasks,
        cancel: &CancellationToken,
    ) -> Self {
        wake_on_change(upstreams.clone(), wake, tasks, cancel);
        wake_on_change(config.subscribe(), wake, tasks, cancel);
        let verifier = Verifier::start(wake, tasks, cancel);
        Self { upstreams, config, verifier, written_on: None, forwarding: None }
    }

    async fn configure(&mut self, context: &Context<'_>) -> Seen {
        let upstreams = self.upstreams.borrow().clone();
        if upstreams.is_empty() {
            return Seen::NoCentralServer;
        }
        let Way::Open { client, layout, .. } = context.way else { return Seen::NoWay };
        let facts = match layout.get() {
            Layout::Unknown => return Seen::Reading("the cluster's DNS configuration"),
            Layout::Trouble(message) => return Seen::Trouble(message),
            Layout::Known(facts) => facts,
        };
        let Some(config) = self.config.get() else { return Seen::Reading("the DNSServiceConfig") };
        let wish = config.and_then(|config| config.spec.forward_strategy(context.cluster));
        let order = Order { zone: context.zone, upstreams: &upstreams };
        let plan = match plan(&facts, order, wish) {
            Ok(plan) => plan,
            Err(refusal) => {
                self.forwarding = None;
                return Seen::NotUnderstood(chain(&refusal));
            }
        };
        let Plan { strategy, because, places, changes, notes, by_hand } = plan;
        self.forwarding =
            Some(Forwarding { strategy: strategy.to_string(), because, places: places.clone() });
        // What was written is read again already.
        let is_written = self.written_on.as_ref().is_some_and(|written_on| Arc::ptr_eq(written_on, &facts));
        for change in changes.into_iter().filter(|_| !is_written) {
            let written = write(client, change).await;
            if let Err(error) = &written
                && !error.is_conflict()
            {
                return Seen::NotWritten(chain(error));
            }
            self.written_on = Some(Arc::clone(&facts));
            layout.again();
            if written.is_err() {
                return Seen::Reading("the cluster's DNS configuration, which somebody else has changed,");
            }
        }
        let check = self.verifier.check(context.cluster, context.zone);
        match by_hand {
            Some(what) if strategy == Strategy::Manual => Seen::ByHand { what, check },
            Some(_) | None => Seen::Configured { places, notes, check },
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
        let Way::Open { client, .. } = context.way else { return false };
        let removed = remove(client, zone).await;
        if let Err(error) = &removed {
            tracing::warn!(cluster = %context.id, %zone, error = chain(error), "unable to take back what forwards the zone");
        }
        removed.is_ok()
    }

    /// Takes our block out of the cluster's DNS configuration.
    async fn undo(&mut self, context: &UndoContext<'_>) -> Undone {
        let Some(zone) = context.zone else { return Undone::Done };
        let removed = match context.way {
            Way::Open { client, .. } => remove(client, zone).await.map_err(|error| chain(&error)),
            Way::Unusable(why) => Err(why.to_owned()),
            Way::None => Err("there is no access to the cluster".to_owned()),
        };
        Undone::of(removed, context.elapsed, "what forwards the zone in the cluster's DNS")
    }

    fn tell(&self, status: &mut ClusterDNSStatus) {
        status.forwarding.clone_from(&self.forwarding);
        status.cluster_dns_address =
            self.verifier.address().map(|server| server.to_string()).unwrap_or_default();
    }
}
