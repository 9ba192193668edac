//! A landscape in memory, and what people see of it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use k8s_openapi::jiff::{SignedDuration, Timestamp};
use openmcp_dns_api::conditions::DutyName;
use openmcp_dns_core::leadership::LeaderKey;
use openmcp_dns_core::skydns::Prefix;
use openmcp_dns_kube_memory::{Server, Verb};
use openmcp_dns_modules::SourceOptions;
use openmcp_dns_modules::remote::UntrustedHttp;
use openmcp_dns_policy::{Engine, Limits};
use openmcp_dns_server::{Records, Server as DnsServer};
use openmcp_dns_service::api_client::limited;
use openmcp_dns_service::inventory::Access;
use openmcp_dns_service::journal::Journal;
use openmcp_dns_service::leadership::Leadership;
use openmcp_dns_service::metrics::{Metrics, MetricsServer, Readiness};
use openmcp_dns_service::probe::Pace;
use openmcp_dns_service::run::{Budget, Ended, LeavingBounds, Service, run};
use openmcp_dns_service::serve::feed;
use openmcp_dns_store::MemoryStore;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::access::GivenAccess;
use crate::faulty_store::FaultyStore;
use crate::held::Held;
use crate::objects::{
    CLUSTER, CLUSTER_DNS, CLUSTERS, CONFIG, CONFIG_MAP, COREFILE, DEPLOYMENT, DNS_POLICY, DNS_SERVICE_CONFIG,
    EVENT, GATEWAY, HTTP_ROUTE, POLICY, SERVICE, ZONE, cluster, coredns, policy,
};

/// How long anything may take. All of it takes milliseconds, or the few seconds of a retry, unless the
/// machine is busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// A landscape: platform, clusters, store, central DNS server, and the service, which can be stopped.
pub(crate) struct World {
    pub(crate) platform: Server,
    pub(crate) access: Arc<GivenAccess>,
    pub(crate) store: Arc<MemoryStore>,
    /// The same, as the service reaches it.
    pub(crate) faulty_store: Arc<FaultyStore>,
    central: SocketAddr,
    /// How long a `Cluster` that is deleted may be held.
    pub(crate) leaving: LeavingBounds,
    /// What the store holds.
    held: Arc<Mutex<Held>>,
    metrics_address: SocketAddr,
    running: Option<(CancellationToken, JoinHandle<Result<(), Ended>>)>,
    readiness: Readiness,
    metrics: Metrics,
}

/// A reverse zone that the central DNS answers for, too.
pub(crate) const REVERSE_ZONE: &str = "0.0.10.in-addr.arpa";

impl World {
    /// A landscape without clusters and policies, and a service that has not been started.
    pub(crate) async fn empty() -> Self {
        let platform = server("platform");
        for kind in [CLUSTER, CLUSTER_DNS, DNS_POLICY, DNS_SERVICE_CONFIG] {
            platform.register(kind.resource(), None);
        }
        let faulty_store = Arc::new(FaultyStore::default());
        let store = Arc::clone(&faulty_store.memory);
        let records = Records::new(ZONE.parse().unwrap(), Prefix::default());
        records.add_zone(&REVERSE_ZONE.parse().unwrap());
        let dns = DnsServer::bind("127.0.0.1:0".parse().unwrap(), records.clone()).await.unwrap();
        let central = dns.local_addr();
        tokio::spawn(dns.run(std::future::pending()));
        let held = Arc::new(Mutex::new(Held::default()));
        let followed: Arc<dyn openmcp_dns_store::Store> = store.clone();
        let seen = Arc::clone(&held);
        tokio::spawn(feed(followed, records, move |event| seen.lock().unwrap().take_over(event)));
        let (metrics, readiness) = (Metrics::default(), Readiness::default());
        let metrics_server =
            MetricsServer::bind("127.0.0.1:0".parse().unwrap(), metrics.clone(), readiness.clone())
                .await
                .unwrap();
        let metrics_address = metrics_server.local_addr().unwrap();
        tokio::spawn(metrics_server.run());
        let access = Arc::new(GivenAccess::default());
        let running = None;
        Self {
            platform,
            access,
            store,
            faulty_store,
            central,
            leaving: LeavingBounds::default(),
            held,
            metrics_address,
            running,
            readiness,
            metrics,
        }
    }

    /// A landscape of a policy and one cluster `w1`, with a running service.
    pub(crate) async fn with_one_cluster() -> (Self, Server) {
        Self::empty().await.and_one_cluster()
    }

    fn and_one_cluster(mut self) -> (Self, Server) {
        self.platform.put(policy(POLICY, json!({}))).unwrap();
        let w1 = self.add_cluster("w1");
        self.start();
        (self, w1)
    }

    /// The same, and this Ingress is published; all that is to be said of it has been said.
    pub(crate) async fn with_ingress(host_names: &[&str]) -> (Self, Server) {
        Self::empty().await.and_ingress(host_names).await
    }

    /// The same, of a landscape that is empty yet.
    pub(crate) async fn and_ingress(self, host_names: &[&str]) -> (Self, Server) {
        let (world, w1) = self.and_one_cluster();
        w1.put(crate::objects::ingress("web", host_names, "10.0.0.1")).unwrap();
        for host_name in host_names {
            world.published(host_name, &["10.0.0.1"]).await;
        }
        world.all_is_well("w1").await;
        let probed = format!("{} names are answered as decided", host_names.len());
        let is_said =
            |status: &Value| status["published"] == host_names.len() && message(status, "Probed") == probed;
        world.status_is("w1", "all names are counted", is_said).await;
        (world, w1)
    }

    /// A cluster comes, with access to it.
    pub(crate) fn add_cluster(&self, name: &str) -> Server {
        self.add_cluster_with(name, json!({}))
    }

    pub(crate) fn add_cluster_with(&self, name: &str, metadata: Value) -> Server {
        let server = self.cluster_server(name);
        self.add_closed_cluster(name, metadata);
        self.access.grant(name, Access::by_client(name, limited(server.client()), 1));
        server
    }

    /// A cluster comes that nobody lets the service into; its DNS forwards the zone.
    pub(crate) fn add_closed_cluster(&self, name: &str, mut metadata: Value) {
        metadata["annotations"]["dns.openmcp.cloud/cluster-dns-address"] = json!(self.central.to_string());
        self.platform.put(cluster(name, metadata)).unwrap();
    }

    /// The API server of a cluster that nobody knows of yet.
    pub(crate) fn cluster_server(&self, name: &str) -> Server {
        let server = server(name);
        for kind in [GATEWAY, HTTP_ROUTE, SERVICE, DEPLOYMENT] {
            server.register(kind.resource(), None);
        }
        server.put(coredns(COREFILE)).unwrap();
        server
    }

    /// Starts the service.
    pub(crate) fn start(&mut self) {
        self.access.say_something();
        self.start_without_access();
    }

    /// Starts the service, and the inventory says nothing until the first access is granted.
    pub(crate) fn start_without_access(&mut self) {
        let service = self.own_service();
        self.start_service(service);
    }

    /// The service that [`World::start`] starts.
    pub(crate) fn own_service(&self) -> Service {
        let (metrics, readiness) = (self.metrics.clone(), self.readiness.clone());
        let leadership = Leadership::alone("test".to_owned());
        self.service(limited(self.platform.client()), leadership, metrics, readiness)
    }

    pub(crate) fn start_service(&mut self, service: Service) {
        let cancel = CancellationToken::new();
        self.running = Some((cancel.clone(), tokio::spawn(run(service, cancel))));
    }

    /// A service of this landscape.
    pub(crate) fn service(
        &self,
        platform: kube::Client,
        leadership: Leadership,
        metrics: Metrics,
        readiness: Readiness,
    ) -> Service {
        Service {
            platform,
            statuses: Budget::default(),
            inventory: self.access.clone(),
            leadership,
            leader_key: LeaderKey::of_platform("test"),
            store: self.faulty_store.clone(),
            prefix: Prefix::default(),
            engine: engine(),
            sources: SourceOptions {
                untrusted_http: UntrustedHttp::new(Vec::new()),
                allow_files: true,
                tag_check: Duration::from_secs(300),
            },
            upstreams: tokio::sync::watch::channel(vec![self.central]).1,
            config_name: Some(CONFIG.to_owned()),
            take_back_after: Duration::from_secs(2),
            leaving: self.leaving,
            decision_log: None,
            page: None,
            enrolment: None,
            own_image: "openmcp-dns:test".to_owned(),
            deployer: None,
            gate: None,
            pace: Pace::default(),
            wildcards: false,
            journal: Journal::new(metrics.clone()),
            metrics,
            readiness,
        }
    }

    /// Ends the service, and waits until it has ended.
    pub(crate) async fn stop(&mut self) {
        let (cancel, ended) = self.running.take().unwrap();
        cancel.cancel();
        ended.await.unwrap().unwrap();
    }

    /// Waits until the service has ended by itself, and gives why.
    pub(crate) async fn failed(&mut self) -> String {
        let (_, ended) = self.running.take().unwrap();
        ended.await.unwrap().unwrap_err().to_string()
    }

    /// Whether the service says that it is ready.
    pub(crate) async fn is_ready(&self) -> bool {
        self.says_ok("/readyz").await
    }

    /// Whether the service says that it lives.
    pub(crate) async fn lives(&self) -> bool {
        self.says_ok("/healthz").await
    }

    /// What is measured.
    pub(crate) async fn metrics(&self) -> String {
        self.get("/metrics").await
    }

    async fn says_ok(&self, path: &str) -> bool {
        self.get(path).await.starts_with("HTTP/1.1 200")
    }

    async fn get(&self, path: &str) -> String {
        let mut stream = tokio::net::TcpStream::connect(self.metrics_address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    /// All names that the store holds, with their values.
    pub(crate) fn names(&self) -> BTreeMap<String, BTreeSet<String>> {
        self.held.lock().unwrap().names()
    }

    pub(crate) fn holds(&self, host_name: &str) -> bool {
        self.names().contains_key(host_name)
    }

    /// How many transactions have changed records.
    pub(crate) fn transactions(&self) -> usize {
        self.held.lock().unwrap().transactions
    }

    /// Waits until a name has exactly these values; none: until it is gone.
    pub(crate) async fn published(&self, host_name: &str, values: &[&str]) {
        let expected: BTreeSet<String> = values.iter().map(|value| (*value).to_owned()).collect();
        eventually(&format!("{host_name} has the values {values:?}"), || {
            let names = self.names();
            let found = names.get(host_name).cloned().unwrap_or_default();
            if found == expected { Ok(()) } else { Err(format!("{names:?}; {}", self.told())) }
        })
        .await;
    }

    pub(crate) fn cluster(&self, name: &str) -> Option<Value> {
        CLUSTER.get(&self.platform, CLUSTERS, name)
    }

    pub(crate) fn annotation(&self, cluster: &str, key: &str) -> Option<String> {
        Some(self.cluster(cluster)?["metadata"]["annotations"][key].as_str()?.to_owned())
    }

    /// Whether our finalizer stands on the `Cluster`.
    pub(crate) fn is_held(&self, cluster: &str) -> bool {
        let cluster = self.cluster(cluster).unwrap_or_default();
        let finalizers = cluster["metadata"]["finalizers"].as_array().cloned().unwrap_or_default();
        finalizers.contains(&json!(openmcp_dns_api::FINALIZER))
    }

    /// A person changes the `Cluster`.
    pub(crate) async fn change_cluster(&self, name: &str, patch: Value) {
        CLUSTER.merge(&self.platform, CLUSTERS, name, &patch).await;
    }

    /// A person changes the spec of a policy.
    pub(crate) async fn change_policy(&self, name: &str, spec: Value) {
        DNS_POLICY.merge(&self.platform, "", name, &json!({ "spec": spec })).await;
    }

    /// What `ClusterDNS` says; null while there is none.
    pub(crate) fn status(&self, cluster: &str) -> Value {
        let object = CLUSTER_DNS.get(&self.platform, CLUSTERS, cluster).unwrap_or_default();
        object["status"].clone()
    }

    /// What a policy's status says.
    pub(crate) fn policy_status(&self, policy: &str) -> Value {
        let object = DNS_POLICY.get(&self.platform, "", policy).unwrap_or_default();
        object["status"].clone()
    }

    /// Waits until a condition of a cluster has this status and reason; gives its message.
    pub(crate) async fn condition(
        &self,
        cluster: &str,
        condition: &str,
        status: &str,
        reason: &str,
    ) -> String {
        let what = format!("{condition} of {cluster} is {status} with {reason}");
        eventually(&what, || is(&self.status(cluster), condition, status, reason)).await
    }

    /// The same for a policy.
    pub(crate) async fn policy_condition(
        &self,
        name: &str,
        condition: &str,
        status: &str,
        reason: &str,
    ) -> String {
        let what = format!("{condition} of policy {name} is {status} with {reason}");
        eventually(&what, || is(&self.policy_status(name), condition, status, reason)).await
    }

    /// Waits until all conditions of a cluster are good.
    pub(crate) async fn all_is_well(&self, cluster: &str) {
        eventually(&format!("all conditions of {cluster} are True"), || {
            let status = self.status(cluster);
            let all = status["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
            // One for each duty, and what they come to.
            let is_well = all.len() == DutyName::ALL.len() + 1
                && all.iter().all(|condition| condition["status"] == "True");
            if is_well { Ok(()) } else { Err(format!("{status:#}")) }
        })
        .await;
    }

    /// Waits until something is true of the status of a cluster.
    pub(crate) async fn status_is(&self, cluster: &str, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        eventually(what, || {
            let status = self.status(cluster);
            if is(&status) { Ok(status) } else { Err(format!("{status:#}")) }
        })
        .await
    }

    /// The same of a policy.
    pub(crate) async fn policy_status_is(
        &self,
        policy: &str,
        what: &str,
        is: impl Fn(&Value) -> bool,
    ) -> Value {
        eventually(what, || {
            let status = self.policy_status(policy);
            if is(&status) { Ok(status) } else { Err(format!("{status:#}")) }
        })
        .await
    }

    /// What the service says of everything, for who looks for the reason of a failure.
    fn told(&self) -> String {
        let said = [CLUSTER_DNS, DNS_POLICY].map(|kind| {
            let all = kind.list(&self.platform);
            let status: Vec<Value> = all.iter().map(|object| object["status"].clone()).collect();
            format!("{status:?}")
        });
        said.join("; ")
    }
}

/// Waits until what is looked for is there; says what was seen last when it does not come.
pub(crate) async fn eventually<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let start = tokio::time::Instant::now();
    loop {
        match look() {
            Ok(found) => return found,
            Err(seen) => assert!(start.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}; seen: {seen}"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The same for what is only true or not.
pub(crate) async fn until(what: &str, mut look: impl FnMut() -> bool) {
    eventually(what, || if look() { Ok(()) } else { Err("it is not so".to_owned()) }).await;
}

/// The Corefile of a cluster.
pub(crate) fn corefile(server: &Server) -> String {
    let config_map = CONFIG_MAP.get(server, "kube-system", "coredns").unwrap_or_default();
    text(&config_map["data"]["Corefile"])
}

/// Whether the Corefile forwards the zone.
pub(crate) fn forwards(server: &Server) -> bool {
    corefile(server).contains(ZONE)
}

/// Events of a cluster with this reason.
pub(crate) fn events(server: &Server, reason: &str) -> Vec<Value> {
    EVENT.list(server).into_iter().filter(|event| event["reason"] == reason).collect()
}

/// How many requests have wanted this.
pub(crate) fn requests(server: &Server, verb: Verb, subject: &str) -> u64 {
    server.requests().get(&(verb, subject.to_owned())).copied().unwrap_or_default()
}

/// What was asked to be changed, without the status that the service writes.
pub(crate) fn changes_beside_the_status(server: &Server) -> Vec<(Verb, String)> {
    let asked = server.requests().into_keys();
    asked.filter(|(verb, subject)| verb.writes() && !subject.ends_with("/status")).collect()
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The transition time of a condition.
pub(crate) fn transition(status: &Value, condition: &str) -> String {
    text(&condition_of(status, condition)["lastTransitionTime"])
}

pub(crate) fn message(status: &Value, condition: &str) -> String {
    text(&condition_of(status, condition)["message"])
}

/// One condition of a status; null while there is none.
fn condition_of(status: &Value, condition: &str) -> Value {
    let all = status["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter().find(|found| found["type"] == condition).cloned().unwrap_or_default()
}

fn is(object_status: &Value, condition: &str, status: &str, reason: &str) -> Result<String, String> {
    let said = condition_of(object_status, condition);
    if said["status"] == status && said["reason"] == reason {
        Ok(text(&said["message"]))
    } else {
        Err(format!("{object_status:#}"))
    }
}

/// One engine for all scenarios: it sets much memory aside.
fn engine() -> Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::new(Limits::default()).unwrap()).clone()
}

/// A server whose every look at the clock is a second later, so that of two objects one is older.
fn server(name: &str) -> Server {
    let second = AtomicI64::new(0);
    let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    Server::with_clock(name, move || {
        start + SignedDuration::from_secs(second.fetch_add(1, Ordering::Relaxed))
    })
}
