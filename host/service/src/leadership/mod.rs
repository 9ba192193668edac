//! Leadership: of several replicas one writes, and the others stand by.
//!
//! ```text
//! Lease ◄──► Elector ──Standing──► Leadership ◄── who writes asks it first
//!               ▲                      ▲
//!               └──── raise ──── fencing ──lead──► leader key in the store
//! ```
//! A standby does all but write: its watches, its mirror of the store and its modules are as the leader's. Who has lost
//! the lead never leads again; the process ends, and begins anew as a standby.

mod elector;
mod fencing;
mod lease;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use openmcp_dns_core::leadership::Leader;
use openmcp_dns_store::Fence;
use thiserror::Error;
use tokio::sync::{mpsc, watch};

pub use elector::{Elector, elect};
pub use fencing::hold;
pub use lease::{LEASE, LeaseName};

/// How long the release of the Lease may take; after that it ends by itself.
const RELEASE: Duration = Duration::from_secs(2);

/// We lead no more.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "the lead is lost: {0}; nothing is written any more, and this replica stands by when it is started again"
)]
pub struct LeadLost(String);

/// How we stand.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Standing {
    Standby,
    /// Who we are, and in which term.
    Leading(Leader),
    Lost(LeadLost),
}

/// What the elector is told.
enum Order {
    /// A leader of this term stands in the store: ours has to be a later one.
    Raise(u64),
    /// We end.
    Release,
}

/// Whether we lead. Clones are the same.
#[derive(Clone)]
pub struct Leadership(Arc<Shared>);

struct Shared {
    standing: watch::Sender<Standing>,
    /// Who leads, as the Lease says it.
    holder: watch::Sender<Option<String>>,
    /// What transactions are guarded with, once the store knows that we lead.
    fence: watch::Sender<Option<Fence>>,
    began: Instant,
    /// Until when we lead at least, in microseconds after the beginning. After that somebody else may, whether we
    /// have noticed or not.
    until: AtomicU64,
    /// `None` without an election.
    orders: Option<mpsc::UnboundedSender<Order>>,
}

impl Leadership {
    /// Nobody else stands for election: leads from now on, until the store says that somebody else does.
    #[must_use]
    pub fn alone(holder: String) -> Self {
        let leadership = Self::standing_by(None);
        leadership.0.holder.send_replace(Some(holder.clone()));
        leadership.0.until.store(u64::MAX, Ordering::Relaxed);
        leadership.0.standing.send_replace(Standing::Leading(Leader { term: 1, holder }));
        leadership
    }

    fn standing_by(orders: Option<mpsc::UnboundedSender<Order>>) -> Self {
        Self(Arc::new(Shared {
            standing: watch::Sender::new(Standing::Standby),
            holder: watch::Sender::new(None),
            fence: watch::Sender::new(None),
            began: Instant::now(),
            until: AtomicU64::new(0),
            orders,
        }))
    }

    /// Whether we lead at this moment.
    #[must_use]
    pub fn is_leading(&self) -> bool {
        let now = u64::try_from(self.0.began.elapsed().as_micros()).unwrap_or(u64::MAX);
        matches!(&*self.0.standing.borrow(), Standing::Leading(_))
            && now < self.0.until.load(Ordering::Relaxed)
    }

    /// Who leads, as far as that is known.
    #[must_use]
    pub fn holder(&self) -> Option<String> {
        self.0.holder.borrow().clone()
    }

    /// Waits until we lead; for ever once that is lost.
    pub async fn leading(&self) {
        let mut standing = self.0.standing.subscribe();
        if standing.wait_for(|standing| matches!(standing, Standing::Leading(_))).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Does this as soon as we lead.
    pub async fn once_leading<T>(self, work: impl Future<Output = T>) -> T {
        self.leading().await;
        work.await
    }

    /// Tells whether we lead, now and whenever that changes; never ends.
    pub(crate) async fn told_to(self, tell: impl Fn(bool)) {
        let mut standing = self.0.standing.subscribe();
        loop {
            tell(matches!(&*standing.borrow_and_update(), Standing::Leading(_)));
            if standing.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Waits until the lead is lost, and gives why.
    pub async fn lost(&self) -> LeadLost {
        let mut standing = self.0.standing.subscribe();
        loop {
            if let Standing::Lost(why) = &*standing.borrow_and_update() {
                return why.clone();
            }
            if standing.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// What transactions are guarded with; `None` while we may not write to the store.
    #[must_use]
    pub fn fence(&self) -> Option<Fence> {
        if self.is_leading() { self.0.fence.borrow().clone() } else { None }
    }

    /// Told when there is another fence, or none.
    pub(crate) fn fences(&self) -> watch::Receiver<Option<Fence>> {
        self.0.fence.subscribe()
    }

    /// The store has refused this fence: nothing is written until it is known why.
    pub(crate) fn refused(&self, fence: &Fence) {
        self.0.fence.send_if_modified(|current| {
            let is_current = current.as_ref() == Some(fence);
            if is_current {
                *current = None;
            }
            is_current
        });
    }

    fn lead_until(&self, leader: Leader, until: Duration) {
        self.0.until.store(u64::try_from(until.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.stand(Standing::Leading(leader));
    }

    fn lose(&self, why: String) {
        self.0.until.store(0, Ordering::Relaxed);
        self.0.fence.send_replace(None);
        self.stand(Standing::Lost(LeadLost(why)));
    }

    /// Who has lost the lead never gets it back.
    fn stand(&self, next: Standing) {
        self.0.standing.send_if_modified(|standing| {
            let is_other = !matches!(standing, Standing::Lost(_)) && *standing != next;
            if is_other {
                *standing = next;
            }
            is_other
        });
    }

    /// See [`Order::Raise`].
    fn raise(&self, seen: u64, leader: Leader) {
        match &self.0.orders {
            // The elector ends only when the lead is lost.
            Some(orders) => drop(orders.send(Order::Raise(seen))),
            None => self.stand(Standing::Leading(Leader { term: seen + 1, ..leader })),
        }
    }

    /// Hands over: whoever stands by may lead at once. To be called when nothing is written any more.
    pub async fn release(&self) {
        let Some(orders) = &self.0.orders else { return };
        if orders.send(Order::Release).is_ok() && tokio::time::timeout(RELEASE, self.lost()).await.is_err() {
            tracing::warn!("unable to release the Lease in time: who stands by waits until it is over");
        }
    }
}
