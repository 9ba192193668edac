//! Keeps what is known of agents up to date: which clusters have one, the gate, the authority.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use kube::Api;
use kube::runtime::watcher;
use openmcp_dns_api::{Cluster, DNSServiceConfig, cluster_id};
use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_gate::Credentials;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::Enrolment;
use crate::leadership::Leadership;
use crate::watch::{Named, Update, tell, watch};

/// How often everything is compared, also what no watch shows.
const INTERVAL: Duration = Duration::from_secs(300);

/// How soon it is looked again while something is missing.
const AGAIN: Duration = Duration::from_secs(5);

/// What is watched on the platform cluster.
struct Inputs {
    config: Named<DNSServiceConfig>,
    /// `None` until they are known.
    clusters: Option<BTreeMap<ClusterId, Cluster>>,
}

enum Input {
    Config(Update<DNSServiceConfig>),
    Cluster(Update<Cluster>),
}

impl Inputs {
    fn take(&mut self, input: Input) {
        match input {
            Input::Config(update) => self.config.take(update),
            Input::Cluster(Update::All(all)) => {
                self.clusters =
                    Some(all.into_iter().map(|cluster| (cluster_id(&cluster), cluster)).collect());
            }
            Input::Cluster(Update::Set(cluster)) => {
                self.clusters.get_or_insert_default().insert(cluster_id(&*cluster), *cluster);
            }
            Input::Cluster(Update::Removed(cluster)) => {
                self.clusters.get_or_insert_default().remove(&cluster_id(&*cluster));
            }
            Input::Cluster(Update::Trouble(_)) => {}
        }
    }
}

impl Enrolment {
    /// Watches the configuration and the clusters, and keeps the gate's Service and certificates while we lead. A standby
    /// knows who is to record, and writes nothing.
    pub async fn keep(self, leadership: Leadership) {
        let (sender, mut received) = mpsc::channel(64);
        let platform = &self.0.options.platform;
        let all = watcher::Config::default;
        let watching = async {
            tokio::join!(
                watch(Api::all(platform.clone()), all(), sender.clone(), Input::Config),
                watch(Api::all(platform.clone()), all(), sender.clone(), Input::Cluster),
            )
        };
        let mut inputs = Inputs { config: Named::new(self.0.options.config_name.clone()), clusters: None };
        let keeping = async {
            let mut next = Instant::now();
            loop {
                tokio::select! {
                    Some(input) = received.recv() => {
                        inputs.take(input);
                        if self.note(&inputs) {
                            next = Instant::now();
                        }
                    }
                    () = sleep_until(next), if leadership.is_leading() => {
                        next = Instant::now() + self.look(inputs.config.object()).await;
                    }
                    () = leadership.leading(), if !leadership.is_leading() => next = Instant::now(),
                }
            }
        };
        tokio::select! {
            _ = watching => {}
            () = keeping => {}
        }
    }

    /// Notes what is wanted now; gives whether the configuration is another one.
    fn note(&self, inputs: &Inputs) -> bool {
        let Inputs { config, clusters } = inputs;
        let (config, images) = (config.object(), &self.0.options.images);
        let recorded = config.zip(clusters.as_ref()).map(|(config, clusters)| -> BTreeSet<ClusterId> {
            let spec = config.map(|config| &config.spec);
            let has_agent =
                |cluster: &Cluster| spec.is_some_and(|spec| spec.agent(cluster, images).is_some());
            let all = clusters.iter().filter(|(_, cluster)| has_agent(cluster));
            all.map(|(id, _)| id.clone()).collect()
        });
        if recorded.is_some() {
            tell(&self.0.recorded, recorded);
        }
        let config = config.map(Option::<&Arc<_>>::cloned);
        self.0.known.send_if_modified(|known| {
            let changed = known.config != config;
            known.config = config;
            changed
        })
    }

    /// Brings the gate up to date; gives how soon to look again.
    async fn look(&self, config: Option<Option<&Arc<DNSServiceConfig>>>) -> Duration {
        let Some(config) = config else { return AGAIN };
        let spec = config.map(|config| config.spec.clone()).unwrap_or_default();
        let before = self.gate();
        let gate = self.bring_gate(&spec, &before).await;
        if let Some(Err(why)) = &gate.addresses
            && gate.addresses != before.addresses
        {
            tracing::warn!(why, "agents do not reach the gate");
        }
        let credentials = gate.identity.as_ref().map(|identity| Credentials {
            certificate: identity.certificate.clone().into_bytes(),
            key: identity.key.clone().into_bytes(),
            authorities: identity.authority.clone().into_bytes(),
        });
        tell(&self.0.credentials, credentials);
        let is_well = !matches!(gate.addresses, Some(Err(_)));
        self.0.known.send_if_modified(|known| {
            let changed = known.gate != gate;
            known.gate = gate;
            changed
        });
        if is_well { INTERVAL } else { AGAIN }
    }
}
