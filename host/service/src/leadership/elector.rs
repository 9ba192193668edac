//! The loop around the machine of the election.

use std::time::Duration;

use openmcp_dns_core::chain;
use openmcp_dns_core::leadership::{Election, Leader, Next, Timing};
use thiserror::Error;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::lease::{LeaseClient, LeaseName};
use super::{Leadership, Order};

/// Stands for election, as long as [`Elector::run`] is polled.
pub struct Elector {
    leadership: Leadership,
    orders: mpsc::UnboundedReceiver<Order>,
    election: Election,
    lease: LeaseClient,
    timing: Timing,
    identity: String,
    /// Who was said to lead.
    told: Option<String>,
    /// Why requests fail. The same trouble is told once.
    trouble: Option<String>,
}

/// The Lease could not be read or written.
#[derive(Debug, Error)]
enum Failure {
    #[error(transparent)]
    Api(#[from] kube::Error),
    #[error("no answer within {} ms", .0.as_millis())]
    Silent(Duration),
}

impl Drop for Elector {
    fn drop(&mut self) {
        // Whatever happened: nobody renews the Lease any more.
        self.leadership.lose("nobody stands for election any more".to_owned());
    }
}

/// Prepares to stand for election; `identity` is that of no other process.
#[must_use]
pub fn elect(
    platform: kube::Client,
    lease: LeaseName,
    identity: String,
    timing: Timing,
) -> (Leadership, Elector) {
    let (sender, orders) = mpsc::unbounded_channel();
    let leadership = Leadership::standing_by(Some(sender));
    let elector = Elector {
        leadership: leadership.clone(),
        orders,
        election: Election::new(identity.clone(), timing),
        lease: LeaseClient::new(platform, lease, timing.lease),
        timing,
        identity,
        told: None,
        trouble: None,
    };
    (leadership, elector)
}

impl Elector {
    /// Stands for election, and renews the Lease, until it is lost or released.
    pub async fn run(mut self) {
        loop {
            let now = self.now();
            match self.election.next(now) {
                Next::Look => {
                    let found = self.asked(now, self.lease.read()).await;
                    let now = self.now();
                    match found {
                        Ok(found) => self.election.looked(found, now),
                        Err(error) => self.failed(&error, now),
                    }
                }
                Next::Write(write) => {
                    let began = now;
                    let written = self.asked(now, self.lease.write(&write)).await;
                    let now = self.now();
                    match written {
                        Ok(Some(version)) => {
                            self.trouble = None;
                            self.election.written(&write, version, began);
                        }
                        Ok(None) => self.election.refused(),
                        Err(error) => self.failed(&error, now),
                    }
                }
                Next::Wait(until) => {
                    let order = tokio::select! {
                        order = self.orders.recv() => order,
                        () = tokio::time::sleep(until.saturating_sub(now)) => None,
                    };
                    match order {
                        Some(Order::Raise(seen)) => self.election.raise(seen),
                        Some(Order::Release) => return self.release().await,
                        None => {}
                    }
                }
                Next::Lost(why) => {
                    self.leadership.lose(why.to_owned());
                    return;
                }
            }
            self.tell();
        }
    }

    fn now(&self) -> Duration {
        self.leadership.0.began.elapsed()
    }

    /// An answer, which is waited for no longer than we lead.
    async fn asked<T>(
        &self,
        now: Duration,
        request: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, Failure> {
        let left = self.election.leading().map(|(_, until)| until.saturating_sub(now));
        let limit = left.unwrap_or(self.timing.request).min(self.timing.request);
        Ok(timeout(limit, request).await.map_err(|_| Failure::Silent(limit))??)
    }

    fn failed(&mut self, error: &Failure, now: Duration) {
        self.election.failed(now);
        let why = chain(error);
        if self.trouble.as_ref() != Some(&why) {
            tracing::warn!(error = why, "unable to read or write the Lease");
        }
        self.trouble = Some(why);
    }

    fn tell(&mut self) {
        if let Some((term, until)) = self.election.leading() {
            self.leadership.lead_until(Leader { term, holder: self.identity.clone() }, until);
        }
        let holder = self.election.holder();
        self.leadership.0.holder.send_replace(holder.map(str::to_owned));
        if holder.is_some() && holder != self.told.as_deref() {
            self.told = holder.map(str::to_owned);
            match self.election.leading() {
                Some((term, _)) => tracing::info!(identity = self.identity, term, "leading"),
                None => tracing::info!(identity = self.identity, leader = self.told, "standing by"),
            }
        }
    }

    async fn release(mut self) {
        // Nobody writes as the leader from here on, whether the Lease can be released or not.
        if let Some(write) = self.election.release()
            && let Err(error) = self.asked(Duration::ZERO, self.lease.write(&write)).await
        {
            self.failed(&error, Duration::ZERO);
        }
        self.leadership.lose("it was handed over".to_owned());
    }
}
