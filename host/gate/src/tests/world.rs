//! A gate with two agents: one that is attacked, and one that attacks.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use openmcp_dns_core::agents::{Draft, Edit, KeySpace, Meaning, Refusal, Reply, Request};
use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::name::HostName;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::certificates::{Authority, Signed, Use};
use super::client::{Client, Way};
use crate::messages::{KeyValue, PutRequest, PutResponse, RangeRequest, RangeResponse};
use crate::{Agents, Backend, Credentials, Gate, Inputs, Visits};

/// What only the victim may know.
pub(super) const SECRET: &str = "10.20.30.40";
pub(super) const VICTIM_KEY: &str = "/skydns/example/victim/web/3dc2be40";
pub(super) const OWN_KEY: &str = "/skydns/example/attacker/web/00000001";

pub(super) const BOTH: &[&rustls::SupportedProtocolVersion] =
    &[&rustls::version::TLS13, &rustls::version::TLS12];

/// Each cluster may publish below `<its name>.example`.
#[derive(Default)]
struct Memory(Mutex<HashMap<ClusterId, KeySpace>>);

#[async_trait]
impl Backend for Memory {
    async fn ask(&self, cluster: &ClusterId, _: u64, request: Request) -> Result<Reply, Refusal> {
        let mut spaces = self.0.lock().unwrap();
        let space = spaces.entry(cluster.clone()).or_insert_with(|| KeySpace::of([]));
        let Draft { reply, edits } = space.draft(&request)?;
        let domain: HostName = format!("{}.example", cluster.name).parse().unwrap();
        for Edit { written, .. } in &edits {
            if let Some((_, Meaning::Host { name, .. })) = written
                && !name.is_within(&domain)
            {
                return Err(Refusal::Permission(format!("{name} is not within {domain}")));
            }
        }
        space.take(edits);
        Ok(reply)
    }
}

pub(super) struct World {
    pub(super) gate: SocketAddr,
    pub(super) authority: Authority,
    pub(super) agents: watch::Sender<Agents>,
    pub(super) credentials: watch::Sender<Option<Credentials>>,
    pub(super) visits: Visits,
    victim: Client,
    pub(super) attacker_certificate: Arc<Signed>,
    pub(super) victim_certificate: Arc<Signed>,
}

pub(super) fn credentials(authority: &Authority, trusted: &str) -> Credentials {
    let Signed { certificate, key } = authority.sign("gate", Use::Server);
    Credentials { certificate: certificate.into(), key: key.into(), authorities: trusted.into() }
}

pub(super) fn put(key: &str, target: &str) -> PutRequest {
    let value = format!(r#"{{"host":"{target}","targetstrip":1}}"#).into_bytes();
    PutRequest { key: key.into(), value, ..PutRequest::default() }
}

pub(super) fn everything() -> RangeRequest {
    RangeRequest { key: vec![0], range_end: vec![0], ..RangeRequest::default() }
}

impl World {
    pub(super) async fn new() -> Self {
        let authority = Authority::new("agents");
        let [victim, attacker] =
            ["victim", "attacker"].map(|name| Arc::new(authority.sign(name, Use::Client)));
        let cluster = |name: &str| ClusterId::new("clusters", name);
        let agents =
            [(victim.fingerprint(), cluster("victim")), (attacker.fingerprint(), cluster("attacker"))];
        let (agents, agents_told) = watch::channel(Agents::from(agents));
        let credentials = credentials(&authority, &authority.pem);
        let (credentials, credentials_told) = watch::channel(Some(credentials));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let gate = listener.local_addr().unwrap();
        let visits = Visits::default();
        let inputs = Inputs { credentials: credentials_told, agents: agents_told, visits: visits.clone() };
        tokio::spawn(Gate::new(inputs, Arc::new(Memory::default())).serve(listener));
        let way = Way {
            gate,
            from: 1,
            authority: authority.pem.clone(),
            certificate: Some(Arc::clone(&victim)),
            versions: BOTH,
            alpn: b"h2",
        };
        let client = way.connect().await.unwrap();
        let written: PutResponse = client.kv("Put", &put(VICTIM_KEY, SECRET)).await.unwrap().answer.unwrap();
        assert_eq!(written.header.unwrap().revision, 2);
        Self {
            gate,
            authority,
            agents,
            credentials,
            visits,
            victim: client,
            attacker_certificate: attacker,
            victim_certificate: victim,
        }
    }

    /// How somebody with this certificate comes; attackers come from another address than the victim.
    pub(super) fn way(&self, certificate: Option<Arc<Signed>>) -> Way {
        Way {
            gate: self.gate,
            from: 2,
            authority: self.authority.pem.clone(),
            certificate,
            versions: BOTH,
            alpn: b"h2",
        }
    }

    pub(super) async fn attacker(&self) -> Client {
        self.way(Some(Arc::clone(&self.attacker_certificate))).connect().await.unwrap()
    }

    /// The victim has what it had, nothing else, and is answered: on its old connection, and on a new one.
    pub(super) async fn victim_is_well(&self, after: &str) {
        let mut way = self.way(Some(Arc::clone(&self.victim_certificate)));
        way.from = 1;
        let new = way.connect().await.unwrap();
        for client in [&self.victim, &new] {
            let answer = client.kv::<RangeResponse>("Range", &everything()).await.unwrap().answer.unwrap();
            let keys: Vec<&[u8]> = answer.kvs.iter().map(|KeyValue { key, .. }| key.as_slice()).collect();
            assert_eq!(keys, [VICTIM_KEY.as_bytes()], "{after}");
            assert_eq!(answer.header.unwrap().revision, 2, "{after}");
        }
    }
}
