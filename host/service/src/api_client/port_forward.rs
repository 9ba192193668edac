//! A way to a port of a pod through the API server, as `kubectl port-forward` has it.
//!
//! ```text
//! we ──websocket (v4.channel.k8s.io)──► API server ──► kubelet ──► the pod's own localhost
//! ```
//! Every message begins with the number of a channel: 0 has the bytes, 1 says what went wrong; the first message of each only repeats the
//! port. kube has the same (`ws`), in tasks of its own that a server may keep for ever, and with messages of 64 MiB.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use http::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use kube::client::Body;
use serde::Deserialize;
use thiserror::Error;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message};

/// What kubelet speaks.
const PROTOCOL: &str = "v4.channel.k8s.io";

/// Longest message, in bytes: kubelet sends what it reads at once, 32 kB at most.
const LONGEST_MESSAGE: usize = 128 * 1024;

/// Room for what is read at once, in bytes: an answer of DNS is short.
const READ_BUFFER: usize = 4 * 1024;

/// How much is told of what a server says, in characters.
const LONGEST_REASON: usize = 300;

/// The channels.
const DATA: u8 = 0;
const ERROR: u8 = 1;

/// Why there is no way to a port of a pod.
#[derive(Debug, Error)]
pub enum PortForwardError {
    /// The request cannot be made, or is not answered.
    #[error("unable to ask for a port-forward")]
    Request(#[source] kube::Error),
    /// The API server, or kubelet, refuses.
    #[error("port-forward is refused with status {}: {message}", .code.as_u16())]
    Refused {
        /// The HTTP status.
        code: StatusCode,
        /// What it says.
        message: String,
    },
    /// The connection is not handed over.
    #[error("the API server does not hand the connection over")]
    Upgrade(#[source] hyper::Error),
    /// The connection ends, or somebody speaks something else.
    #[error("the port-forward failed")]
    Socket(#[source] Box<tungstenite::Error>),
    /// Nothing listens in the pod, for example.
    #[error("{0}")]
    Pod(String),
    /// The pod, or the API server, has ended it.
    #[error("the connection was closed")]
    Closed,
}

impl PortForwardError {
    /// Whether rights are missing.
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if *code == StatusCode::FORBIDDEN)
    }
}

/// A connection to a port of a pod. It ends with the value; nothing runs beside it.
pub struct PortForward {
    socket: WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>,
    /// Channels whose first message has come.
    begun: [bool; 2],
}

impl PortForward {
    /// Asks for a way to a port of a pod. That something listens there shows only when it answers. The API server may take as long as it
    /// likes: whoever calls sets an end.
    ///
    /// # Errors
    /// When the API server refuses it, or is out of order.
    pub async fn open(
        client: &kube::Client,
        namespace: &str,
        pod: &str,
        port: u16,
    ) -> Result<Self, PortForwardError> {
        let request =
            Request::get(format!("/api/v1/namespaces/{namespace}/pods/{pod}/portforward?ports={port}"))
                .header(header::CONNECTION, "Upgrade")
                .header(header::UPGRADE, "websocket")
                .header(header::SEC_WEBSOCKET_VERSION, "13")
                // It proves to who answers that nobody has kept the answer; over TLS, nobody can have.
                .header(header::SEC_WEBSOCKET_KEY, BASE64_STANDARD.encode(fastrand::u128(..).to_ne_bytes()))
                .header(header::SEC_WEBSOCKET_PROTOCOL, PROTOCOL)
                .body(Body::empty())
                .map_err(|error| PortForwardError::Request(kube::Error::HttpError(error)))?;
        let answer = client.send(request).await.map_err(PortForwardError::Request)?;
        let code = answer.status();
        if code != StatusCode::SWITCHING_PROTOCOLS {
            let body = answer.into_body().collect_bytes().await.map_err(PortForwardError::Request)?;
            return Err(PortForwardError::Refused { code, message: message(&body) });
        }
        let upgraded = hyper::upgrade::on(answer).await.map_err(PortForwardError::Upgrade)?;
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .max_message_size(Some(LONGEST_MESSAGE))
            .max_frame_size(Some(LONGEST_MESSAGE));
        let socket =
            WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Client, Some(config)).await;
        Ok(Self { socket, begun: [false; 2] })
    }

    /// Sends bytes to the pod.
    ///
    /// # Errors
    /// When the connection has ended.
    pub async fn send(&mut self, data: &[u8]) -> Result<(), PortForwardError> {
        let message = [&[DATA], data].concat();
        self.socket.send(Message::binary(message)).await.map_err(failed)
    }

    /// Waits for bytes of the pod. Whoever calls sets an end.
    ///
    /// # Errors
    /// When the connection has ended.
    pub async fn receive(&mut self) -> Result<Bytes, PortForwardError> {
        loop {
            let message = self.socket.next().await.ok_or(PortForwardError::Closed)?.map_err(failed)?;
            let mut data = match message {
                Message::Binary(data) if !data.is_empty() => data,
                Message::Close(_) => return Err(PortForwardError::Closed),
                _ => continue,
            };
            let channel = data.split_to(1)[0];
            let Some(begun) = self.begun.get_mut(usize::from(channel)) else { continue };
            if !std::mem::replace(begun, true) {
                continue;
            }
            match channel {
                ERROR => return Err(PortForwardError::Pod(short(&String::from_utf8_lossy(&data)))),
                _ if data.is_empty() => {}
                _ => return Ok(data),
            }
        }
    }
}

fn failed(error: tungstenite::Error) -> PortForwardError {
    match error {
        tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed => PortForwardError::Closed,
        error => PortForwardError::Socket(Box::new(error)),
    }
}

/// What of a `Status` is for people.
#[derive(Deserialize)]
struct Refusal {
    message: String,
}

fn message(body: &[u8]) -> String {
    let refusal: Result<Refusal, _> = serde_json::from_slice(body);
    short(&refusal.map_or_else(|_| String::from_utf8_lossy(body).into_owned(), |refusal| refusal.message))
}

fn short(text: &str) -> String {
    text.trim().chars().take(LONGEST_REASON).collect()
}

#[cfg(test)]
mod tests {
    use openmcp_dns_kube_memory::Server;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn bytes_go_to_the_pod_and_come_back() {
        let server = Server::new("w1");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        server.listen("kube-system", "coredns", 53, Some(listener.local_addr().unwrap()));
        let echo = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut word = [0; 5];
            stream.read_exact(&mut word).await.unwrap();
            stream.write_all(&word).await.unwrap();
        });
        let client = crate::api_client::limited(server.client());
        let mut way = PortForward::open(&client, "kube-system", "coredns", 53).await.unwrap();
        way.send(b"hello").await.unwrap();
        assert_eq!(way.receive().await.unwrap(), "hello");
        echo.await.unwrap();
        assert!(matches!(way.receive().await, Err(PortForwardError::Closed)));
        let other = PortForward::open(&client, "kube-system", "another", 53).await.err().unwrap();
        assert!(other.to_string().contains("status 404: pods \"another\" not found"), "{other}");
        let mut other = PortForward::open(&client, "kube-system", "coredns", 54).await.unwrap();
        let error = other.receive().await.unwrap_err().to_string();
        assert!(error.contains("an error occurred forwarding 54"), "{error}");
    }

    #[tokio::test]
    async fn an_api_server_that_sends_too_much_at_once_is_not_listened_to() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let head =
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
            stream.write_all(head.as_bytes()).await.unwrap();
            // The head of a binary frame of a gigabyte.
            stream.write_all(&[&[0x82, 127][..], &(1u64 << 30).to_be_bytes()].concat()).await.unwrap();
            let _ = stream.read(&mut request).await;
        });
        let config = kube::Config::new(format!("http://{address}").parse().unwrap());
        let client = crate::api_client::client(config).unwrap();
        let mut way = PortForward::open(&client, "kube-system", "coredns", 53).await.unwrap();
        let error = openmcp_dns_core::chain(&way.receive().await.unwrap_err());
        assert!(error.contains("the port-forward failed"), "{error}");
    }
}
