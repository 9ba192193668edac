//! What a quiet agent notices of one that attacks the gate: the time of its requests, alone and under attack.
//!
//! The gate runs in memory, without a store: what is measured is what agents share. Attackers run in threads of the
//! lowest priority, because they share the machine here and would not elsewhere.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use async_trait::async_trait;
use etcd_client::{Certificate, Client, ConnectOptions, GetOptions, Identity, TlsOptions};
use openmcp_dns_core::agents::{KeySpace, Refusal, Reply, Request};
use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_gate::{Agents, Backend, Credentials, Fingerprint, Gate, Inputs, Visits};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair, SanType,
};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

/// Requests that are measured.
const SAMPLES: usize = 3000;

/// Names of each agent.
const NAMES: usize = 500;

/// Bytes of a value that is taken nowhere, but read.
const LARGE: usize = 500_000;

/// How long the quiet agent rests between two requests.
const PAUSE: Duration = Duration::from_millis(2);

/// As in the service, an agent waits for itself alone.
#[derive(Default)]
struct Memory(Mutex<HashMap<ClusterId, Arc<Mutex<KeySpace>>>>);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl Backend for Memory {
    async fn ask(&self, cluster: &ClusterId, _: u64, request: Request) -> Result<Reply, Refusal> {
        let empty = || Arc::new(Mutex::new(KeySpace::of([])));
        let space = Arc::clone(lock(&self.0).entry(cluster.clone()).or_insert_with(empty));
        let mut space = lock(&space);
        let draft = space.draft(&request)?;
        space.take(draft.edits);
        Ok(draft.reply)
    }
}

struct Signed {
    certificate: String,
    key: String,
}

fn sign(
    authority: &CertifiedIssuer<'static, KeyPair>,
    purpose: ExtendedKeyUsagePurpose,
) -> anyhow::Result<Signed> {
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::IpAddress([127, 0, 0, 1].into())];
    params.extended_key_usages = vec![purpose];
    let key = KeyPair::generate()?;
    Ok(Signed { certificate: params.signed_by(&key, authority)?.pem(), key: key.serialize_pem() })
}

async fn connect(gate: SocketAddr, authority: &str, signed: &Signed) -> Result<Client, etcd_client::Error> {
    let tls = TlsOptions::new()
        .ca_certificate(Certificate::from_pem(authority))
        .identity(Identity::from_pem(&signed.certificate, &signed.key));
    let options = ConnectOptions::new().with_tls(tls);
    Client::connect([format!("https://{gate}")], Some(options)).await
}

fn key(cluster: &str, number: usize) -> String {
    format!("/skydns/example/{cluster}/n{number}/00000001")
}

const VALUE: &str = r#"{"host":"10.0.0.1","ttl":60,"targetstrip":1}"#;

async fn fill(client: &mut Client, cluster: &str) -> anyhow::Result<()> {
    for number in 0..NAMES {
        client.put(key(cluster, number), VALUE, None).await?;
    }
    Ok(())
}

/// Reads and writes in turn; gives how long each took, sorted.
async fn measure(client: &mut Client) -> anyhow::Result<Vec<Duration>> {
    let mut times = Vec::with_capacity(SAMPLES);
    for number in 0..SAMPLES {
        let began = Instant::now();
        if number % 2 == 0 {
            client.put(key("quiet", number % NAMES), VALUE, None).await?;
        } else {
            client.get(key("quiet", number % NAMES), None).await?;
        }
        times.push(began.elapsed());
        tokio::time::sleep(PAUSE).await;
    }
    times.sort();
    Ok(times)
}

fn show(what: &str, times: &[Duration]) {
    let at = |share: usize| times[(times.len() * share / 1000).min(times.len() - 1)];
    println!(
        "{what:<14} p50 {:>9.3?}  p90 {:>9.3?}  p99 {:>9.3?}  worst {:>9.3?}",
        at(500),
        at(900),
        at(990),
        at(1000)
    );
}

/// Reads everything again and again, writes small and large values, on as many connections as it can get and with many
/// requests at once, while others come without a certificate and say nothing of use.
async fn attack(gate: SocketAddr, authority: String, signed: Arc<Signed>, answered: Arc<AtomicU64>) {
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (authority, signed, answered) = (authority.clone(), Arc::clone(&signed), Arc::clone(&answered));
        all.spawn(async move {
            while let Ok(client) = connect(gate, &authority, &signed).await {
                let floods = (0..32).map(|flood| {
                    let (mut client, answered) = (client.clone(), Arc::clone(&answered));
                    async move {
                        for number in 0..100 {
                            let key = key("noisy", number);
                            let is_answered = match flood % 4 {
                                0 => client.put(key, VALUE, None).await.is_ok(),
                                1 => client.put(key, vec![b'x'; LARGE], None).await.is_ok(),
                                _ => {
                                    let everything = Some(GetOptions::new().with_prefix());
                                    client.get("/skydns/", everything).await.is_ok()
                                }
                            };
                            if is_answered {
                                answered.fetch_add(1, Ordering::Relaxed);
                            }
                        }
                    }
                });
                futures::future::join_all(floods).await;
            }
        });
    }
    for _ in 0..8 {
        all.spawn(async move {
            loop {
                if let Ok(mut stream) = TcpStream::connect(gate).await {
                    let _ = stream.write_all(&[0x16, 3, 1, 2, 0, 1]).await;
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
        });
    }
    all.join_all().await;
}

fn runtime(threads: usize, is_lowest: bool) -> anyhow::Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    if is_lowest {
        builder.on_thread_start(|| {
            // Of this thread. Without it, attackers take the processor, which is not what is measured.
            let _ = rustix::process::setpriority_process(None, 19);
        });
    }
    builder.worker_threads(threads).enable_all().build().context("failed to start threads")
}

fn main() -> anyhow::Result<()> {
    let (gate_threads, quiet_threads, attackers) =
        (runtime(2, false)?, runtime(1, false)?, runtime(2, true)?);
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    let server = sign(&authority, ExtendedKeyUsagePurpose::ServerAuth)?;
    let (quiet, noisy) = (
        sign(&authority, ExtendedKeyUsagePurpose::ClientAuth)?,
        sign(&authority, ExtendedKeyUsagePurpose::ClientAuth)?,
    );
    let agent = |signed: &Signed, name: &str| -> anyhow::Result<(Fingerprint, ClusterId)> {
        Ok((Fingerprint::of_pem(signed.certificate.as_bytes())?, ClusterId::new("bench", name)))
    };
    let agents = Agents::from([agent(&quiet, "quiet")?, agent(&noisy, "noisy")?]);
    let credentials = Credentials {
        certificate: server.certificate.into(),
        key: server.key.into(),
        authorities: authority.pem().into(),
    };
    let (_credentials, credentials) = watch::channel(Some(credentials));
    let (_agents, agents) = watch::channel(agents);
    let listener = gate_threads.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let gate = listener.local_addr()?;
    gate_threads.spawn(
        Gate::new(Inputs { credentials, agents, visits: Visits::default() }, Arc::new(Memory::default()))
            .serve(listener),
    );

    let (noisy, answered) = (Arc::new(noisy), Arc::new(AtomicU64::new(0)));
    let mut client = quiet_threads.block_on(connect(gate, &authority.pem(), &quiet))?;
    quiet_threads.block_on(async {
        let mut other = connect(gate, &authority.pem(), &noisy).await?;
        fill(&mut client, "quiet").await?;
        fill(&mut other, "noisy").await
    })?;
    let alone = quiet_threads.block_on(measure(&mut client))?;
    show("alone", &alone);
    attackers.spawn(attack(gate, authority.pem(), Arc::clone(&noisy), Arc::clone(&answered)));
    let began = Instant::now();
    let attacked = quiet_threads.block_on(measure(&mut client))?;
    show("under attack", &attacked);
    let per_second = answered.load(Ordering::Relaxed) as f64 / began.elapsed().as_secs_f64();
    println!("the attacker had {per_second:.0} answers a second");
    // What still runs ends with the process.
    std::process::exit(0);
}
