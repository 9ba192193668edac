//! Access by openMCP's AccessRequests: asked for where people give none, used as soon as it is granted.
//!
//! ```text
//! wanted clusters ──► AccessRequest ──provider──► Granted, Secret ──watch──► Access
//! ```
//! A provider renews the token in the same Secret, and says nothing of it in the request: so Secrets are watched, too, but of
//! them only what they are called. Only those that a request of ours names are read.

mod existing;
mod known;
mod request;

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use k8s_openapi::api::core::v1::Secret;
use kube::api::PartialObjectMeta;
use kube::runtime::watcher;
use kube::{Api, ResourceExt as _};
use openmcp_dns_api::AccessRequest;
use openmcp_dns_core::chain;
use openmcp_dns_core::cluster::ClusterId;
use tokio::sync::{mpsc, watch as channel};

pub use self::existing::{granted, requests, withdraw};
use self::known::Known;
use self::request::Requester;
use super::secrets::kubeconfig;
use super::{Access, Insecure, Inventory, SecretInventory};
use crate::watch::{Update, watch};

/// How long to wait before what failed is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// AccessRequests, and Secrets that people give.
pub struct AccessRequestInventory {
    platform: kube::Client,
    given: SecretInventory,
    insecure: Insecure,
    requester: Requester,
    wanted: channel::Sender<BTreeSet<ClusterId>>,
    /// Clusters that do not take their token any more.
    refused: channel::Sender<BTreeSet<ClusterId>>,
}

/// What is seen on the platform cluster.
enum Seen {
    Given(Update<(ClusterId, Access)>),
    Request(Update<AccessRequest>),
    Secret(Update<PartialObjectMeta<Secret>>),
}

impl AccessRequestInventory {
    /// Asks in the name of a platform service, where `given` has nothing.
    #[must_use]
    pub fn new(
        platform: kube::Client,
        provider_name: &str,
        given: SecretInventory,
        insecure: Insecure,
    ) -> Self {
        let requester = Requester::new(platform.clone(), provider_name);
        let (wanted, refused) = Default::default();
        Self { platform, given, insecure, requester, wanted, refused }
    }

    /// Tells what is seen, until nobody listens.
    async fn see(&self, seen: mpsc::Sender<Seen>) {
        let (given, mut updates) = mpsc::channel(16);
        let hand_on = async {
            while let Some(update) = updates.recv().await {
                if seen.send(Seen::Given(update)).await.is_err() {
                    return;
                }
            }
        };
        let selected = watcher::Config::default().labels(&self.requester.selector());
        tokio::select! {
            () = async { tokio::join!(self.given.follow(given), hand_on); } => {}
            () = watch(Api::all(self.platform.clone()), selected, seen.clone(), Seen::Request) => {}
            () = watch(Api::all(self.platform.clone()), watcher::Config::default(), seen.clone(), Seen::Secret) => {}
        }
    }

    /// Reads what is to be read, and asks for what is missing. Gives whether all of it went well.
    async fn act(&self, known: &mut Known) -> bool {
        let mut is_well = true;
        for (namespace, name) in known.to_read() {
            match Api::<Secret>::namespaced(self.platform.clone(), &namespace).get(&name).await {
                Ok(secret) => {
                    let version = secret.resource_version().unwrap_or_default();
                    known.take_secret((namespace, name), version, kubeconfig(&secret));
                }
                Err(error) => {
                    tracing::warn!(namespace, name, error = chain(&error), "unable to read a kubeconfig");
                    is_well = false;
                }
            }
        }
        let wanted = self.wanted.borrow().clone();
        for cluster in known.to_ask(&wanted, |request| self.requester.is_as_wanted(request)) {
            match self.requester.ask(&cluster).await {
                Ok(is_new) => {
                    if is_new {
                        tracing::info!(%cluster, "asked for access by an AccessRequest");
                    }
                    known.take_asked(cluster);
                }
                Err(error) => {
                    tracing::warn!(%cluster, error = chain(&error), "unable to ask for access");
                    is_well = false;
                }
            }
        }
        is_well
    }
}

#[async_trait]
impl Inventory for AccessRequestInventory {
    async fn follow(&self, updates: mpsc::Sender<Update<(ClusterId, Access)>>) {
        let (sender, mut seen) = mpsc::channel(16);
        let choose = async {
            let (mut known, mut wanted) = (Known::default(), self.wanted.subscribe());
            let mut refused = self.refused.subscribe();
            let mut again = None;
            loop {
                let retry = async {
                    match again {
                        Some(at) => tokio::time::sleep_until(at).await,
                        None => std::future::pending().await,
                    }
                };
                let concerns = tokio::select! {
                    told = seen.recv() => match told {
                        None => return,
                        Some(Seen::Given(Update::Trouble(message))) => {
                            if updates.send(Update::Trouble(message)).await.is_err() {
                                return;
                            }
                            false
                        }
                        Some(Seen::Given(update)) => { known.take_given(update); true }
                        Some(Seen::Request(update)) => {
                            if let Update::Trouble(error) = &update {
                                tracing::warn!(error, "unable to watch AccessRequests");
                            }
                            known.take_requests(update);
                            true
                        }
                        Some(Seen::Secret(update)) => known.see_secrets(update),
                    },
                    Ok(()) = wanted.changed() => true,
                    Ok(()) = refused.changed() => {
                        let mut clusters = BTreeSet::new();
                        self.refused.send_if_modified(|refused| {
                            clusters = std::mem::take(refused);
                            false
                        });
                        known.doubt(&clusters)
                    }
                    () = retry => true,
                };
                if !concerns {
                    continue;
                }
                let is_well = self.act(&mut known).await;
                again = (!is_well).then(|| tokio::time::Instant::now() + AGAIN);
                for update in known.changes() {
                    let update = update.map(|(id, access)| (id, access.with_insecure(self.insecure)));
                    if updates.send(update).await.is_err() {
                        return;
                    }
                }
            }
        };
        tokio::select! {
            () = self.see(sender) => {}
            // Ends when nobody listens any more.
            () = choose => {}
        }
    }

    fn advice(&self, cluster: &ClusterId) -> String {
        format!(
            "access to the cluster is being asked for by an AccessRequest in namespace {}; {}",
            cluster.namespace,
            self.given.advice(cluster)
        )
    }

    fn want(&self, cluster: &ClusterId) {
        self.wanted.send_if_modified(|wanted| wanted.insert(cluster.clone()));
    }

    fn refused(&self, cluster: &ClusterId) {
        self.refused.send_if_modified(|refused| refused.insert(cluster.clone()));
    }

    async fn give_back(&self, cluster: &ClusterId) -> kube::Result<bool> {
        self.wanted.send_if_modified(|wanted| wanted.remove(cluster));
        self.requester.give_back(cluster).await
    }
}
