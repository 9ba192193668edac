//! The server: one port, over UDP and TCP.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use thiserror::Error;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};
use tracing::{info, warn};

use crate::records::Records;
use crate::socket::{listen_tcp, listen_udp};
use crate::{tcp, udp};

/// How often a port that is free for TCP may be taken for UDP before binding fails. Ports are chosen
/// at random, so a second attempt is rarely needed.
const PORT_ATTEMPTS: usize = 16;

/// Most tasks that read datagrams. One answers tens of thousands of questions a second; the rest of
/// the processors belong to the rest of the process.
const MAX_UDP_TASKS: usize = 4;

/// Room for questions that have arrived and are not read yet. The system gives twice of what it allows
/// (`net.core.rmem_max` on Linux), which by default is room for some 500 questions, and half of that
/// where it is not asked.
const RECEIVE_BUFFER_BYTES: usize = 4 << 20;

/// How long answers that are being written may take after the shutdown has begun.
const SHUTDOWN_GRACE: Duration = Duration::from_secs(1);

/// An authoritative DNS server that answers from [`Records`].
#[derive(Debug)]
pub struct Server {
    udp: UdpSocket,
    tcp: TcpListener,
    address: SocketAddr,
    records: Records,
}

/// Why a server cannot listen.
#[derive(Debug, Error)]
pub enum BindError {
    /// The port is taken or may not be used, or the address is none of this host's.
    #[error("failed to listen on {address} over TCP")]
    Tcp {
        /// Where it should have listened.
        address: SocketAddr,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// As for TCP; with port 0, after several ports were tried.
    #[error("failed to listen on {address} over UDP")]
    Udp {
        /// Where it should have listened.
        address: SocketAddr,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

/// Why a server has stopped before it was asked to.
#[derive(Debug, Error)]
pub enum ServeError {
    /// One of its tasks has panicked or was cancelled from outside.
    #[error("a task of the DNS server ended unexpectedly")]
    Task(#[source] JoinError),
    /// One of its tasks has returned, although it has no reason to.
    #[error("a task of the DNS server ended without a reason")]
    Ended,
}

/// A burst of questions waits in the socket until it is read.
fn make_room(udp: &UdpSocket) {
    if let Err(error) = SockRef::from(udp).set_recv_buffer_size(RECEIVE_BUFFER_BYTES) {
        warn!(%error, "unable to make room for bursts of questions; some may be lost");
    }
}

impl Server {
    /// Listens on an address, over UDP and TCP. Port 0 picks one that is free for both; `[::]` is every address of IPv4,
    /// too.
    ///
    /// # Errors
    /// When one of the two cannot be listened on.
    pub async fn bind(address: SocketAddr, records: Records) -> Result<Self, BindError> {
        let mut attempt = 1;
        loop {
            let tcp_error = |source| BindError::Tcp { address, source };
            let tcp = listen_tcp(address).map_err(tcp_error)?;
            let common = tcp.local_addr().map_err(tcp_error)?;
            match listen_udp(common) {
                Ok(udp) => {
                    make_room(&udp);
                    return Ok(Self { udp, tcp, address: common, records });
                }
                Err(error)
                    if address.port() == 0
                        && error.kind() == io::ErrorKind::AddrInUse
                        && attempt < PORT_ATTEMPTS =>
                {
                    attempt += 1;
                }
                Err(source) => return Err(BindError::Udp { address: common, source }),
            }
        }
    }

    /// Where the server listens, with the port that was picked.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `shutdown` completes. Answers that are being written then have a second left.
    ///
    /// Dropping the future ends the server at once.
    ///
    /// # Errors
    /// When the server ends before that. A bad request or a socket without resources is no reason.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), ServeError> {
        let Self { udp, tcp, address, records } = self;
        let (stop, stopping) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let udp = Arc::new(udp);
        let udp_tasks = std::thread::available_parallelism().map_or(1, usize::from).min(MAX_UDP_TASKS);
        for _ in 0..udp_tasks {
            tasks.spawn(udp::serve(Arc::clone(&udp), records.clone(), stopping.clone()));
        }
        tasks.spawn(tcp::serve(tcp, records, stopping));
        info!(%address, "the DNS server answers");
        let outcome = tokio::select! {
            () = shutdown => Ok(()),
            ended = tasks.join_next() => Err(match ended {
                Some(Err(error)) => ServeError::Task(error),
                Some(Ok(())) | None => ServeError::Ended,
            }),
        };
        stop.send_replace(true);
        let all_ended = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(SHUTDOWN_GRACE, all_ended).await.is_err() {
            tasks.shutdown().await;
        }
        outcome
    }
}
