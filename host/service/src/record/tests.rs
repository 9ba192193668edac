//! The recorder on a store in memory, with policies that do as they are told.

use openmcp_dns_core::cluster_policy::{ClusterModule, ClusterPolicy};
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use openmcp_dns_core::cluster::{ClusterFacts, ClusterId};
use openmcp_dns_core::deletion_guard::DeletionLimits;
use openmcp_dns_core::kinds::{Kind, Watched};
use openmcp_dns_core::limits::Limits;
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::objects::Change;
use openmcp_dns_core::policy::{
    CheckedClaim, Context, Denial, Policy, PolicyFailure, ProposedRecordSet, Verdict,
};
use openmcp_dns_core::record::RecordType;
use openmcp_dns_core::skydns::Prefix;
use tokio::sync::{mpsc, oneshot};

use crate::leadership::{Leadership, hold};
use crate::observe::{Observation, Observations, observations};
use crate::record::{Command, Options, Received, Recorder, Report, Summary};
use crate::tasks::Tasks;
use openmcp_dns_core::leadership::LeaderKey;
use openmcp_dns_store::{MemoryStore, Store, read_once};

/// A policy whose answers are held back until the gate opens.
#[derive(Default)]
struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.opened.notify_all();
    }

    fn pass(&self) {
        let open = self.open.lock().unwrap();
        drop(self.opened.wait_while(open, |open| !*open).unwrap());
    }
}

/// Gives each cluster its name as its domain, denies names with a prefix, and records addresses.
#[derive(Clone, Default)]
struct Denies {
    prefix: Option<&'static str>,
    gate: Option<Arc<Gate>>,
}

impl Policy for Denies {
    fn domain_filter(&self, context: &Context) -> Result<String, PolicyFailure> {
        Ok(format!("{}.{}", context.cluster.id.name, context.base_domain))
    }

    fn validate_hostname(
        &self,
        _: &Context,
        _: &HostName,
        claim: &CheckedClaim,
    ) -> Result<Verdict, PolicyFailure> {
        if let Some(gate) = &self.gate {
            gate.pass();
        }
        let denied = self.prefix.is_some_and(|prefix| claim.host_name.as_str().starts_with(prefix));
        let denial = || Denial::new("prefix", "");
        Ok(if denied { Verdict::Deny(denial()) } else { Verdict::Allow })
    }

    fn name_records(
        &self,
        _: &Context,
        _: &HostName,
        claim: &CheckedClaim,
    ) -> Result<Vec<ProposedRecordSet>, PolicyFailure> {
        Ok(vec![ProposedRecordSet {
            name: claim.host_name.to_string(),
            record_type: RecordType::A,
            ttl_seconds: 60,
            values: claim.targets.clone(),
        }])
    }
}

/// A running recorder.
struct Running {
    store: Arc<MemoryStore>,
    commands: mpsc::Sender<Command>,
    observations: Observations,
}

fn id(cluster: &str) -> ClusterId {
    ClusterId::new("default", cluster)
}

fn module(cluster: &str, policy: &Denies) -> ClusterModule {
    let digest = format!("{:?} {}", policy.prefix, policy.gate.is_some());
    ClusterModule {
        policy: Arc::new(policy.clone()),
        module_digest: digest.into(),
        guards: Arc::default(),
        context: Arc::new(Context {
            base_domain: "openmcp.cluster".parse().unwrap(),
            cluster: ClusterFacts { id: id(cluster), purposes: Vec::new(), labels: BTreeMap::new() },
            configuration: "{}".to_owned(),
            shared_names: Vec::new(),
            shared_suffixes: Vec::new(),
        }),
        wildcards: false,
        ttl: openmcp_dns_core::ttl::TtlBounds::default(),
        srv_records: false,
    }
}

impl Running {
    fn start(store: &Arc<MemoryStore>) -> Self {
        let (reports, mut told) = mpsc::channel::<Report>(16);
        tokio::spawn(async move { while told.recv().await.is_some() {} });
        let (commands, received_commands) = mpsc::channel(16);
        let (observations, received) = observations();
        let kept: Arc<dyn Store> = store.clone();
        let (events_sender, events) = mpsc::channel(16);
        let followed = Arc::clone(&kept);
        tokio::spawn(async move { followed.follow(events_sender).await });
        let leadership = Leadership::alone("test".to_owned());
        let key = LeaderKey::of_platform("test");
        tokio::spawn(hold(leadership.clone(), Arc::clone(&kept), key));
        let options = Options {
            prefix: Prefix::default(),
            reports,
            leadership,
            tasks: Tasks::new().0,
            tells_decisions: false,
        };
        let recorder = Recorder::new(kept, options);
        let received = Received { commands: received_commands, observations: received };
        tokio::spawn(recorder.run(received, events));
        Self { store: Arc::clone(store), commands, observations }
    }

    /// Puts a cluster under a policy of its own, and waits until the recorder knows it.
    async fn govern(&self, cluster: &str, policy: &Denies, candidate: Option<&Denies>) {
        self.send_policy(cluster, policy, candidate).await;
        self.summary(cluster).await;
    }

    async fn send_policy(&self, cluster: &str, policy: &Denies, candidate: Option<&Denies>) {
        let policy = ClusterPolicy {
            policy_name: format!("of-{cluster}"),
            module: module(cluster, policy),
            candidate: candidate.map(|candidate| module(cluster, candidate)),
            sources: Arc::default(),
            limits: Limits::default(),
            networks: Arc::default(),
            precedence: openmcp_dns_core::precedence::Precedence::default(),
            route_status: true,
            open_reports: true,
            deletion_limits: DeletionLimits { share_percent: 30, free_names: 2 },
            hold: Duration::from_secs(600),
            created_unix_seconds: 0,
        };
        self.commands.send(Command::Govern(id(cluster), Box::new(policy))).await.unwrap();
    }

    /// These are all Ingresses of a cluster.
    async fn list(&self, cluster: &str, labels: &[&str]) {
        let ingress = |label: &&str| {
            let ingress = serde_json::json!({
                "metadata": { "name": label, "namespace": "default", "uid": label },
                "spec": { "rules": [{ "host": format!("{label}.{cluster}.openmcp.cluster") }] },
                "status": { "loadBalancer": { "ingress": [{ "ip": "10.0.0.1" }] } },
            });
            Watched::from_json(Kind::Ingress, ingress).unwrap()
        };
        let change = Change::Replaced(Kind::Ingress, labels.iter().map(ingress).collect());
        self.observations.send((id(cluster), Observation::Change(change))).await.unwrap();
    }

    /// These are all objects of the other kinds: a Gateway with routes.
    fn routed(cluster: &str, labels: &[&str]) -> Vec<Change> {
        let gateway = serde_json::json!({
            "metadata": { "name": "gateway", "namespace": "default", "uid": "g" },
            "spec": { "listeners": [{ "name": "http", "port": 80, "protocol": "HTTP" }] },
            "status": { "addresses": [{ "value": "10.0.0.2" }] },
        });
        let gateway = Watched::from_json(Kind::Gateway, gateway).unwrap();
        let route = |label: &&str| {
            let parent = serde_json::json!({ "name": "gateway" });
            let route = serde_json::json!({
                "metadata": { "name": label, "namespace": "default", "uid": label },
                "spec": { "hostnames": [format!("{label}.{cluster}.openmcp.cluster")], "parentRefs": [parent] },
                "status": { "parents": [{
                    "parentRef": parent,
                    "conditions": [{ "type": "Accepted", "status": "True" }],
                }] },
            });
            Watched::from_json(Kind::HttpRoute, route).unwrap()
        };
        let objects = |kind| match kind {
            Kind::Gateway => vec![gateway.clone()],
            Kind::HttpRoute => labels.iter().map(route).collect(),
            _ => Vec::new(),
        };
        Kind::ALL.into_iter().map(|kind| Change::Replaced(kind, objects(kind))).collect()
    }

    async fn observe(&self, cluster: &str, change: Change) {
        self.observations.send((id(cluster), Observation::Change(change))).await.unwrap();
    }

    async fn summary(&self, cluster: &str) -> Summary {
        let (sender, answer) = oneshot::channel();
        self.commands.send(Command::Summarise(id(cluster), sender)).await.unwrap();
        answer.await.unwrap()
    }

    /// Waits until a cluster's summary is as it should be.
    async fn wait(&self, cluster: &str, is_so: impl Fn(&Summary) -> bool) -> Summary {
        for _ in 0..1000 {
            let summary = self.summary(cluster).await;
            if is_so(&summary) {
                return summary;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("after 10 seconds: {:#?}", self.summary(cluster).await);
    }

    async fn published(&self, cluster: &str, count: usize) {
        self.wait(cluster, |summary| summary.published == count && summary.pending == 0).await;
    }

    /// Revision of the store and how many keys it holds.
    async fn stored(&self) -> (i64, usize) {
        let store: Arc<dyn Store> = self.store.clone();
        let (revision, entries) = read_once(store).await.unwrap();
        (revision, entries.len())
    }
}

const MANY: [&str; 10] = ["a", "b", "c", "d", "e", "evil-1", "evil-2", "evil-3", "evil-4", "evil-5"];

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_does_not_answer_holds_up_no_other() {
    let running = Running::start(&Arc::default());
    let gate = Arc::new(Gate::default());
    let slow = Denies { gate: Some(Arc::clone(&gate)), ..Denies::default() };
    running.govern("slow", &slow, None).await;
    running.govern("fast", &Denies::default(), None).await;
    running.list("slow", &MANY).await;
    running.list("fast", &MANY).await;
    running.published("fast", MANY.len()).await;
    let waiting = running.summary("slow").await;
    assert_eq!((waiting.published, waiting.undecided), (0, 0));
    assert!(waiting.pending >= MANY.len(), "{waiting:#?}");
    gate.open();
    running.published("slow", MANY.len()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_published_stays_while_a_module_is_asked_after_a_restart() {
    let store: Arc<MemoryStore> = Arc::default();
    let running = Running::start(&store);
    running.govern("w1", &Denies::default(), None).await;
    running.list("w1", &MANY).await;
    running.published("w1", MANY.len()).await;
    let before = running.stored().await;
    drop(running);

    let running = Running::start(&store);
    let gate = Arc::new(Gate::default());
    running.govern("w1", &Denies { gate: Some(Arc::clone(&gate)), ..Denies::default() }, None).await;
    running.list("w1", &MANY).await;
    running.wait("w1", |summary| summary.pending >= MANY.len()).await;
    assert_eq!(running.stored().await, before);
    gate.open();
    running.published("w1", MANY.len()).await;
    assert_eq!(running.stored().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_candidate_is_compared_and_decides_nothing() {
    let running = Running::start(&Arc::default());
    let candidate = Denies { prefix: Some("evil"), ..Denies::default() };
    running.govern("w1", &Denies::default(), Some(&candidate)).await;
    running.list("w1", &MANY).await;
    running.published("w1", MANY.len()).await;
    let complete = |summary: &Summary| {
        summary.comparison.as_ref().is_some_and(|comparison| comparison.complete && comparison.compared > 0)
    };
    let comparison = running.wait("w1", complete).await.comparison.unwrap();
    assert_eq!((comparison.compared, comparison.differing), (10, 5));
    let first = &comparison.first[0];
    assert_eq!((first.host_name.as_str(), first.change), ("evil-1.w1.openmcp.cluster", "newly denied"));
    assert_eq!(first.active, "evil-1.w1.openmcp.cluster 60 A 10.0.0.1");

    // It follows what changes.
    running.list("w1", &MANY[..6]).await;
    let one =
        |summary: &Summary| summary.comparison.as_ref().is_some_and(|comparison| comparison.differing == 1);
    assert_eq!(running.wait("w1", one).await.comparison.unwrap().compared, 6);

    // A candidate that hangs keeps nobody waiting, and one that is gone leaves nothing behind.
    let gate = Arc::new(Gate::default());
    let hangs = Denies { gate: Some(Arc::clone(&gate)), ..Denies::default() };
    running.govern("w1", &Denies::default(), Some(&hangs)).await;
    running.list("w1", &MANY).await;
    running.published("w1", MANY.len()).await;
    running.govern("w1", &Denies::default(), None).await;
    assert_eq!(running.summary("w1").await.comparison, None);
    gate.open();
}

/// Whatever comes first after a restart: a list, an answer, or the swap to another module.
#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_is_swapped_right_after_a_restart_withdraws_only_what_it_denies() {
    let store: Arc<MemoryStore> = Arc::default();
    let running = Running::start(&store);
    running.govern("w1", &Denies::default(), None).await;
    for change in Running::routed("w1", &MANY) {
        running.observe("w1", change).await;
    }
    running.published("w1", MANY.len()).await;
    let before = running.stored().await;
    drop(running);
    let denies_one = Denies { prefix: Some("evil-1"), ..Denies::default() };
    for round in 0..200 {
        let running = Running::start(&store);
        running.govern("w1", &Denies::default(), None).await;
        let mut changes = Running::routed("w1", &MANY);
        fastrand::shuffle(&mut changes);
        for (number, change) in changes.into_iter().enumerate() {
            if number == round % 5 {
                running.send_policy("w1", &denies_one, None).await;
            }
            running.observe("w1", change).await;
            if fastrand::bool() {
                running.summary("w1").await;
            }
        }
        running.send_policy("w1", &denies_one, None).await;
        let all_listed = |summary: &Summary| {
            summary.watches.len() == Kind::watched().count() && summary.published == MANY.len() - 1
        };
        let summary = running.wait("w1", |summary| all_listed(summary) && summary.pending == 0).await;
        assert_eq!((summary.held, summary.denied), (None, 1), "round {round}");
        assert_eq!(running.stored().await.1, before.1 - 1, "round {round}");
        // And back, for the next round.
        running.govern("w1", &Denies::default(), None).await;
        running.published("w1", MANY.len()).await;
    }
}
