//! Datagrams.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::watch;
use tracing::{debug, warn};

use crate::records::Records;
use crate::respond::{Transport, respond};

/// Largest request that is read, in bytes. Questions have at most 300 bytes and a few options; the
/// rest of a larger datagram is cut off, and what is left is then malformed.
const MAX_REQUEST_BYTES: usize = 4096;

/// Pause after the socket failed, for example for want of memory: without it, the task would spin.
const FAILURE_PAUSE: Duration = Duration::from_millis(100);

/// Answers datagrams, one after the other, until told to stop. Several tasks may share one socket.
pub(crate) async fn serve(socket: Arc<UdpSocket>, records: Records, mut stopping: watch::Receiver<bool>) {
    let mut request = vec![0; MAX_REQUEST_BYTES];
    loop {
        let received = tokio::select! {
            received = socket.recv_from(&mut request) => received,
            // An error says that the server itself is gone.
            _ = stopping.wait_for(|stop| *stop) => return,
        };
        let (length, asker) = match received {
            Ok(received) => received,
            Err(error) => {
                warn!(%error, "unable to receive a datagram");
                tokio::time::sleep(FAILURE_PAUSE).await;
                continue;
            }
        };
        // Nobody listens on port 0, and the system refuses to send there.
        if asker.port() == 0 {
            continue;
        }
        let Some(response) = respond(&records, &request[..length], Transport::Udp) else { continue };
        if let Err(error) = socket.send_to(&response, asker).await {
            debug!(%asker, %error, "unable to send a response");
        }
    }
}
