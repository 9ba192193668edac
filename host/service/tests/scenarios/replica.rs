//! One of several replicas of the service.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::BoxFuture;
use http::{Method, Request, Response};
use kube::client::Body;
use openmcp_dns_core::leadership::Timing;
use openmcp_dns_kube_memory::Server;
use openmcp_dns_service::leadership::{Elector, Leadership, LeaseName, elect};
use openmcp_dns_service::metrics::{Metrics, Readiness};
use openmcp_dns_service::page::Page;
use openmcp_dns_service::run::{Ended, Service, run};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::objects::CLUSTERS;
use crate::world::World;

/// A replica that stands for election.
pub(crate) struct Replica {
    leadership: Leadership,
    elector: JoinHandle<()>,
    cancel: CancellationToken,
    ended: JoinHandle<Result<(), Ended>>,
    written: Arc<AtomicUsize>,
}

impl Replica {
    /// Starts it.
    pub(crate) fn start(world: &World, name: &str) -> Self {
        Self::start_with(world, name, None)
    }

    /// Starts it with a page.
    pub(crate) fn start_with(world: &World, name: &str, page: Option<Page>) -> Self {
        let written = Arc::<AtomicUsize>::default();
        let platform = counting(&world.platform, &written);
        let lease = LeaseName { namespace: CLUSTERS.to_owned(), name: "openmcp-dns".to_owned() };
        // Longer than a busy machine keeps a task waiting.
        let timing = Timing::of(Duration::from_secs(8));
        let (leadership, elector) = elect(platform.clone(), lease, name.to_owned(), timing);
        let elector = tokio::spawn(Elector::run(elector));
        let service = world.service(platform, leadership.clone(), Metrics::default(), Readiness::default());
        let service = Service { page, ..service };
        let cancel = CancellationToken::new();
        let ended = tokio::spawn(run(service, cancel.clone()));
        Self { leadership, elector, cancel, ended, written }
    }

    pub(crate) fn leads(&self) -> bool {
        self.leadership.is_leading()
    }

    /// How often it has written to the platform cluster, beside the Lease.
    pub(crate) fn written(&self) -> usize {
        self.written.load(Ordering::Relaxed)
    }

    /// Tells it to end, and waits until it has.
    pub(crate) async fn stop(self) {
        self.cancel.cancel();
        self.ended.await.unwrap().unwrap();
    }

    /// Ends it, and it does nothing about that.
    pub(crate) async fn kill(self) {
        self.elector.abort();
        self.ended.abort();
        let _ = tokio::join!(self.elector, self.ended);
    }
}

/// A client that counts what is written, beside Leases.
fn counting(server: &Server, written: &Arc<AtomicUsize>) -> kube::Client {
    kube::Client::new(Counting { client: server.client(), written: Arc::clone(written) }, "default")
}

#[derive(Clone)]
struct Counting {
    client: kube::Client,
    written: Arc<AtomicUsize>,
}

impl tower::Service<Request<Body>> for Counting {
    type Response = Response<Body>;
    type Error = kube::Error;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if request.method() != Method::GET && !request.uri().path().contains("/leases") {
            self.written.fetch_add(1, Ordering::Relaxed);
        }
        let client = self.client.clone();
        Box::pin(async move { client.send(request).await })
    }
}
