//! DNS: the built-in server on the store in memory, and what there is to see in it.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use openmcp_dns_core::name::HostName;
use openmcp_dns_core::skydns::Prefix;
use openmcp_dns_server::{Records, Server};
use openmcp_dns_service::serve;
use openmcp_dns_store::{MemoryStore, Store};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::view::View;
use crate::terminal::hint::Hint as _;

/// The DNS server and its store.
pub(super) struct Dns {
    pub(super) store: Arc<dyn Store>,
    /// What the store holds.
    pub(super) view: View,
    /// Where the DNS server answers.
    pub(super) address: SocketAddr,
    records: Records,
    feed: JoinHandle<()>,
}

impl Dns {
    /// Starts the server, without a zone.
    ///
    /// # Errors
    /// When it cannot listen on the address.
    pub(super) async fn start(
        listen: SocketAddr,
        tasks: &TaskTracker,
        cancel: &CancellationToken,
    ) -> anyhow::Result<Self> {
        let prefix = Prefix::default();
        let records = Records::without_zones(prefix.clone());
        let server = Server::bind(listen, records.clone())
            .await
            .hint("choose another address with --listen; with port 0 a free one is taken")?;
        let address = server.local_addr();
        let shutdown = cancel.clone();
        tasks.spawn(async move {
            if let Err(error) = server.run(shutdown.cancelled_owned()).await {
                tracing::error!(message = openmcp_dns_core::chain(&error), "the DNS server ended");
            }
        });
        let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
        let view = View::new(prefix);
        let feed = feed(&store, &records, &view);
        Ok(Self { store, view, address, records, feed })
    }

    /// Serves these zones too. Those of before stay: something may be published in them.
    pub(super) fn serve(&mut self, zones: &BTreeSet<HostName>) {
        if zones.iter().filter(|zone| self.records.add_zone(zone)).count() > 0 {
            // From the start, because what is published in a new zone may be older than the zone.
            self.feed.abort();
            self.feed = feed(&self.store, &self.records, &self.view);
        }
    }

    /// Where the server can be asked: one that listens everywhere is asked at the loopback address.
    pub(super) fn reachable(&self) -> SocketAddr {
        let ip = match self.address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        SocketAddr::new(ip, self.address.port())
    }

    /// Ends what follows the store.
    pub(super) fn stop(&self) {
        self.feed.abort();
    }
}

fn feed(store: &Arc<dyn Store>, records: &Records, view: &View) -> JoinHandle<()> {
    let (store, records, view) = (Arc::clone(store), records.clone(), view.clone());
    tokio::spawn(serve::feed(store, records, move |event| view.take_in(event)))
}
