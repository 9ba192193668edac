//! Decides what should be for each cluster, from what the platform cluster holds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Api;
use kube::runtime::watcher;
use openmcp_dns_core::chain;
use openmcp_dns_core::cluster::ClusterId;
use tokio::sync::{broadcast, mpsc, oneshot, watch as channel};

use super::desired::needs_controller;
use super::keeping::{ToKeep, keep};
use super::loads::Loads;
use super::owners::{self, Owners};
use super::state::{Effect, Input, Landscape};
use super::zones::Zones;
use crate::api_client;
use crate::clusters::Clusters;
use crate::journal::Occurrence;
use crate::policies::{self, LandscapeFacts, MeteredModule, Moment};
use crate::record::{Command, Report};
use crate::report::cluster_dns;
use crate::report::dns_policy::PolicyReport;
use crate::report::statuses::Statuses;
use crate::settings::Settings;
use crate::watch::tell;
use crate::watch::{watch, watch_if_served};
use openmcp_dns_api::DNSPolicy;
use openmcp_dns_api::conditions::now;
use openmcp_dns_modules::ModuleLoader;

/// How often the status of policies is told, and looked at which module is to be loaded again.
const TICK: Duration = Duration::from_millis(500);

/// How often it is looked whether openMCP's gateway service has come. A landscape without it asks for nothing else at rest.
const GATEWAYS_RETRY: Duration = Duration::from_secs(30);

/// A part without which nothing works, and its name.
pub type Part = (&'static str, BoxFuture<'static, ()>);

/// Asks for a sign of life; the answer is whether the controllers of all clusters give one.
type Question = oneshot::Sender<bool>;

/// Decides what should be for each cluster: watches go in, `Landscape` says what follows, and that is
/// done here.
pub struct LandscapeController {
    settings: Arc<Settings>,
    landscape: Landscape<MeteredModule>,
    clusters: Clusters,
    /// Controllers of clusters that have nothing more to do.
    ended: mpsc::Sender<ClusterId>,
    /// Keeps the questions open for those who ask for a sign of life.
    _asked: mpsc::Sender<Question>,
    loads: Loads,
    owners: Owners,
    /// To who keeps modules.
    to_keep: channel::Sender<ToKeep>,
    /// Where to say what is known of policies. Nothing here waits until it is written.
    statuses: Statuses<PolicyReport>,
}

impl LandscapeController {
    /// What watches the platform cluster and decides, as long as it is polled. `wildcards` says whether
    /// the DNS server in use can serve them.
    pub fn start(
        settings: Arc<Settings>,
        loader: ModuleLoader,
        statuses: Statuses<PolicyReport>,
        wildcards: bool,
    ) -> Vec<Part> {
        let (inputs, receiver) = mpsc::channel(256);
        let (ended, ended_receiver) = mpsc::channel(16);
        let occurrences = settings.journal.subscribe();
        let (asked, questions) = mpsc::channel(1);
        let all = settings.readiness.clone();
        let weak = asked.downgrade();
        all.ask("landscape controller", move || answers(weak.clone(), |_| true).boxed());
        let weak = asked.downgrade();
        all.ask("cluster controllers", move || answers(weak.clone(), |all_live| all_live).boxed());
        let mut parts = watch_platform(&settings, &inputs);
        let (to_keep, wanted) = channel::channel(None);
        let keeper = settings.leadership.clone().once_leading(keep(loader.clone(), wanted));
        parts.push(("keeper of modules", keeper.boxed()));
        let controller = Self {
            statuses,
            to_keep,
            owners: Owners::new(settings.commands.clone()),
            landscape: Landscape::new(LandscapeFacts { tag_check: loader.tag_check(), wildcards }),
            loads: Loads::new(Arc::clone(&settings), loader, inputs),
            settings: Arc::clone(&settings),
            clusters: Clusters::default(),
            ended,
            _asked: asked,
        };
        let run = controller.run(receiver, ended_receiver, questions, occurrences);
        parts.push(("landscape controller", run.boxed()));
        parts
    }

    async fn run(
        mut self,
        mut inputs: mpsc::Receiver<Input<MeteredModule>>,
        mut ended: mpsc::Receiver<ClusterId>,
        mut questions: mpsc::Receiver<Question>,
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
                    self.handle(Input::Ended(id)).await;
                }
                Some(question) = questions.recv() => {
                    let stuck = self.clusters.stuck(Instant::now());
                    if !stuck.is_empty() {
                        tracing::error!(?stuck, "controllers of clusters give no sign of life");
                    }
                    // Nobody may be waiting any more.
                    let _ = question.send(stuck.is_empty());
                }
                _ = tick.tick() => {
                    self.handle(Input::Tick).await;
                    self.owners.tick();
                    self.tell_statuses();
                    self.tell_zones();
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
                Effect::Forget(policy) => {
                    self.loads.forget(&policy);
                    self.statuses.forget(&(String::new(), policy));
                }
                Effect::ClusterDnsLost(id) => {
                    self.settings.statuses.lost(&(id.namespace.clone(), id.name.clone()))
                }
                Effect::Reconciled(policy, annotation) => self.take_reconcile(policy, annotation),
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

    /// Takes the annotation away that has asked for a policy to be looked at anew.
    fn take_reconcile(&self, policy: String, annotation: &'static str) {
        if !self.settings.leadership.is_leading() {
            return;
        }
        let api: Api<DNSPolicy> = Api::all(self.settings.platform.clone());
        self.settings.tasks.spawn(async move { api_client::take_reconcile(&api, &policy, annotation).await });
    }

    /// Takes a confirmation away that was used: one that stands there for ever looks as if it would hold for
    /// the next deletion.
    fn use_up(&self, occurrence: &Occurrence) {
        let Occurrence::Recording(Report::Confirmed { cluster, token, names: _ }) = occurrence else {
            return;
        };
        if !self.settings.leadership.is_leading() {
            return;
        }
        let (platform, id, token) = (self.settings.platform.clone(), cluster.clone(), token.clone());
        self.settings.tasks.spawn(async move {
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
        tell(&self.to_keep, Some(all));
    }

    /// Tells those who deploy and serve the zones which they are.
    fn tell_zones(&self) {
        let Some(zones) = self.landscape.zones() else { return };
        tell(&self.settings.zones, Some(zones));
    }

    /// Says what is known of each policy.
    fn tell_statuses(&self) {
        let mut all = self.clusters.counts();
        let is_counted = self.landscape.is_known() && self.clusters.are_counted();
        let exists = |id: &ClusterId| self.landscape.has_cluster(id);
        let unknown = self.owners.unknown(exists).filter(|_| self.landscape.is_known());
        self.settings
            .metrics
            .unknown_owners(unknown.as_deref().unwrap_or_default().iter().map(|(_, names)| *names));
        let policies = self.landscape.policies().map(|(_, policy)| &**policy.policy());
        let mut refused = Zones::of(policies).findings();
        for (name, policy) in self.landscape.policies() {
            let counts = all.remove(name).unwrap_or_default();
            if policy.ignored_by().is_some() {
                continue;
            }
            self.statuses.say(PolicyReport {
                policy: Arc::clone(policy.policy()),
                findings: vec![
                    ("Ready", refused.remove(name).unwrap_or_else(|| policy.ready())),
                    ("ModuleActive", policy.module_active(&counts)),
                    ("OwnersKnown", owners::finding(&policy.policy().spec.base_domain, unknown.as_deref())),
                ],
                module: policy.module_status(),
                candidate: policy.candidate_status(&counts),
                is_settled: is_counted && counts.unsettled == 0,
                counts,
            });
        }
    }
}

fn watch_platform(settings: &Settings, inputs: &mpsc::Sender<Input<MeteredModule>>) -> Vec<Part> {
    let (client, all) = (|| settings.platform.clone(), watcher::Config::default);
    let (updates, mut receiver) = mpsc::channel(16);
    let (inventory, access) = (Arc::clone(&settings.inventory), inputs.clone());
    let follow = async move {
        let hand_on = async {
            while let Some(update) = receiver.recv().await {
                if access.send(Input::Access(update)).await.is_err() {
                    return;
                }
            }
        };
        tokio::join!(inventory.follow(updates), hand_on);
    };
    vec![
        ("watch of Clusters", watch(Api::all(client()), all(), inputs.clone(), Input::Clusters).boxed()),
        ("watch of DNSPolicies", watch(Api::all(client()), all(), inputs.clone(), Input::Policies).boxed()),
        (
            "watch of GatewayServiceConfigs",
            watch_if_served(Api::all(client()), GATEWAYS_RETRY, inputs.clone(), Input::Gateways).boxed(),
        ),
        ("watch of ClusterDNS", watch(Api::all(client()), all(), inputs.clone(), Input::ClusterDns).boxed()),
        ("inventory of access", follow.boxed()),
    ]
}

/// Whether the landscape controller answers, and the answer is good.
async fn answers(questions: mpsc::WeakSender<Question>, is_good: fn(bool) -> bool) -> bool {
    let Some(questions) = questions.upgrade() else { return false };
    let (sender, answer) = oneshot::channel();
    questions.send(sender).await.is_ok() && answer.await.is_ok_and(is_good)
}
