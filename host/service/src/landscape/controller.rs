//! Decides what should be for each cluster, from what the platform cluster holds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::ConfigMap;
use kube::runtime::watcher;
use kube::{Api, ResourceExt as _};
use openmcp_dns_core::cluster::ClusterId;
use tokio::sync::mpsc;
use tokio_util::sync::DropGuard;

use super::policy::{PolicyState, Request, Wanted};
use super::select;
use super::worker::{Clusters, Desired, Governed, Settings};
use crate::inventory::Access;
use crate::record::Input;
use crate::report::dns_policy;
use crate::watch::{Update, watch};
use openmcp_dns_api::dns_policy::ConfigMapKey;
use openmcp_dns_api::{CONFIRM_ANNOTATION, Cluster, ClusterDNS, DNSPolicy, FINALIZER};
use openmcp_dns_modules::{Loaded, ModuleError, ModuleLoader};

/// How often the status of policies is written, and looked at which module is to be loaded again.
const TICK: Duration = Duration::from_millis(500);

/// What the director is told.
enum Event {
    Clusters(Update<Cluster>),
    Policies(Update<DNSPolicy>),
    ClusterDns(Update<ClusterDNS>),
    Access(Update<(ClusterId, Access)>),
    /// The ConfigMap that holds a policy's module has changed.
    ModuleChanged(String),
    Loaded(Box<LoadedModule>),
    /// What the tag of a policy's module means now.
    TagResolved {
        policy: String,
        request: u64,
        resolved: Result<String, ModuleError>,
    },
}

struct LoadedModule {
    policy: String,
    request: Request,
    loaded: Loaded,
}

/// The watch of the ConfigMap that a policy's module comes from; ends with this value.
struct ModuleWatch {
    key: ConfigMapKey,
    _ends_watch: DropGuard,
}

/// Decides what should be for each cluster. A list that has not been read yet is not an empty one:
/// nothing happens before the clusters, the policies and the access to the clusters are known.
pub struct LandscapeController {
    settings: Arc<Settings>,
    loader: ModuleLoader,
    workers: Clusters,
    events: mpsc::Sender<Event>,
    clusters: Option<BTreeMap<ClusterId, Arc<Cluster>>>,
    policies: Option<BTreeMap<String, PolicyState>>,
    module_watches: BTreeMap<String, ModuleWatch>,
    /// Ends the last load of a policy's module when another one is wanted.
    loads: BTreeMap<(String, Wanted), DropGuard>,
    access: Option<BTreeMap<ClusterId, Access>>,
    status: dns_policy::Writer,
}

impl LandscapeController {
    /// Prepares the director.
    pub fn start(settings: Arc<Settings>, loader: ModuleLoader, workers: Clusters) {
        let (events, receiver) = mpsc::channel(256);
        let director = Self {
            status: dns_policy::Writer::new(settings.platform.clone()),
            settings: Arc::clone(&settings),
            loader,
            workers,
            events,
            clusters: None,
            policies: None,
            module_watches: BTreeMap::new(),
            loads: BTreeMap::new(),
            access: None,
        };
        director.watch_platform();
        let cancel = settings.cancel.clone();
        settings.tasks.spawn(async move { cancel.run_until_cancelled(director.run(receiver)).await });
    }

    fn watch_platform(&self) {
        let Settings { platform, tasks, cancel, inventory, .. } = &*self.settings;
        let all = watcher::Config::default;
        let spawn = |watching: std::pin::Pin<Box<dyn Future<Output = ()> + Send>>| {
            let cancel = cancel.clone();
            tasks.spawn(async move { cancel.run_until_cancelled(watching).await });
        };
        let (client, events) = (|| platform.clone(), || self.events.clone());
        spawn(Box::pin(watch(Api::all(client()), all(), events(), Event::Clusters)));
        spawn(Box::pin(watch(Api::all(client()), all(), events(), Event::Policies)));
        spawn(Box::pin(watch(Api::all(client()), all(), events(), Event::ClusterDns)));
        let (accesses, mut receiver) = mpsc::channel(16);
        let inventory = Arc::clone(inventory);
        spawn(Box::pin(async move { inventory.follow(accesses).await }));
        let events = events();
        spawn(Box::pin(async move {
            while let Some(access) = receiver.recv().await {
                if events.send(Event::Access(access)).await.is_err() {
                    return;
                }
            }
        }));
    }

    async fn run(mut self, mut events: mpsc::Receiver<Event>) {
        let (ended_sender, mut ended) = mpsc::channel(16);
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            tokio::select! {
                Some(event) = events.recv() => {
                    for id in self.take_in(event).await {
                        self.assign(&id, &ended_sender);
                    }
                }
                Some(id) = ended.recv() => {
                    self.workers.remove(&id);
                    // A new Cluster of the same name may have come in the meantime.
                    self.assign(&id, &ended_sender);
                }
                _ = tick.tick() => self.tick().await,
            }
        }
    }

    /// Takes in an event; gives the clusters for which something else may have to be now.
    async fn take_in(&mut self, event: Event) -> Vec<ClusterId> {
        match event {
            Event::Clusters(seen) => self.clusters_seen(seen),
            Event::Policies(seen) => self.policies_seen(seen),
            Event::ClusterDns(seen) => {
                self.cluster_dns_seen(seen).await;
                Vec::new()
            }
            Event::Access(event) => self.access_seen(event),
            Event::ModuleChanged(policy) => {
                self.load(&policy, Wanted::Spec);
                Vec::new()
            }
            Event::Loaded(loaded) => {
                let LoadedModule { policy, request, loaded } = *loaded;
                let state = self.policies.as_mut().and_then(|policies| policies.get_mut(&policy));
                let changed = state.is_some_and(|state| {
                    state.follow_tag(self.loader.tag_check());
                    state.loaded(request, loaded)
                });
                if changed { self.all_clusters() } else { Vec::new() }
            }
            Event::TagResolved { policy, request, resolved } => {
                let state = self.policies.as_mut().and_then(|policies| policies.get_mut(&policy));
                if state.is_some_and(|state| state.resolved(request, resolved)) {
                    self.load(&policy, Wanted::Spec);
                }
                Vec::new()
            }
        }
    }

    fn all_clusters(&self) -> Vec<ClusterId> {
        self.clusters.iter().flat_map(BTreeMap::keys).cloned().collect()
    }

    fn clusters_seen(&mut self, seen: Update<Cluster>) -> Vec<ClusterId> {
        match seen {
            Update::All(all) => {
                let all: BTreeMap<_, _> =
                    all.into_iter().map(|cluster| (select::id(&cluster), Arc::new(cluster))).collect();
                let old = self.clusters.replace(all).unwrap_or_default();
                // One that is missing in a new list was deleted while the watch was down. Its worker
                // is not told: a list is no deletion that was seen, and our finalizer would have kept it.
                let gone = old.into_keys().filter(|id| !self.all_clusters().contains(id));
                for id in gone {
                    tracing::warn!(cluster = %id, "the Cluster is missing in a new list; its records stay");
                }
                self.all_clusters()
            }
            Update::Set(cluster) => {
                let id = select::id(&cluster);
                if let Some(clusters) = &mut self.clusters {
                    clusters.insert(id.clone(), Arc::new(*cluster));
                }
                vec![id]
            }
            Update::Removed(cluster) => {
                let id = select::id(&cluster);
                if let Some(clusters) = &mut self.clusters {
                    clusters.remove(&id);
                }
                let gone = self.desired(Arc::new(*cluster), false);
                self.workers.update(&id, &gone);
                Vec::new()
            }
            Update::Trouble(message) => trouble("Cluster", &message),
        }
    }

    fn policies_seen(&mut self, seen: Update<DNSPolicy>) -> Vec<ClusterId> {
        match seen {
            Update::All(all) => {
                let mut old = self.policies.take().unwrap_or_default();
                let mut load = Vec::new();
                let mut policies = BTreeMap::new();
                for policy in all {
                    let name = policy.name_any();
                    let state = take_in_policy(old.remove(&name), policy, &mut load);
                    policies.insert(name, state);
                }
                self.policies = Some(policies);
                self.module_watches.retain(|name, _| !old.contains_key(name));
                self.loads.retain(|(name, _), _| !old.contains_key(name));
                load.iter().for_each(|(name, wanted)| self.load(name, *wanted));
            }
            Update::Set(policy) => {
                let name = policy.name_any();
                let Some(policies) = &mut self.policies else { return Vec::new() };
                let mut load = Vec::new();
                let state = take_in_policy(policies.remove(&name), *policy, &mut load);
                policies.insert(name, state);
                load.iter().for_each(|(name, wanted)| self.load(name, *wanted));
            }
            Update::Removed(policy) => {
                let name = policy.name_any();
                if let Some(policies) = &mut self.policies {
                    policies.remove(&name);
                }
                self.module_watches.remove(&name);
                self.loads.retain(|(policy, _), _| *policy != name);
                self.status.forget(&name);
            }
            Update::Trouble(message) => return trouble("DNSPolicy", &message),
        }
        self.all_clusters()
    }

    async fn cluster_dns_seen(&mut self, seen: Update<ClusterDNS>) {
        let objects = match seen {
            Update::All(all) => all,
            Update::Set(object) => vec![*object],
            Update::Removed(_) => return,
            Update::Trouble(message) => {
                trouble("ClusterDNS", &message);
                return;
            }
        };
        for object in objects {
            if let Some(token) = object.annotations().get(CONFIRM_ANNOTATION) {
                let id = ClusterId::new(object.namespace().unwrap_or_default(), object.name_any());
                // The coordinator ends only when the service does.
                let _ = self.settings.inputs.send(Input::Confirm(id, token.clone())).await;
            }
        }
    }

    fn access_seen(&mut self, event: Update<(ClusterId, Access)>) -> Vec<ClusterId> {
        match event {
            Update::All(all) => {
                self.access = Some(all.into_iter().collect());
                self.all_clusters()
            }
            Update::Set(granted) => {
                let (id, access) = *granted;
                if let Some(known) = &mut self.access {
                    known.insert(id.clone(), access);
                }
                vec![id]
            }
            Update::Removed(withdrawn) => {
                let (id, _) = *withdrawn;
                if let Some(known) = &mut self.access {
                    known.remove(&id);
                }
                vec![id]
            }
            Update::Trouble(message) => trouble("Secret", &message),
        }
    }

    // === modules ===

    /// Loads one of a policy's modules; follows the ConfigMap that the one in the spec comes from.
    fn load(&mut self, policy: &str, wanted: Wanted) {
        let Some(state) = self.policies.as_mut().and_then(|policies| policies.get_mut(policy)) else {
            return;
        };
        let Some(request) = state.request(wanted) else { return };
        match state.config_map().cloned() {
            None => {
                self.module_watches.remove(policy);
            }
            Some(key) if self.module_watches.get(policy).is_some_and(|watch| watch.key == key) => {}
            Some(key) => {
                let watch = self.watch_module(policy.to_owned(), key);
                self.module_watches.insert(policy.to_owned(), watch);
            }
        }
        let (loader, events, policy) = (self.loader.clone(), self.events.clone(), policy.to_owned());
        let cancel = self.settings.cancel.child_token();
        self.loads.insert((policy.clone(), wanted), cancel.clone().drop_guard());
        self.settings.tasks.spawn(async move {
            let loading = loader.load(&request.source, request.configuration.clone());
            let Some(loaded) = cancel.run_until_cancelled(loading).await else { return };
            let loaded = LoadedModule { policy, request, loaded };
            // Nobody may be listening any more.
            let _ = events.send(Event::Loaded(Box::new(loaded))).await;
        });
    }

    /// Asks what the tags of modules mean now, where it is time to.
    fn check_tags(&mut self, now: Instant) {
        let interval = self.loader.tag_check();
        for (policy, state) in self.policies.iter_mut().flatten() {
            let Some((request, oci)) = state.take_tag_check(now, interval) else { continue };
            let (loader, events, policy) = (self.loader.clone(), self.events.clone(), policy.clone());
            let cancel = self.settings.cancel.clone();
            self.settings.tasks.spawn(async move {
                let Some(resolved) = cancel.run_until_cancelled(loader.resolve(&oci)).await else { return };
                // Nobody may be listening any more.
                let _ = events.send(Event::TagResolved { policy, request, resolved }).await;
            });
        }
    }

    fn watch_module(&self, policy: String, key: ConfigMapKey) -> ModuleWatch {
        let api: Api<ConfigMap> = Api::namespaced(self.settings.platform.clone(), &key.namespace);
        let one = watcher::Config::default().fields(&format!("metadata.name={}", key.name));
        let cancel = self.settings.cancel.child_token();
        let (events, token) = (self.events.clone(), cancel.clone());
        self.settings.tasks.spawn(async move {
            let watching = watch(api, one, events, |_| Event::ModuleChanged(policy.clone()));
            token.run_until_cancelled(watching).await;
        });
        ModuleWatch { key, _ends_watch: cancel.drop_guard() }
    }

    async fn tick(&mut self) {
        let now = Instant::now();
        let policies = self.policies.iter().flatten();
        let due: Vec<(String, Wanted)> = policies
            .flat_map(|(name, state)| state.due(now).into_iter().map(|wanted| (name.clone(), wanted)))
            .collect();
        due.iter().for_each(|(name, wanted)| self.load(name, *wanted));
        self.check_tags(now);
        for (name, state) in self.policies.iter().flatten() {
            let sum = self.settings.tallies.sum(name);
            let findings = [("Ready", state.ready()), ("ModuleActive", state.module_active(&sum))];
            let (module, candidate) = (state.module_status(), state.candidate_status(&sum));
            self.status.write(&state.policy, &findings, module, candidate, sum).await;
        }
    }

    // === workers ===

    /// Tells a cluster's worker what should be; starts one where it is needed.
    fn assign(&self, id: &ClusterId, ended: &mpsc::Sender<ClusterId>) {
        if self.policies.is_none() || self.access.is_none() {
            return;
        }
        self.settings.readiness.set();
        let Some(cluster) = self.clusters.as_ref().and_then(|clusters| clusters.get(id)) else { return };
        let desired = self.desired(Arc::clone(cluster), true);
        if self.workers.update(id, &desired) {
            return;
        }
        let is_held = cluster.finalizers().iter().any(|finalizer| finalizer == FINALIZER);
        let leaves = cluster.metadata.deletion_timestamp.is_some();
        if is_held || !leaves && !matches!(desired.governed, Governed::No) {
            self.workers.start(id.clone(), desired, &self.settings, ended.clone());
        }
    }

    fn desired(&self, cluster: Arc<Cluster>, present: bool) -> Desired {
        let policies = self.policies.as_ref();
        let candidates = policies.into_iter().flat_map(BTreeMap::values).map(|state| &*state.policy);
        let policy = select::policy_for(&cluster, candidates).map(kube::ResourceExt::name_any);
        let state = policy.and_then(|name| policies?.get(&name));
        let governed = match state {
            None => Governed::No,
            Some(state) => match state.governance(&cluster, &self.settings.metrics) {
                Some(governance) => Governed::By(Box::new(governance)),
                None => Governed::NotYet(state.ready().message),
            },
        };
        let id = select::id(&cluster);
        let access = self.access.as_ref().and_then(|known| known.get(&id)).cloned();
        Desired { cluster, present, governed, access }
    }
}

/// Takes in a policy; notes which of its modules have to be loaded.
fn take_in_policy(
    old: Option<PolicyState>,
    policy: DNSPolicy,
    load: &mut Vec<(String, Wanted)>,
) -> PolicyState {
    let name = policy.name_any();
    let policy = Arc::new(policy);
    let (state, wanted) = match old {
        Some(mut state) => {
            let wanted = state.update(policy);
            (state, wanted)
        }
        None => {
            let state = PolicyState::new(policy);
            let wanted = state.first();
            (state, wanted)
        }
    };
    load.extend(wanted.into_iter().map(|wanted| (name.clone(), wanted)));
    state
}

/// A watch of the platform cluster has trouble. It goes on trying, and nothing changes until then.
fn trouble(kind: &str, message: &str) -> Vec<ClusterId> {
    tracing::warn!(
        kind,
        message,
        hint = "are the CRDs installed (openmcp-dns crds), and may this service account list them?",
        "unable to watch the platform cluster"
    );
    Vec::new()
}
