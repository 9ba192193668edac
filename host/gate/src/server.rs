//! Takes connections, and ends them.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use openmcp_dns_core::chain;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::Backend;
use crate::budget::Budgets;
use crate::identity::{Agents, Credentials, Fingerprint};
use crate::peers::Peers;
use crate::rpc::Calls;
use crate::visits::Visits;

/// How long a client may take to say who it is.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// How often a client is asked whether it is there, and how long it may take to say so.
const PING: Duration = Duration::from_secs(30);
const PONG: Duration = Duration::from_secs(10);

/// After that, a client has to say anew who it is.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// Requests of one connection that wait or are under way.
const STREAMS: u32 = 16;

/// Largest headers of a request in bytes; external-dns sends some hundred.
const MAX_HEADER_BYTES: u32 = 8 * 1024;

/// What may be sent to us before it is read: of one request, and of one connection.
const WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 256 * 1024;

/// How long to wait after a connection could not be taken, mostly because there are too many files.
const PAUSE: Duration = Duration::from_millis(50);

/// What the gate goes by; it may change at any time, and holds at once. And what it tells.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// What it shows of itself, and whom it trusts; nobody is let in while there is none.
    pub credentials: watch::Receiver<Option<Credentials>>,
    /// Who is who. Whoever is taken out is cut off.
    pub agents: watch::Receiver<Agents>,
    /// Where it notes who is there.
    pub visits: Visits,
}

/// Answers agents.
pub struct Gate {
    inputs: Inputs,
    backend: Arc<dyn Backend>,
    budgets: Budgets,
    peers: Peers,
    connections: AtomicU64,
}

impl Gate {
    /// Nobody is connected.
    #[must_use]
    pub fn new(inputs: Inputs, backend: Arc<dyn Backend>) -> Self {
        Self {
            inputs,
            backend,
            budgets: Budgets::default(),
            peers: Peers::default(),
            connections: AtomicU64::new(0),
        }
    }

    /// Serves until it is dropped; its connections end with it.
    pub async fn serve(self, listener: TcpListener) {
        let gate = Arc::new(self);
        let mut credentials = gate.inputs.credentials.clone();
        credentials.mark_changed();
        let mut config: Option<Arc<ServerConfig>> = None;
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                Ok(()) = credentials.changed() => config = server(&mut credentials, config),
                Some(_) = connections.join_next() => {}
                accepted = listener.accept() => match (accepted, &config) {
                    (Ok((stream, address)), Some(config)) => {
                        let now = std::time::Instant::now();
                        if let Some(shaking) = gate.peers.arrive(address.ip(), now) {
                            // An answer goes in several small writes: each would wait 40 ms for the one before to be
                            // acknowledged. Where it cannot be set, that is all that happens.
                            let _ = stream.set_nodelay(true);
                            let handshake = TlsAcceptor::from(Arc::clone(config)).accept(stream);
                            let gate = Arc::clone(&gate);
                            connections.spawn(async move {
                                let stream = tokio::time::timeout(HANDSHAKE, handshake).await;
                                drop(shaking);
                                gate.connected(stream, address).await;
                            });
                        }
                    }
                    (Ok(_), None) => {}
                    (Err(error), _) => {
                        tracing::warn!(error = chain(&error), "unable to take a connection of an agent");
                        tokio::time::sleep(PAUSE).await;
                    }
                },
            }
        }
    }

    /// A handshake has ended.
    async fn connected(
        &self,
        stream: Result<io::Result<TlsStream<TcpStream>>, tokio::time::error::Elapsed>,
        address: SocketAddr,
    ) {
        let stream = match stream {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                tracing::debug!(%address, error = chain(&error), "a client at the gate is not let in");
                return;
            }
            Err(_) => return,
        };
        let fingerprint = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let Some(fingerprint) = fingerprint.map(|certificate| Fingerprint::of(certificate)) else { return };
        let mut agents = self.inputs.agents.clone();
        let Some(cluster) = agents.borrow_and_update().get(&fingerprint).cloned() else {
            tracing::info!(%address, %fingerprint, "a client with a certificate that is no agent's is not let in");
            return;
        };
        let Some(place) = self.budgets.connect(&cluster) else {
            tracing::info!(%address, %cluster, "an agent has too many connections");
            return;
        };
        let _visiting = self.inputs.visits.begin(&cluster, fingerprint);
        let connection = self.connections.fetch_add(1, Ordering::Relaxed);
        let calls = Arc::new(Calls {
            cluster: cluster.clone(),
            connection,
            budget: Arc::clone(&place.budget),
            backend: Arc::clone(&self.backend),
        });
        let revoked = async {
            // While nobody says who is who, all stays as it is.
            let is_other = |agents: &Agents| agents.get(&fingerprint) != Some(&cluster);
            if agents.wait_for(is_other).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = talk(stream, calls) => {}
            () = revoked => tracing::info!(%cluster, "an agent is cut off, because its certificate is not good any more"),
        }
    }
}

/// Serves a connection to its end.
async fn talk(stream: TlsStream<TcpStream>, calls: Arc<Calls>) {
    let service = service_fn(move |request| {
        let calls = Arc::clone(&calls);
        async move { Ok::<_, std::convert::Infallible>(calls.call(request).await) }
    });
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(MAX_HEADER_BYTES)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(WINDOW as usize)
        .keep_alive_interval(PING)
        .keep_alive_timeout(PONG);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let aged = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = tokio::time::sleep(LONGEST) => None,
    };
    let ended = match aged {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            match tokio::time::timeout(PONG, connection).await {
                Ok(ended) => ended,
                Err(_) => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error = chain(&error), "the connection of an agent has broken");
    }
}

/// What new connections are made with; the old one where the new credentials are of no use.
fn server(
    credentials: &mut watch::Receiver<Option<Credentials>>,
    old: Option<Arc<ServerConfig>>,
) -> Option<Arc<ServerConfig>> {
    let credentials = credentials.borrow_and_update().clone()?;
    match credentials.server() {
        Ok(config) => Some(config),
        Err(error) => {
            tracing::warn!(
                error = chain(&error),
                "the gate's new certificates are of no use; the old ones stay"
            );
            old
        }
    }
}
