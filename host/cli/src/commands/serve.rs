//! `openmcp-dns serve`: the built-in DNS server on the records in etcd.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use openmcp_dns_core::name::HostName;
use openmcp_dns_server::{Records, Server};

use super::etcd::EtcdOptions;
use crate::terminal::hint::Hint as _;
use crate::terminal::shutdown::Shutdown;
use openmcp_dns_service::address::parse_server;
use openmcp_dns_service::metrics::{DnsServerMetrics, MetricsServer, Readiness};
use openmcp_dns_service::serve::{feed, why_not_ready};

/// The shortest silence of etcd that may count: while all is well, it speaks every three seconds, and
/// after a lost connection within some more.
const MIN_STALE_SECONDS: u64 = 10;

/// Runs the built-in DNS server: answers for the zones of a landscape from the records in etcd.
///
/// It holds all records in memory and follows etcd by a watch, so that it answers without etcd, and
/// goes on answering while etcd is away. It can stand in the place of a central CoreDNS with the etcd
/// plugin, or behind one that forwards the zone to it.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  On the port of DNS, for other machines:
    openmcp-dns serve --etcd http://10.0.0.5:2379 --listen '[::]'

  On a port of one's choice, and a question to it:
    openmcp-dns serve --etcd http://127.0.0.1:2379 --base-domain openmcp.cluster --listen 127.0.0.1:5300
    openmcp-dns probe svc.workload01.openmcp.cluster --server 127.0.0.1:5300")]
pub struct ServeArgs {
    /// Endpoints of the etcd that holds the records
    #[arg(long, env = "OPENMCP_DNS_ETCD", value_name = "URL", value_delimiter = ',', required = true)]
    etcd: Vec<String>,

    #[command(flatten)]
    etcd_options: EtcdOptions,

    /// The zones to answer for: the base domains of the landscape's policies, and the reverse zones of their networks
    #[arg(
        long,
        env = "OPENMCP_DNS_BASE_DOMAIN",
        value_name = "DOMAIN",
        value_delimiter = ',',
        default_value = "openmcp.cluster"
    )]
    base_domain: Vec<HostName>,

    /// Where to listen, over UDP and TCP: IP or IP:port; `[::]` is every address of IPv6 and IPv4
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:53", value_parser = parse_server)]
    listen: SocketAddr,

    /// Where to answer /healthz, /readyz and /metrics (Prometheus): IP:port
    #[arg(long, env = "OPENMCP_DNS_HEALTH_LISTEN", value_name = "ADDRESS")]
    health_listen: Option<SocketAddr>,

    /// After how many seconds of silence of etcd /readyz says no. Answers go on
    #[arg(
        long,
        env = "OPENMCP_DNS_MAX_STALE",
        value_name = "SECONDS",
        default_value_t = 300,
        value_parser = clap::value_parser!(u64).range(MIN_STALE_SECONDS..)
    )]
    max_stale: u64,
}

/// Runs the command until it is told to end.
pub async fn run(args: ServeArgs) -> anyhow::Result<()> {
    let ServeArgs { etcd, etcd_options, base_domain, listen, health_listen, max_stale } = args;
    let store = etcd_options.connect(etcd).await?;
    let records = Records::without_zones(etcd_options.prefix().clone());
    for zone in &base_domain {
        records.add_zone(zone);
    }
    let mut shutdown = Shutdown::listen().context("failed to catch signals")?;
    let server = Server::bind(listen, records.clone())
        .await
        .hint("choose another address with --listen; ports below 1024 need root or CAP_NET_BIND_SERVICE")?;
    tracing::info!(address = %server.local_addr(), "the DNS server answers");
    let health = match health_listen {
        Some(address) => Some(health(address, &records, Duration::from_secs(max_stale)).await?),
        None => None,
    };
    let health = async {
        match health {
            Some(health) => health.run().await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        ended = server.run(async move { shutdown.requested().await }) => ended.context("the DNS server ended"),
        () = feed(store, records, |_| {}) => anyhow::bail!("the store is no longer followed"),
        () = health => anyhow::bail!("health is no longer served"),
    }
}

/// Listens for those who ask how the server is.
async fn health(
    address: SocketAddr,
    records: &Records,
    max_stale: Duration,
) -> anyhow::Result<MetricsServer> {
    let served = records.clone();
    let readiness = Readiness::unless(move || why_not_ready(&served, max_stale));
    let health = MetricsServer::bind(address, DnsServerMetrics::new(records.clone()), readiness)
        .await
        .with_context(|| format!("failed to listen on {address}"))
        .hint("choose another address with --health-listen")?;
    tracing::info!(address = %health.local_addr()?, "health is served");
    Ok(health)
}
