//! Agents on a store in memory, with a recorder that only says who decides.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use openmcp_dns_core::agents::{
    Interval, LINGER, Operation, Outcome, Read, Refusal, Reply, Request, Root, Step,
};
use openmcp_dns_core::cluster::{ClusterFacts, ClusterId};
use openmcp_dns_core::cluster_policy::ClusterModule;
use openmcp_dns_core::kinds::{Fields, Kind, Watched};
use openmcp_dns_core::leadership::{Leader, LeaderKey};
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::objects::Change;
use openmcp_dns_core::policy::{
    CheckedClaim, Context, Denial, Policy, PolicyFailure, ProposedRecordSet, Verdict,
};
use openmcp_dns_gate::Backend as _;
use openmcp_dns_store::{MemoryStore, Store};
use tokio::sync::{broadcast, mpsc, watch};

use super::{Agents, Means};
use crate::journal::{Journal, Occurrence};
use crate::leadership::{Leadership, hold};
use crate::observe::{Observation, ObservationsReceiver, observations};
use crate::record::Command;

/// Denies names that begin with `bad`.
struct Picky;

impl Policy for Picky {
    fn domain_filter(&self, _: &Context) -> Result<String, PolicyFailure> {
        Ok("w1.openmcp.cluster".to_owned())
    }

    fn validate_hostname(
        &self,
        _: &Context,
        _: &HostName,
        claim: &CheckedClaim,
    ) -> Result<Verdict, PolicyFailure> {
        let denial = Denial::new("bad", "a bad name");
        Ok(if claim.host_name.as_str().starts_with("bad") { Verdict::Deny(denial) } else { Verdict::Allow })
    }

    fn name_records(
        &self,
        _: &Context,
        _: &HostName,
        _: &CheckedClaim,
    ) -> Result<Vec<ProposedRecordSet>, PolicyFailure> {
        Ok(Vec::new())
    }
}

/// One life of the service.
struct Life {
    agents: Agents,
    seen: ObservationsReceiver,
    recorded: watch::Sender<Option<BTreeSet<ClusterId>>>,
    noted: broadcast::Receiver<Arc<Occurrence>>,
    _commands: mpsc::Sender<Command>,
}

fn w1() -> ClusterId {
    ClusterId::new("clusters", "w1")
}

fn key() -> LeaderKey {
    LeaderKey::of_platform("uid")
}

impl Life {
    async fn new(store: &Arc<MemoryStore>) -> Self {
        let leadership = Leadership::alone("test".to_owned());
        tokio::spawn(hold(leadership.clone(), Arc::clone(store) as Arc<dyn Store>, key()));
        leadership.fences().wait_for(Option::is_some).await.unwrap();
        let (commands, mut asked) = mpsc::channel(4);
        tokio::spawn(async move {
            let context = Context {
                base_domain: "openmcp.cluster".parse().unwrap(),
                cluster: ClusterFacts { id: w1(), purposes: Vec::new(), labels: BTreeMap::new() },
                configuration: "{}".to_owned(),
                shared_names: Vec::new(),
                shared_suffixes: Vec::new(),
            };
            let context = Arc::new(context);
            while let Some(Command::Deciding(_, answer)) = asked.recv().await {
                let (policy, context) = (Arc::new(Picky), Arc::clone(&context));
                let module = ClusterModule {
                    policy,
                    module_digest: "picky".into(),
                    guards: Arc::default(),
                    context,
                    wildcards: false,
                    ttl: openmcp_dns_core::ttl::TtlBounds::default(),
                    srv_records: false,
                };
                let domain = "w1.openmcp.cluster".parse().unwrap();
                let allowed = module.allowed(domain);
                let _ = answer.send(Some((module, Arc::new(allowed))));
            }
        });
        let (sender, seen) = observations();
        let (recorded, recorded_told) = watch::channel(Some(BTreeSet::from([w1()])));
        let journal = Journal::new(Default::default());
        let noted = journal.subscribe();
        let agents = Agents::new(Means {
            recorded: recorded_told,
            store: Arc::clone(store) as Arc<dyn Store>,
            root: Root::of(&key()),
            leadership,
            commands: commands.downgrade(),
            observations: sender,
            journal,
        });
        Self { agents, seen, recorded, noted, _commands: commands }
    }

    async fn ask(&self, request: impl Into<Request>) -> Result<Reply, Refusal> {
        self.agents.ask(&w1(), 1, request.into()).await
    }

    async fn put(&self, key: &str, value: &str) -> Result<Reply, Refusal> {
        let key = format!("/skydns/cluster/openmcp/{key}").into_bytes();
        self.ask(Operation::Put { key, value: value.into(), previous: false }).await
    }

    async fn put_host(&self, key: &str, target: &str) -> Result<Reply, Refusal> {
        self.put(key, &format!(r#"{{"host":"{target}","targetstrip":1}}"#)).await
    }

    async fn delete(&self, key: &str) -> Result<Reply, Refusal> {
        let interval = Interval::exactly(format!("/skydns/cluster/openmcp/{key}"));
        self.ask(Operation::Delete { interval, previous: false }).await
    }

    async fn keys(&self) -> Vec<String> {
        let reply = self.ask(Operation::Read(everything())).await.unwrap();
        let [Outcome::Read { pairs, .. }] = reply.outcomes.as_slice() else { panic!("{reply:?}") };
        pairs.iter().map(|pair| String::from_utf8_lossy(&pair.key)[24..].to_owned()).collect()
    }

    /// What the recorder is told next: names with their targets, or without any.
    async fn told(&mut self) -> Vec<(String, Vec<String>)> {
        match self.seen.recv().await.observation {
            Observation::Change(Change::Set(object)) => vec![claim(object)],
            Observation::Change(Change::Removed(Kind::ExternalDns, (_, name))) => vec![(name, Vec::new())],
            Observation::Change(Change::Replaced(Kind::ExternalDns, objects)) => {
                objects.into_iter().map(claim).collect()
            }
            other => panic!("{other:?}"),
        }
    }
}

fn everything() -> Read {
    Read { interval: Interval { key: b"/skydns/".to_vec(), end: b"/skydns0".to_vec() }, ..Read::default() }
}

fn claim(object: Watched) -> (String, Vec<String>) {
    let Fields::Endpoints(spec) = object.fields else { panic!("{object:?}") };
    let endpoint = &spec.endpoints[0];
    (endpoint.dns_name.clone(), endpoint.targets.clone())
}

fn says(name: &str, targets: &[&str]) -> Vec<(String, Vec<String>)> {
    vec![(format!("{name}.w1.openmcp.cluster"), targets.iter().map(ToString::to_string).collect())]
}

#[tokio::test]
async fn what_an_agent_writes_is_told_and_kept_for_the_next_life() {
    let store = Arc::<MemoryStore>::default();
    let mut life = Life::new(&store).await;
    life.put_host("w1/web/00000001", "10.0.0.1").await.unwrap();
    assert_eq!(life.told().await, [], "all that there was");
    assert_eq!(life.told().await, says("web", &["10.0.0.1"]));
    life.put_host("w1/web/00000002", "10.0.0.2").await.unwrap();
    assert_eq!(life.told().await, says("web", &["10.0.0.1", "10.0.0.2"]));
    let heritage = r#"{"text":"\"heritage=external-dns,external-dns/owner=w1\"","targetstrip":1}"#;
    life.put("w1/a-web/00000003", heritage).await.unwrap();

    let mut next = Life::new(&store).await;
    assert_eq!(next.keys().await, ["w1/web/00000001", "w1/web/00000002", "w1/a-web/00000003"]);
    assert_eq!(next.told().await, says("web", &["10.0.0.1", "10.0.0.2"]));
    next.delete("w1/web/00000001").await.unwrap();
    assert_eq!(next.keys().await.len(), 2);

    // Somebody else leads meanwhile: what the old one does changes nothing, and it knows that.
    let (_, fence) = store.leader(&key()).await.unwrap();
    store.lead(&fence, &Leader { term: 99, holder: "other".to_owned() }).await.unwrap();
    assert!(matches!(next.put_host("w1/new/00000004", "10.0.0.4").await, Err(Refusal::NotNow(_))));
    assert_eq!(store.kept("openmcp-dns/agents/uid/clusters/w1/keys/").await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_denial_is_told_once_and_then_taken_and_what_lies_outside_never_is() {
    let store = Arc::<MemoryStore>::default();
    let mut life = Life::new(&store).await;
    let told = life.put_host("w1/bad/00000001", "10.0.0.1").await.unwrap_err();
    assert!(matches!(&told, Refusal::Permission(why) if why.contains("bad: a bad name")), "{told}");
    assert!(life.keys().await.is_empty());
    let problems = life.agents.problems(&w1()).await;
    assert_eq!(problems.len(), 1);
    assert_eq!(
        (problems[0].code.as_str(), problems[0].source.to_string().as_str()),
        ("bad", "ExternalDNS//bad.w1.openmcp.cluster")
    );
    // It has begun anew, and made another label.
    life.put_host("w1/bad/00000002", "10.0.0.1").await.unwrap();
    assert_eq!(life.told().await, []);
    assert_eq!(life.told().await, says("bad", &["10.0.0.1"]), "the recorder denies it, and says so");
    assert!(life.agents.problems(&w1()).await.is_empty());

    for _ in 0..3 {
        let outside = life.put_host("w2/web/00000001", "10.0.0.1").await.unwrap_err();
        assert!(matches!(&outside, Refusal::Permission(why) if why.contains("outside-domain")), "{outside}");
    }
    let text = r#"{"text":"hello","targetstrip":1}"#;
    life.put("w1/web/00000003", text).await.unwrap_err();
    life.put("w1/web/00000003", text).await.unwrap();
    assert_eq!(life.keys().await.len(), 2);
    assert_eq!(life.agents.problems(&w1()).await.len(), 1);
    let _ = life.keys().await;
    assert!(
        life.agents.problems(&w1()).await.is_empty(),
        "nothing was refused between two reads of everything"
    );
}

#[tokio::test]
async fn what_is_refused_is_told_and_a_hostile_agent_is_not_told_of_without_end() {
    let store = Arc::<MemoryStore>::default();
    let mut life = Life::new(&store).await;
    let refused = life.put_host("w1/bad/00000001", "10.0.0.1").await.unwrap_err();
    let noted = life.noted.try_recv().unwrap();
    assert!(
        matches!(&*noted, Occurrence::Refused { cluster, refusal } if *cluster == w1() && *refusal == refused),
        "{noted:?}"
    );
    for number in 0..200 {
        life.put_host(&format!("w2/n{number}/00000001"), "10.0.0.1").await.unwrap_err();
        life.put(&format!("w1/n{number}/00000001"), "no JSON").await.unwrap_err();
    }
    let told = std::iter::from_fn(|| life.noted.try_recv().ok()).count();
    assert!((10..30).contains(&told), "{told}");

    // What is no fault of the agent's is told elsewhere.
    let store = Arc::<MemoryStore>::default();
    let mut fenced = Life::new(&store).await;
    let (_, fence) = store.leader(&key()).await.unwrap();
    store.lead(&fence, &Leader { term: 99, holder: "other".to_owned() }).await.unwrap();
    let not_now = fenced.put_host("w1/web/00000001", "10.0.0.1").await.unwrap_err();
    assert!(matches!(not_now, Refusal::NotNow(_)), "{not_now}");
    assert!(fenced.noted.try_recv().is_err());
}

#[tokio::test]
async fn a_target_that_is_written_anew_in_a_moment_was_never_gone() {
    let mut life = Life::new(&Arc::default()).await;
    let following = life.agents.clone();
    let follow = tokio::spawn(async move { following.follow(&w1()).await });
    assert_eq!(life.told().await, []);
    life.put_host("w1/web/00000001", "10.0.0.1").await.unwrap();
    life.put_host("w1/web/00000002", "fd00::1").await.unwrap();
    assert_eq!(life.told().await, says("web", &["10.0.0.1"]));
    assert_eq!(life.told().await, says("web", &["10.0.0.1", "fd00::1"]));
    life.delete("w1/web/00000002").await.unwrap();
    life.put_host("w1/web/00000003", "fd00::1").await.unwrap();
    for _ in 0..3 {
        // Deleted, written, and looked at when the time is over.
        assert_eq!(life.told().await, says("web", &["10.0.0.1", "fd00::1"]));
    }
    let before = std::time::Instant::now();
    life.delete("w1/web/00000001").await.unwrap();
    life.delete("w1/web/00000003").await.unwrap();
    let mut last = life.told().await;
    while !last[0].1.is_empty() {
        last = life.told().await;
    }
    assert!(before.elapsed() >= LINGER - Duration::from_millis(1));
    follow.abort();
}

#[tokio::test]
async fn a_cluster_is_handed_over_when_its_agent_is_done_and_taken_back_when_the_service_is() {
    let store = Arc::<MemoryStore>::default();
    let life = Life::new(&store).await;
    assert_eq!(life.agents.step(&w1(), true).await, Some(Step::Both));
    let _ = life.keys().await;
    life.put_host("w1/web/00000001", "10.0.0.1").await.unwrap();
    assert_eq!(life.agents.step(&w1(), true).await, Some(Step::Both), "it may not be done");
    let mut changes = life.agents.changes(&w1());
    let _ = life.keys().await;
    changes.next().await;
    assert_eq!(life.agents.step(&w1(), true).await, Some(Step::Agent));

    let life = Life::new(&store).await;
    assert_eq!(life.agents.step(&w1(), false).await, Some(Step::Agent), "the store knows");
    life.recorded.send_replace(Some(BTreeSet::new()));
    assert!(matches!(life.delete("w1/web/00000001").await, Err(Refusal::Permission(_))));
    assert_eq!(life.agents.step(&w1(), false).await, Some(Step::Both));
    assert_eq!(store.kept("openmcp-dns/agents/").await.unwrap().len(), 2);
    assert_eq!(life.agents.step(&w1(), true).await, Some(Step::Native));
    assert_eq!(store.kept("openmcp-dns/agents/").await.unwrap(), []);
}

#[tokio::test]
async fn nothing_is_left_of_a_cluster_that_leaves() {
    let store = Arc::<MemoryStore>::default();
    let mut life = Life::new(&store).await;
    for number in 0..300 {
        life.put_host(&format!("w1/n{number}/00000001"), "10.0.0.1").await.unwrap();
        // Nobody else takes it.
        let _ = life.told().await;
    }
    assert!(life.agents.forget(&w1()).await);
    assert_eq!(store.kept("openmcp-dns/agents/").await.unwrap(), []);
}
