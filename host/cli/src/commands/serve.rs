//! `openmcp-dns serve`: the built-in DNS server on the records in etcd.

use std::net::SocketAddr;

use anyhow::Context as _;
use openmcp_dns_core::name::HostName;
use openmcp_dns_server::{Records, Server};

use super::etcd::EtcdOptions;
use crate::terminal::hint::Hint as _;
use crate::terminal::shutdown::Shutdown;
use openmcp_dns_service::address::parse_server;
use openmcp_dns_service::serve::feed;

/// Runs the built-in DNS server: answers for one zone from the records in etcd.
///
/// It holds all records in memory and follows etcd by a watch, so that it answers without etcd, and
/// goes on answering while etcd is away. It can stand in the place of a central CoreDNS with the etcd
/// plugin, or behind one that forwards the zone to it.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  On the port of DNS, for other machines:
    openmcp-dns serve --etcd http://10.0.0.5:2379 --listen 0.0.0.0

  On a port of one's choice, and a question to it:
    openmcp-dns serve --etcd http://127.0.0.1:2379 --base-domain openmcp.cluster --listen 127.0.0.1:5300
    openmcp-dns probe svc.workload01.openmcp.cluster --server 127.0.0.1:5300")]
pub struct ServeArgs {
    /// Endpoints of the etcd that holds the records
    #[arg(long, env = "OPENMCP_DNS_ETCD", value_name = "URL", value_delimiter = ',', required = true)]
    etcd: Vec<String>,

    #[command(flatten)]
    etcd_options: EtcdOptions,

    /// The zone to answer for: the base domain of the landscape
    #[arg(long, env = "OPENMCP_DNS_BASE_DOMAIN", value_name = "DOMAIN", default_value = "openmcp.cluster")]
    base_domain: HostName,

    /// Where to listen, over UDP and TCP: IP or IP:port
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:53", value_parser = parse_server)]
    listen: SocketAddr,
}

/// Runs the command until it is told to end.
pub async fn run(args: ServeArgs) -> anyhow::Result<()> {
    let ServeArgs { etcd, etcd_options, base_domain, listen } = args;
    let store = etcd_options.connect(etcd).await?;
    let records = Records::new(base_domain, etcd_options.prefix().clone());
    let mut shutdown = Shutdown::listen().context("failed to catch signals")?;
    let server = Server::bind(listen, records.clone())
        .await
        .hint("choose another address with --listen; ports below 1024 need root or CAP_NET_BIND_SERVICE")?;
    tracing::info!(address = %server.local_addr(), "the DNS server answers");
    tokio::select! {
        ended = server.run(async move { shutdown.requested().await }) => ended.context("the DNS server ended"),
        () = feed(store, records, |_| {}) => anyhow::bail!("the store is no longer followed"),
    }
}
