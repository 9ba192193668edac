//! Streams: messages with their length in front (RFC 1035 section 4.2.2).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::{debug, warn};

use crate::records::Records;
use crate::respond::{Transport, respond};

/// Most connections at a time; further ones wait until one ends. It keeps strangers from using up the
/// file descriptors, which the process needs for other work.
const MAX_CONNECTIONS: usize = 256;

/// How long a request may take to arrive, or a response to be taken. Resolvers that keep connections
/// open expect a few seconds (RFC 7766 section 6.2.3); those that take longer hold up others.
const PATIENCE: Duration = Duration::from_secs(5);

/// Pause after a connection could not be accepted, for example for want of file descriptors: without
/// it, the task would spin.
const FAILURE_PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections and answers on them, until told to stop.
pub(crate) async fn serve(listener: TcpListener, records: Records, mut stopping: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await.map_err(io::Error::other)?;
            let (stream, _) = listener.accept().await?;
            Ok::<_, io::Error>((place, stream))
        };
        let accepted = tokio::select! {
            accepted = next => accepted,
            Some(_) = connections.join_next() => continue,
            // An error says that the server itself is gone.
            _ = stopping.wait_for(|stop| *stop) => break,
        };
        match accepted {
            Ok((place, stream)) => {
                let records = records.clone();
                let stopping = stopping.clone();
                connections.spawn(async move {
                    let _place = place;
                    if let Err(error) = converse(stream, &records, stopping).await {
                        debug!(%error, "a connection was ended");
                    }
                });
            }
            Err(error) => {
                warn!(%error, "unable to accept a connection");
                tokio::time::sleep(FAILURE_PAUSE).await;
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// Answers the requests of one connection, one after the other.
async fn converse(
    mut stream: TcpStream,
    records: &Records,
    mut stopping: watch::Receiver<bool>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    loop {
        let request = tokio::select! {
            request = timeout(PATIENCE, read_message(&mut stream)) => request??,
            _ = stopping.wait_for(|stop| *stop) => return Ok(()),
        };
        let Some(request) = request else { return Ok(()) };
        let Some(response) = respond(records, &request, Transport::Tcp) else {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not a request"));
        };
        timeout(PATIENCE, stream.write_all(&framed(&response)?)).await??;
    }
}

/// The next message; `None` when the other side has closed the connection between two.
async fn read_message(stream: &mut TcpStream) -> io::Result<Option<Vec<u8>>> {
    let length = match stream.read_u16().await {
        Ok(length) => length,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut message = vec![0; usize::from(length)];
    stream.read_exact(&mut message).await?;
    Ok(Some(message))
}

/// A message with its length in front, in one piece, so that it leaves in one segment.
fn framed(message: &[u8]) -> io::Result<Vec<u8>> {
    let length = u16::try_from(message.len()).map_err(io::Error::other)?;
    let mut framed = Vec::with_capacity(message.len() + 2);
    framed.extend_from_slice(&length.to_be_bytes());
    framed.extend_from_slice(message);
    Ok(framed)
}
