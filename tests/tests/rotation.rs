//! Another certificate authority takes over while records are written: real etcd, real API server, lifetimes of seconds.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Api;
use kube::api::{Patch, PatchParams};
use openmcp_dns_core::leadership::LeaderKey;
use openmcp_dns_core::plan::{Change, NamePlan};
use openmcp_dns_core::skydns::Prefix;
use openmcp_dns_service::certificates::Lifetimes;
use openmcp_dns_service::deploy::{Deployer, Images, Surroundings};
use openmcp_dns_service::leadership::Leadership;
use openmcp_dns_service::report::statuses::Statuses;
use openmcp_dns_service::run::Budget;
use openmcp_dns_store::{Commit, EtcdAddress, Membership, Store, connect_etcd, connect_membership};
use openmcp_dns_tests::api_server::ApiServer;
use openmcp_dns_tests::kinds::{apply, apply_crds};
use openmcp_dns_tests::ports::free_address;
use openmcp_dns_tests::process::Process;
use openmcp_dns_tests::programs::{Provided, repository};
use openmcp_dns_tests::wait::wait_until;
use serde_json::{Value, json};
use tokio::sync::watch;

const NAMESPACE: &str = "openmcp-dns";

/// For a whole rotation, on a busy machine.
const ROTATION: Duration = Duration::from_secs(240);

/// How long a write may take: the loss of a member, and an election, are within it.
const WRITE: Duration = Duration::from_secs(30);

const LIFETIMES: Lifetimes = Lifetimes {
    authority: Duration::from_secs(45),
    certificate: Duration::from_secs(3600),
    // The store looks at its files every five seconds.
    overlap: Duration::from_secs(8),
};

/// Three members of etcd, which are started as a StatefulSet would.
struct Pods {
    folder: PathBuf,
    clients: Vec<SocketAddr>,
    peers: Vec<SocketAddr>,
    running: Vec<Option<Process>>,
    /// With which authorities they were started.
    trust: Option<String>,
}

impl Pods {
    fn new(folder: &Path) -> anyhow::Result<Self> {
        let addresses = || (0..3).map(|_| free_address()).collect::<anyhow::Result<Vec<_>>>();
        let running = (0..3).map(|_| None).collect();
        Ok(Self {
            folder: folder.to_owned(),
            clients: addresses()?,
            peers: addresses()?,
            running,
            trust: None,
        })
    }

    fn endpoints(&self) -> Vec<String> {
        self.clients.iter().map(|address| format!("https://{address}")).collect()
    }

    fn start(&mut self, pod: usize) -> anyhow::Result<()> {
        self.running[pod] = None;
        let file = |name: &str| self.folder.join(name).display().to_string();
        let (client, peer) = (self.clients[pod], self.peers[pod]);
        let members = self.peers.iter().enumerate().map(|(pod, peer)| format!("pod-{pod}=https://{peer}"));
        let arguments = [
            format!("--name=pod-{pod}"),
            format!("--data-dir={}", file(&format!("data-{pod}"))),
            format!("--listen-client-urls=https://{client}"),
            format!("--advertise-client-urls=https://{client}"),
            format!("--listen-peer-urls=https://{peer}"),
            format!("--initial-advertise-peer-urls=https://{peer}"),
            format!("--initial-cluster={}", members.collect::<Vec<_>>().join(",")),
            "--client-cert-auth".to_owned(),
            format!("--trusted-ca-file={}", file("ca.crt")),
            format!("--cert-file={}", file("tls.crt")),
            format!("--key-file={}", file("tls.key")),
            "--peer-client-cert-auth".to_owned(),
            format!("--peer-trusted-ca-file={}", file("ca.crt")),
            format!("--peer-cert-file={}", file("tls.crt")),
            format!("--peer-key-file={}", file("tls.key")),
            "--unsafe-no-fsync".to_owned(),
            "--log-level=warn".to_owned(),
        ];
        let name = format!("pod-{pod}");
        self.running[pod] =
            Some(Process::start(&name, &Provided::Etcd.path()?, &arguments, &[], &self.folder)?);
        Ok(())
    }
}

async fn secret(
    secrets: &Api<Secret>,
    name: &str,
) -> anyhow::Result<std::collections::BTreeMap<String, Vec<u8>>> {
    let data = secrets.get(name).await?.data.unwrap_or_default();
    Ok(data.into_iter().map(|(key, bytes)| (key, bytes.0)).collect())
}

/// Does once what kubelet and the controllers of the platform do all the time.
async fn tend(
    platform: &kube::Client,
    pods: &mut Pods,
    etcd: &dyn Membership,
    round: u64,
) -> anyhow::Result<()> {
    let secrets = Api::<Secret>::namespaced(platform.clone(), NAMESPACE);
    for (name, bytes) in secret(&secrets, "openmcp-dns-etcd-server").await? {
        let new = pods.folder.join("new");
        std::fs::write(&new, bytes)?;
        std::fs::rename(&new, pods.folder.join(name))?;
    }
    let sets = Api::<StatefulSet>::namespaced(platform.clone(), NAMESPACE);
    let set = sets.get("openmcp-dns-etcd").await?;
    let template = set.spec.as_ref().and_then(|spec| spec.template.metadata.clone()).unwrap_or_default();
    let trust = template.annotations.unwrap_or_default().remove("dns.openmcp.cloud/trust");
    if pods.trust != trust {
        let all = pods.trust.is_none();
        for pod in 0..3 {
            pods.start(pod)?;
            if all && pod < 2 {
                continue;
            }
            wait_until("all members answer", WRITE, async || {
                let members = etcd.list().await.unwrap_or_default();
                let well = members.iter().filter(|member| member.status.is_some()).count();
                Ok(if well == 3 { Ok(()) } else { Err(format!("{well} of 3")) })
            })
            .await?;
        }
        pods.trust = trust;
    }
    let deployments = Api::<Deployment>::namespaced(platform.clone(), NAMESPACE);
    let deployment = deployments.get("openmcp-dns-central").await?;
    let params = PatchParams::default();
    let ready = |generation: Option<i64>, replicas: u8| {
        Patch::Merge(
            json!({"status": {"replicas": replicas, "readyReplicas": replicas, "availableReplicas": replicas,
            "updatedReplicas": replicas, "observedGeneration": generation}}),
        )
    };
    sets.patch_status("openmcp-dns-etcd", &params, &ready(set.metadata.generation, 3)).await?;
    deployments
        .patch_status("openmcp-dns-central", &params, &ready(deployment.metadata.generation, 2))
        .await?;
    // Whatever happens to what is ours has it looked at.
    let maps = Api::<ConfigMap>::namespaced(platform.clone(), NAMESPACE);
    let touched = Patch::Merge(json!({"metadata": {"annotations": {"round": round.to_string()}}}));
    maps.patch("openmcp-dns-central", &params, &touched).await?;
    Ok(())
}

/// Writes one record after the other; fails when one cannot be written.
async fn write(store: Arc<dyn Store>, written: Arc<AtomicU64>) -> anyhow::Result<()> {
    let began = Instant::now();
    let mut last = began;
    let key = LeaderKey::of_platform("nobody");
    loop {
        let number = written.load(Ordering::Relaxed);
        let change = Change {
            key: format!("/skydns/example/a/{:016x}", number % 7),
            expected_mod_revision: 0,
            value: Some(br#"{"host":"10.0.0.1"}"#.to_vec()),
        };
        let plan =
            NamePlan { name: "a.example".parse()?, changes: vec![change], withdrawn_from: BTreeSet::new() };
        let written_now = async {
            let (_, fence) = store.leader(&key).await?;
            store.commit(&fence, &[plan]).await
        };
        match written_now.await {
            // It is there already: etcd has answered all the same.
            Ok(Commit::Done(_) | Commit::Conflict) => {
                last = Instant::now();
                written.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            Err(error) if last.elapsed() > WRITE => return Err(error).context("nothing could be written"),
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_authority_takes_over_and_no_write_is_lost_on_the_way() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let server = ApiServer::start("platform", "10.113.0.0/16", folder.path(), folder.path()).await?;
    let platform = server.client();
    let crd = std::fs::read_to_string(repository("crds/dns.openmcp.cloud_dnsserviceconfigs.yaml"))?;
    apply_crds(&platform, &[crd]).await?;
    let objects: [Value; 2] = [
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}),
        json!({"apiVersion": "dns.openmcp.cloud/v1alpha1", "kind": "DNSServiceConfig", "metadata": {"name": "openmcp-dns"},
            "spec": {"dns": {"service": "NodePort", "addresses": ["192.0.2.1"]}, "etcd": {"members": 3}}}),
    ];
    for object in &objects {
        apply(&platform, object).await?;
    }
    let identity = folder.path().join("identity");
    std::fs::create_dir(&identity)?;
    let leadership = Leadership::alone("test".to_owned());
    let deployer = Deployer {
        platform: platform.clone(),
        namespace: NAMESPACE.to_owned(),
        config_name: "openmcp-dns".to_owned(),
        images: Images::default(),
        lifetimes: LIFETIMES,
        prefix: Prefix::default(),
        identity: identity.clone(),
        addresses: watch::channel(Vec::new()).0,
    };
    let store_address = deployer.prepare(&leadership).await?;
    let pods = Pods::new(&folder.path().join("pods"))?;
    std::fs::create_dir(&pods.folder)?;
    let address = EtcdAddress {
        endpoints: pods.endpoints(),
        ca: Some(identity.join("ca.crt")),
        identity: Some((identity.join("tls.crt"), identity.join("tls.key"))),
        user: None,
    };
    let (store, etcd) =
        (connect_etcd(&address, Prefix::default()).await?, connect_membership(&address).await?);

    let statuses = Statuses::new(platform.clone(), Budget::default());
    tokio::spawn(statuses.clone().write());
    let (zones, canary) = (watch::channel(Some(BTreeSet::new())), watch::channel(None));
    let surroundings = Surroundings {
        store: store_address,
        etcd: Arc::clone(&etcd),
        zones: zones.1.clone(),
        canary: canary.1.clone(),
        statuses,
    };
    tokio::spawn(deployer.run(surroundings, leadership));
    let sets = Api::<StatefulSet>::namespaced(platform.clone(), NAMESPACE);
    wait_until("etcd is deployed", WRITE, async || {
        Ok(sets.get_opt("openmcp-dns-etcd").await?.map(drop).ok_or_else(|| "not yet".to_owned()))
    })
    .await?;

    let secrets = Api::<Secret>::namespaced(platform.clone(), NAMESPACE);
    let first = secret(&secrets, "openmcp-dns-etcd-ca").await?;
    let written = Arc::new(AtomicU64::new(0));
    let mut writer = None;
    let pods = tokio::sync::Mutex::new((pods, 0));
    wait_until("another authority has taken over", ROTATION, async || {
        let (pods, round) = &mut *pods.lock().await;
        *round += 1;
        // Deployments may not be there yet.
        if let Err(error) = tend(&platform, pods, &*etcd, *round).await {
            return Ok(Err(format!("{error:#}")));
        }
        let writer =
            writer.get_or_insert_with(|| tokio::spawn(write(Arc::clone(&store), Arc::clone(&written))));
        anyhow::ensure!(!writer.is_finished(), "the writer has given up");
        let now = secret(&secrets, "openmcp-dns-etcd-ca").await?;
        let is_done = now["tls.crt"] != first["tls.crt"] && now["ca.crt"] == now["tls.crt"];
        let said = format!("next: {}, trusted: {} bytes", now.contains_key("next.crt"), now["ca.crt"].len());
        Ok(if is_done { Ok(()) } else { Err(said) })
    })
    .await?;
    // The old one is forgotten by all, and writing goes on.
    let (mut pods, round) = pods.into_inner();
    tend(&platform, &mut pods, &*etcd, round + 1).await?;
    let before = written.load(Ordering::Relaxed);
    wait_until("more is written", WRITE, async || {
        let now = written.load(Ordering::Relaxed);
        Ok(if now > before + 20 { Ok(()) } else { Err(now.to_string()) })
    })
    .await?;
    let writer = writer.context("the writer has begun")?;
    anyhow::ensure!(!writer.is_finished(), "the writer has given up");
    drop((zones.0, canary.0));
    Ok(())
}
