//! Decides what should be for each cluster, from what the platform cluster holds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Api;
use kube::runtime::watcher;
use openmcp_dns_core::chain;
use openmcp_dns_core::cluster::ClusterId;
use tokio::sync::{broadcast, mpsc, watch};

use super::desired::needs_controller;
use super::keeping::{ToKeep, keep};
use super::loads::Loads;
use super::owners::{self, Owners};
use super::state::{Effect, Input, Landscape};
use super::zones::Zones;
use crate::clusters::Clusters;
use crate::journal::Occurrence;
use crate::policies::{self, LandscapeFacts, MeteredModule, Moment, PolicyLifeCycle};
use crate::record::{Command, Report};
use crate::report::cluster_dns;
use crate::report::dns_policy::{self, PolicyReport};
use crate::settings::Settings;
use crate::watch::watch;
use openmcp_dns_api::conditions::now;
use openmcp_dns_modules::ModuleLoader;

/// How often the status of policies is written, and looked at which module is to be loaded again.
const TICK: Duration = Duration::from_millis(500);

/// Decides what should be for each cluster: watches go in, `Landscape` says what follows, and that is
/// done here.
pub struct LandscapeController {
    settings: Arc<Settings>,
    landscape: Landscape<MeteredModule>,
    clusters: Clusters,
    /// Controllers of clusters that have nothing more to do.
    ended: mpsc::Sender<ClusterId>,
    loads: Loads,
    owners: Owners,
    /// To who keeps modules.
    to_keep: watch::Sender<ToKeep>,
    /// To who writes the status of policies. It may take its time: nothing here waits for it.
    status: mpsc::Sender<Vec<PolicyReport>>,
}

impl LandscapeController {
    /// Starts to watch the platform cluster; gives what decides as long as it is polled. `wildcards` says
    /// whether the DNS server in use can serve them.
    pub fn start(
        settings: Arc<Settings>,
        loader: ModuleLoader,
        wildcards: bool,
    ) -> impl Future<Output = ()> + Send + 'static {
        let (inputs, receiver) = mpsc::channel(256);
        let (ended, ended_receiver) = mpsc::channel(16);
        let (status, reports) = mpsc::channel(1);
        let occurrences = settings.journal.subscribe();
        watch_platform(&settings, &inputs);
        spawn(&settings, dns_policy::write(settings.platform.clone(), reports));
        let (to_keep, wanted) = watch::channel(None);
        spawn(&settings, keep(loader.clone(), wanted));
        let controller = Self {
            status,
            to_keep,
            owners: Owners::new(settings.commands.clone()),
            landscape: Landscape::new(LandscapeFacts { tag_check: loader.tag_check(), wildcards }),
            loads: Loads::new(Arc::clone(&settings), loader, inputs),
            settings: Arc::clone(&settings),
            clusters: Clusters::default(),
            ended,
        };
        controller.run(receiver, ended_receiver, occurrences)
    }

    async fn run(
        mut self,
        mut inputs: mpsc::Receiver<Input<MeteredModule>>,
        mut ended: mpsc::Receiver<ClusterId>,
        mut occurrences: broadcast::Receiver<Arc<Occurrence>>,
    ) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                Some(input) = inputs.recv() => self.handle(input).await,
                // The settings have the journal, so it is never closed here.
                heard = occurrences.recv() => {
                    if let Ok(occurrence) = &heard {
                        self.use_up(occurrence);
                    }
                    self.clusters.hear(heard);
                }
                Some(id) = ended.recv() => {
                    self.clusters.remove(&id);
                    // A new Cluster of the same name may have come in the meantime.
                    self.assign(&id);
                }
                _ = tick.tick() => {
                    self.handle(Input::Tick).await;
                    self.owners.tick();
                    self.write_status();
                    self.keep_modules();
                }
            }
        }
    }

    async fn handle(&mut self, input: Input<MeteredModule>) {
        let moment = Moment { instant: Instant::now(), time: Time(now()), random: fastrand::f64() };
        for effect in self.landscape.handle(input, &moment) {
            match effect {
                Effect::Assign(id) => self.assign(&id),
                Effect::Release(id, desired) => {
                    self.clusters.update(&id, &desired);
                }
                Effect::Policy(policy, policies::Effect::Tell(module)) => {
                    self.settings.journal.note(Occurrence::Module { policy, module });
                }
                Effect::Policy(policy, effect) => self.loads.begin(policy, effect),
                Effect::Forget(policy) => self.loads.forget(&policy),
                Effect::Confirm(id, token) => {
                    // The recorder ends only when the service does.
                    let _ = self.settings.commands.send(Command::Confirm(id, token)).await;
                }
            }
        }
        if self.landscape.is_known() {
            self.settings.readiness.set();
        }
    }

    /// Takes a confirmation away that was used: one that stands there for ever looks as if it would hold for
    /// the next deletion.
    fn use_up(&self, occurrence: &Occurrence) {
        let Occurrence::Recording(Report::Confirmed { cluster, token, names: _ }) = occurrence else {
            return;
        };
        let (platform, id, token) = (self.settings.platform.clone(), cluster.clone(), token.clone());
        spawn(&self.settings, async move {
            if let Err(error) = cluster_dns::use_up(&platform, &id, &token).await {
                tracing::warn!(cluster = %id, error = chain(&error), "unable to remove a confirmation that was used");
            }
        });
    }

    /// Tells a cluster's controller what should be; starts one where it is needed.
    fn assign(&mut self, id: &ClusterId) {
        let Some(desired) = self.landscape.desired(id) else { return };
        if !self.clusters.update(id, &desired) && needs_controller(&desired) {
            self.clusters.start(id.clone(), desired, &self.settings, self.ended.clone());
        }
    }

    /// Has the modules of all policies kept, and no others.
    fn keep_modules(&self) {
        if !self.landscape.is_known() {
            return;
        }
        let mut all = BTreeMap::new();
        for (digest, is_loaded) in self.landscape.policies().flat_map(|(_, policy)| policy.to_keep()) {
            *all.entry(digest).or_insert(false) |= is_loaded;
        }
        let all = Some(all);
        self.to_keep.send_if_modified(|wanted| {
            let is_other = *wanted != all;
            *wanted = all;
            is_other
        });
    }

    /// Has the status of policies written, unless that is still under way since the last time.
    fn write_status(&self) {
        let Ok(permit) = self.status.try_reserve() else { return };
        let mut all = self.clusters.counts();
        let exists = |id: &ClusterId| self.landscape.has_cluster(id);
        let unknown = self.owners.unknown(exists).filter(|_| self.landscape.is_known());
        self.settings
            .metrics
            .unknown_owners(unknown.as_deref().unwrap_or_default().iter().map(|(_, names)| *names));
        let policies = self.landscape.policies().map(|(_, policy)| &**policy.policy());
        let mut refused = Zones::of(policies).findings();
        let report = |(name, policy): (&String, &PolicyLifeCycle<MeteredModule>)| {
            let counts = all.remove(name).unwrap_or_default();
            PolicyReport {
                policy: Arc::clone(policy.policy()),
                findings: vec![
                    ("Ready", refused.remove(name).unwrap_or_else(|| policy.ready())),
                    ("ModuleActive", policy.module_active(&counts)),
                    ("OwnersKnown", owners::finding(&policy.policy().spec.base_domain, unknown.as_deref())),
                ],
                module: policy.module_status(),
                candidate: policy.candidate_status(&counts),
                counts,
            }
        };
        permit.send(self.landscape.policies().map(report).collect());
    }
}

fn watch_platform(settings: &Arc<Settings>, inputs: &mpsc::Sender<Input<MeteredModule>>) {
    let (client, all) = (|| settings.platform.clone(), watcher::Config::default);
    spawn(settings, watch(Api::all(client()), all(), inputs.clone(), Input::Clusters));
    spawn(settings, watch(Api::all(client()), all(), inputs.clone(), Input::Policies));
    spawn(settings, watch(Api::all(client()), all(), inputs.clone(), Input::ClusterDns));
    let (updates, mut receiver) = mpsc::channel(16);
    let inventory = Arc::clone(&settings.inventory);
    spawn(settings, async move { inventory.follow(updates).await });
    let inputs = inputs.clone();
    spawn(settings, async move {
        while let Some(update) = receiver.recv().await {
            if inputs.send(Input::Access(update)).await.is_err() {
                return;
            }
        }
    });
}

fn spawn(settings: &Settings, work: impl Future<Output = ()> + Send + 'static) {
    let cancel = settings.cancel.clone();
    settings.tasks.spawn(async move { cancel.run_until_cancelled(work).await });
}
