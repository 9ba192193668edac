//! Keeps what is known of agents up to date: the configuration, the gate, the authority.

use std::sync::Arc;
use std::time::Duration;

use kube::Api;
use kube::runtime::watcher;
use openmcp_dns_api::DNSServiceConfig;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::Enrolment;
use crate::leadership::Leadership;
use crate::watch::{Named, Update, watch};

/// How often everything is compared, also what no watch shows.
const INTERVAL: Duration = Duration::from_secs(300);

/// How soon it is looked again while something is missing.
const AGAIN: Duration = Duration::from_secs(5);

impl Enrolment {
    /// Watches the configuration, and keeps the gate's Service and certificates while we lead. A standby knows who is to
    /// record, and writes nothing.
    pub async fn keep(self, leadership: Leadership) {
        let (updates, mut received) = mpsc::channel::<Update<DNSServiceConfig>>(16);
        let api = Api::<DNSServiceConfig>::all(self.0.options.platform.clone());
        let watching = watch(api, watcher::Config::default(), updates, |update| update);
        let mut config = Named::new(self.0.options.config_name.clone());
        let keeping = async {
            let mut next = Instant::now();
            loop {
                tokio::select! {
                    Some(update) = received.recv() => {
                        config.take(update);
                        let seen = config.object().map(|config| config.cloned());
                        self.0.known.send_if_modified(|known| {
                            let changed = known.config != seen;
                            known.config = seen;
                            changed
                        });
                        next = Instant::now();
                    }
                    () = sleep_until(next), if leadership.is_leading() => {
                        next = Instant::now() + self.look(config.object()).await;
                    }
                    () = leadership.leading(), if !leadership.is_leading() => next = Instant::now(),
                }
            }
        };
        tokio::select! {
            () = watching => {}
            () = keeping => {}
        }
    }

    /// Brings the gate up to date; gives how soon to look again.
    async fn look(&self, config: Option<Option<&Arc<DNSServiceConfig>>>) -> Duration {
        let Some(config) = config else { return AGAIN };
        let spec = config.map(|config| config.spec.clone()).unwrap_or_default();
        let before = self.gate();
        let gate = self.bring_gate(&spec, &before).await;
        let is_well = !matches!(gate.addresses, Some(Err(_)));
        if let Some(Err(why)) = &gate.addresses
            && gate.addresses != before.addresses
        {
            tracing::warn!(why, "agents do not reach the gate");
        }
        self.0.known.send_if_modified(|known| {
            let changed = known.gate != gate;
            known.gate = gate;
            changed
        });
        if is_well { INTERVAL } else { AGAIN }
    }
}
