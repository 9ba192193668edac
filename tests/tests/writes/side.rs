//! A landscape behind a proxy.

use openmcp_dns_tests::coredns::CentralDns;
use openmcp_dns_tests::manifests::{ZONE, cluster_reference};
use openmcp_dns_tests::process::Process;
use openmcp_dns_tests::programs::openmcp_dns;
use openmcp_dns_tests::proxy::{Asked, Proxy};
use openmcp_dns_tests::two_clusters::{NAMES, TwoClusters};
use serde_json::json;

use crate::state::{self, NAMESPACE, State};

/// An address of the central DNS server that others can reach: it is published. The first one, which is asked, cannot.
pub(crate) const PUBLISHED: &str = "172.18.100.7";

/// Whether it says who leads.
pub(crate) fn is_of_the_lead(asked: &Asked) -> bool {
    asked.what.contains("/leases/") || asked.what.starts_with("put openmcp-dns/leader/")
}

/// How many lives may end with a write. Who leads in the store, everybody writes. And a life that takes long to look
/// around says so in a status; where all do, each takes back what the one before has said.
fn lives(asked: &Asked) -> usize {
    if is_of_the_lead(asked) {
        1
    } else if is_status(asked) {
        4
    } else {
        usize::MAX
    }
}

/// Whether it says how something stands.
pub(crate) fn is_status(asked: &Asked) -> bool {
    asked.what.ends_with("/status")
}

/// A landscape, and a service that reaches it through a proxy.
pub(crate) struct Side {
    pub(crate) world: TwoClusters,
    pub(crate) proxy: Proxy,
    /// Of the ways through the proxy.
    platform: String,
    workload: String,
    pub(crate) etcd: String,
    central: CentralDns,
}

impl Side {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let world = TwoClusters::start().await?;
        world.install().await?;
        let mut proxy = Proxy::new(lives);
        let [platform, workload] = world.clients();
        let etcd = world.etcd.endpoint.trim_start_matches("http://").parse()?;
        let platform = proxy.to_api_server(NAMES[0], platform).await?.to_string();
        let workload = proxy.to_api_server(NAMES[1], workload).await?.to_string();
        let etcd = proxy.to_etcd(etcd).await?.to_string();
        let central = CentralDns::start(ZONE, &world.etcd, world.folder(), world.folder()).await?;
        Ok(Self { world, proxy, platform, workload, etcd, central })
    }

    /// The central DNS server.
    pub(crate) fn asked(&self) -> String {
        self.central.udp.address().to_string()
    }

    /// The etcd of this landscape, for `live`.
    pub(crate) fn given_etcd(&self) -> Vec<String> {
        let servers = format!("--dns-server={},{PUBLISHED}", self.asked());
        vec![format!("--etcd=http://{}", self.etcd), servers]
    }

    /// The service begins another life, with these arguments besides those that it needs.
    pub(crate) fn live(&self, more: &[String], is_single: bool) -> anyhow::Result<Process> {
        let life = self.proxy.begin_life(is_single);
        let arguments = [
            "run".to_owned(),
            format!("--kubeconfig={}", self.world.write("service.yaml", &kubeconfig(&self.platform))?),
            format!("--namespace={NAMESPACE}"),
            "--platform-cluster=openmcp-clusters/platform".to_owned(),
            "--allow-insecure-kubeconfigs".to_owned(),
            // As in a new pod.
            format!("--state={}", self.world.folder().join(format!("state-{life}")).display()),
        ];
        let arguments = arguments.iter().chain(more);
        let level = std::env::var("OPENMCP_DNS_TEST_LOG").unwrap_or_else(|_| "info".to_owned());
        let environment = [("RUST_LOG", level.as_str()), ("NO_COLOR", "1")];
        Process::start("openmcp-dns", &openmcp_dns()?, arguments, &environment, self.world.folder())
    }

    /// The clusters appear.
    pub(crate) async fn add_clusters(&self) -> anyhow::Result<()> {
        self.world.add_clusters(&kubeconfig(&self.workload)).await?;
        // No DNS of theirs answers here, and what is said of that changes with the time.
        let unknown = json!({"metadata": {"annotations": {"dns.openmcp.cloud/cluster-dns-address": null}}});
        for name in NAMES {
            cluster_reference(name).merge(&self.world.platform.client(), &unknown).await?;
        }
        Ok(())
    }

    pub(crate) async fn state(&self) -> anyhow::Result<State> {
        let addresses = [&self.platform, &self.workload, &self.etcd, &self.asked()].map(ToOwned::to_owned);
        state::read(&self.world, &addresses).await
    }
}

/// Without TLS and without a token: the proxy has both.
fn kubeconfig(address: &str) -> String {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "proxy", "cluster": {"server": format!("http://{address}")}}],
        "users": [{"name": "nobody", "user": {}}],
        "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "nobody"}}],
        "current-context": "proxy",
    })
    .to_string()
}
