//! Forward: makes each cluster's own DNS send questions for the zone to the central DNS server.
//!
//! ```text
//! the cluster ──facts──► core::forwarding: strategy, changes ──write──► its DNS configuration ──► its DNS ◄──verify
//! ```
//! What a cluster has of DNS is its [`Layout`]; the pure core says how it is changed, and refuses what it does not
//! understand: that stays as it is. That the API server took a change is no success: only an answer from the cluster's DNS is, from each of
//! its pods. A change after which names fail that resolved before is taken back, once.

mod finding;
mod layout;
mod pods;
mod verify;
mod write;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use openmcp_dns_core::chain;
use openmcp_dns_core::forwarding::{
    Change, Facts, Fight, Guard, Health, Names, Order, Orders, Plan, Strategy, Verdict, dns_service,
    own_name, plan_all, removal_of_all,
};
use openmcp_dns_core::name::HostName;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::{Context, Duty, UndoContext, Undone, Way, wake_on_change};
use crate::report::cluster_dns;
use crate::service_config::ServiceConfig;
use crate::settings::{Settings, SharedRollout};
use crate::tasks::Tasks;
use openmcp_dns_api::conditions::{DutyName, Finding};
use openmcp_dns_api::{Cluster, ClusterDNSStatus, Forwarding};

use finding::{Seen, finding};
use layout::Layout;
use verify::{Verifier, Wanted};
use write::{ForwardError, write};

pub use layout::{LayoutView, follow, layout};
pub use write::{is_forwarded, remove};

/// Has a cluster's DNS forward the zone.
pub struct Forward {
    /// The central DNS server, as the cluster reaches it.
    upstreams: watch::Receiver<Vec<SocketAddr>>,
    /// What people have chosen.
    config: ServiceConfig,
    verifier: Verifier,
    platform: kube::Client,
    /// Takes a change back that breaks the cluster's DNS; `None` until it is known what was taken back before.
    guard: Option<Guard>,
    /// How long a name of the cluster itself may fail after a change.
    limit: Duration,
    /// Whether it is this cluster's turn, where a change touches many.
    rollout: SharedRollout,
    started: Instant,
    /// Gives way to who changes it back again and again.
    fight: Fight,
    /// What was known when something was written: until it is read again, nothing more is.
    written_on: Option<Arc<Facts>>,
    /// How the zone is forwarded.
    forwarding: Option<Forwarding>,
}

impl Forward {
    /// Begins to ask the cluster's DNS as soon as it is known where; `wake` is told when it answers
    /// something else than before, and when the central DNS server has another address. Ends with the value.
    pub fn start(settings: &Settings, wake: &Arc<Notify>, tasks: &Tasks, cancel: &CancellationToken) -> Self {
        let Settings { platform, upstreams, config, take_back_after, rollout, .. } = settings;
        wake_on_change(upstreams.clone(), wake, tasks, cancel);
        wake_on_change(config.subscribe(), wake, tasks, cancel);
        Self {
            upstreams: upstreams.clone(),
            config: config.clone(),
            verifier: Verifier::start(wake, tasks, cancel),
            platform: platform.clone(),
            guard: None,
            limit: *take_back_after,
            rollout: rollout.clone(),
            started: Instant::now(),
            fight: Fight::default(),
            written_on: None,
            forwarding: None,
        }
    }

    /// What was taken back before a restart stands in the status.
    async fn guard(&mut self, cluster: &Cluster) -> Result<&mut Guard, kube::Error> {
        if self.guard.is_none() {
            let status = cluster_dns::read(&self.platform, cluster).await?.unwrap_or_default();
            let taken_back = status.forwarding.and_then(|forwarding| forwarding.taken_back);
            self.guard = Some(Guard::new(self.limit, taken_back));
        }
        Ok(self.guard.get_or_insert(Guard::new(self.limit, None)))
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
                let wanted = wanted(context.zone, &upstreams, &Facts::default());
                let check = self.verifier.check(context.cluster, None, wanted);
                return Seen::NoAccess { reverse: context.reverse_zones.clone(), check };
            }
            Way::None | Way::Unusable(_) => return Seen::NoWay,
        };
        let facts = match layout.get() {
            Layout::Unknown => return Seen::Reading("the cluster's DNS configuration"),
            Layout::Trouble(message) => return Seen::Trouble(message),
            Layout::Known(facts) => facts,
        };
        let Some(config) = self.config.get() else { return Seen::Reading("the DNSServiceConfig") };
        let wish = config.and_then(|config| config.spec.forward_strategy(context.cluster));
        let main = Order { zone: context.zone, upstreams: &upstreams };
        let orders = Orders { main, reverse: context.reverse_zones };
        let planned = plan_all(&facts, orders, wish)
            .and_then(|plan| Ok((plan, removal_of_all(&facts, context.zone, context.reverse_zones)?)));
        let (plan, removal) = match planned {
            Ok(planned) => planned,
            Err(refusal) => {
                self.forwarding = None;
                return Seen::NotUnderstood(chain(&refusal));
            }
        };
        let Plan { strategy, because, places, mut changes, notes, by_hand } = plan;
        let wanted = wanted(context.zone, &upstreams, &facts);
        let own_name = wanted.own_name.clone();
        let pods = dns_service(&facts).map(|service| (client, service));
        let check = self.verifier.check(context.cluster, pods, wanted);
        let Some(names) = self.verifier.names() else {
            return Seen::Reading("what the cluster's DNS answers");
        };
        // Another wish of a person is another configuration.
        let configuration = format!("{} {}", facts.digest(), wish.map_or("", Strategy::as_str));
        let now = self.started.elapsed();
        let guard = match self.guard(context.cluster).await {
            Ok(guard) => guard,
            Err(error) => return Seen::Trouble(format!("unable to read the ClusterDNS: {}", chain(&error))),
        };
        let verdict = guard.look(&names, &configuration, removal.is_empty(), now);
        let taken_back = guard.taken_back().map(str::to_owned);
        let is_worried = guard.is_worried();
        let strategy_name = strategy.to_string();
        self.forwarding =
            Some(Forwarding { strategy: strategy_name, because, places: places.clone(), taken_back });
        let is_moved = strategy != Strategy::Manual && !removal.is_empty();
        if verdict == Verdict::StayAway {
            self.rollout.with(|rollout, _| rollout.taken_back(context.zone, context.id));
            changes = removal;
        } else if !changes.is_empty() && !self.verifier.is_fresh() {
            return Seen::Reading("what the cluster's DNS answers before it is changed");
        } else if let Err(seen) = self.turn(context, orders, &changes, is_moved, check.health()) {
            return seen;
        }
        let goal = format!("{orders:?} {wish:?}");
        if verdict == Verdict::GoOn
            && !self.is_written(&facts)
            && !self.fight.may_write(&goal, changes.is_empty(), now)
            // As long as it stands there, all is well.
            && let Some(Change { object, .. }) = changes.first()
        {
            let by = facts.last_writer(object).map(str::to_owned);
            return Seen::ChangedBack { object: object.to_string(), by };
        }
        let before = (strategy != Strategy::Manual).then_some(&names);
        if let Err(seen) = self.write(client, layout, &facts, changes, before).await {
            return seen;
        }
        match by_hand {
            _ if verdict == Verdict::StayAway => Seen::TakenBack { own_name, names },
            _ if is_worried => Seen::Worried { own_name, names },
            Some(what) if strategy == Strategy::Manual => Seen::ByHand { what, notes, check },
            Some(_) | None => Seen::Configured { places, notes, check },
        }
    }

    /// Says how the cluster stands in a change of many clusters, and whether it is its turn where what forwards the zone is moved.
    fn turn(
        &self,
        context: &Context<'_>,
        orders: Orders<'_>,
        changes: &[Change],
        is_moved: bool,
        health: Health,
    ) -> Result<(), Seen> {
        // While it is held, nobody can go by another address.
        let now = self.upstreams.borrow();
        let Orders { main: Order { zone, upstreams }, reverse } = orders;
        if *now != upstreams {
            return Err(Seen::Reading("the address of the central DNS server"));
        }
        let id = context.id;
        let reverse: String = reverse.iter().map(|zone| format!(" {zone}")).collect();
        // Another version may write other blocks.
        let goal = format!("{upstreams:?} {}{reverse}", env!("CARGO_PKG_VERSION"));
        self.rollout.with(|rollout, now| {
            if changes.is_empty() {
                rollout.changed(zone, &goal, id, health, now);
            } else if is_moved {
                rollout.may_change(zone, &goal, id, health, now).map_err(Seen::Waiting)?;
            }
            Ok(())
        })
    }

    /// Whether something was written since, so that all is being read again.
    fn is_written(&self, facts: &Arc<Facts>) -> bool {
        self.written_on.as_ref().is_some_and(|written_on| Arc::ptr_eq(written_on, facts))
    }

    /// Makes the changes, if there are any, and has everything read again; `before` is what the cluster's DNS answers now, if they are
    /// to be taken back when it no longer does.
    async fn write(
        &mut self,
        client: &kube::Client,
        layout: &LayoutView,
        facts: &Arc<Facts>,
        changes: Vec<Change>,
        before: Option<&Names>,
    ) -> Result<(), Seen> {
        if self.is_written(facts) {
            return Ok(());
        }
        for change in changes {
            let written = write(client, change).await;
            if let Err(error) = &written
                && !error.is_conflict()
            {
                return Err(Seen::NotWritten(chain(error)));
            }
            self.written_on = Some(Arc::clone(facts));
            layout.again();
            self.verifier.ask_again(true);
            if written.is_err() {
                return Err(Seen::Reading(
                    "the cluster's DNS configuration, which somebody else has changed,",
                ));
            }
            self.fight.written();
            if let (Some(guard), Some(before)) = (&mut self.guard, before) {
                guard.written(before, self.started.elapsed());
            }
        }
        Ok(())
    }
}

async fn remove_all(
    client: &kube::Client,
    zone: &HostName,
    reverse: &BTreeSet<HostName>,
) -> Result<(), ForwardError> {
    for zone in reverse.iter().chain([zone]) {
        remove(client, zone).await?;
    }
    Ok(())
}

/// What a cluster's DNS is to answer.
fn wanted(zone: &HostName, upstreams: &[SocketAddr], facts: &Facts) -> Wanted {
    Wanted { zone: zone.clone(), upstreams: upstreams.to_vec(), own_name: own_name(facts) }
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
        self.rollout.with(|rollout, _| rollout.left(zone, context.id));
        if self.upstreams.borrow().is_empty() {
            return true;
        }
        let client = match context.way {
            Way::Open { client, .. } => client,
            // It was somebody else who had it forward.
            Way::None if context.has_agent => return true,
            Way::None | Way::Unusable(_) => return false,
        };
        let removed = remove(client, zone).await;
        if let Err(error) = &removed {
            tracing::warn!(cluster = %context.id, %zone, error = chain(error), "unable to take back what forwards the zone");
        }
        removed.is_ok()
    }

    /// Takes our block out of the cluster's DNS configuration.
    async fn undo(&mut self, context: &UndoContext<'_>) -> Undone {
        let Some(zone) = context.zone else { return Undone::Done };
        self.rollout.with(|rollout, _| rollout.left(zone, context.id));
        let removed = match context.way {
            Way::Open { client, .. } => {
                remove_all(client, zone, context.reverse_zones).await.map_err(|error| chain(&error))
            }
            Way::Unusable(why) => Err(why.message.clone()),
            Way::None => Err("there is no access to the cluster".to_owned()),
        };
        Undone::of(removed, context.spent, "what forwards the zone in the cluster's DNS")
    }

    fn tell(&self, status: &mut ClusterDNSStatus) {
        status.forwarding.clone_from(&self.forwarding);
        status.cluster_dns_address =
            self.verifier.address().map(|server| server.to_string()).unwrap_or_default();
    }
}
