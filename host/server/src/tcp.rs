//! Streams: messages with their length in front (RFC 1035 section 4.2.2).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tracing::{debug, warn};

use crate::places::{MAX_CONNECTIONS, Places};
use crate::records::Records;
use crate::respond::{Transport, respond};

/// How long the rest of a request may take to arrive, or a response to be taken: those that take longer hold up
/// others.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often an idle connection looks whether it still may be.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// Pause after a connection could not be accepted, for example for want of file descriptors: without
/// it, the task would spin.
const FAILURE_PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections and answers on them, until told to stop.
pub(crate) async fn serve(listener: TcpListener, records: Records, mut stopping: watch::Receiver<bool>) {
    let all = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let places = Places::default();
    let mut connections = JoinSet::new();
    loop {
        let next = async {
            let one = Arc::clone(&all).acquire_owned().await.map_err(io::Error::other)?;
            let (stream, asker) = listener.accept().await?;
            Ok::<_, io::Error>((one, stream, asker))
        };
        let accepted = tokio::select! {
            accepted = next => accepted,
            Some(_) = connections.join_next() => continue,
            // An error says that the server itself is gone.
            _ = stopping.wait_for(|stop| *stop) => break,
        };
        match accepted {
            Ok((one, stream, asker)) => {
                let Some(place) = places.take(asker.ip()) else {
                    debug!(%asker, "it has all connections that one address may have");
                    continue;
                };
                let (records, places, stopping) = (records.clone(), places.clone(), stopping.clone());
                connections.spawn(async move {
                    let _held = (one, place);
                    if let Err(error) = converse(stream, &records, &places, stopping).await {
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
    places: &Places,
    mut stopping: watch::Receiver<bool>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    loop {
        let request = tokio::select! {
            request = next_request(&mut stream, places) => request?,
            _ = stopping.wait_for(|stop| *stop) => return Ok(()),
        };
        let Some(request) = request else { return Ok(()) };
        let Some(response) = respond(records, &request, Transport::Tcp) else {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "not a request"));
        };
        timeout(PATIENCE, stream.write_all(&framed(&response)?)).await??;
    }
}

/// The next request; `None` when the other side has closed the connection, or is idle for too long.
async fn next_request(stream: &mut TcpStream, places: &Places) -> io::Result<Option<Vec<u8>>> {
    let since = Instant::now();
    loop {
        // While it waits, the places may become few.
        let left = places.idle().saturating_sub(since.elapsed());
        if left.is_zero() {
            return Ok(None);
        }
        if let Ok(readable) = timeout(left.min(LOOK_INTERVAL), stream.readable()).await {
            readable?;
            return timeout(PATIENCE.min(places.idle()), read_message(stream)).await?;
        }
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
