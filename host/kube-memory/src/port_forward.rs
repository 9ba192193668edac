//! Port-forwards: what kubelet does for a real server.
//!
//! Websockets begin as a request whose connection is handed over. There is no connection here, so one is made in memory for each, with
//! HTTP on both ends of it.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use http::request::Parts;
use http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::path::{Path, Place, Verb};
use crate::refusal::Refusal;
use crate::service::ResponseBody;
use crate::state::Call;

/// What kubelet speaks.
const PROTOCOL: &str = "v4.channel.k8s.io";

/// The channel of what goes to and fro, and the one that says what went wrong.
const DATA: u8 = 0;
const ERROR: u8 = 1;

/// What listens on ports of pods: by namespace, pod and port.
pub(crate) type Ports = BTreeMap<(String, String, u16), SocketAddr>;

/// The pod that a request wants a port of; `None` for any other request.
pub(crate) fn asked(call: &Call) -> Option<(String, String)> {
    let Path::Objects(Place { group, plural, namespace, name, subresource, .. }) = &call.path else {
        return None;
    };
    let is_asked = group.is_empty() && plural == "pods" && subresource.as_deref() == Some("portforward");
    (is_asked && call.verb == Verb::Get).then(|| Some((namespace.clone()?, name.clone()?)))?
}

/// Answers with a connection to what listens there.
pub(crate) async fn answer(
    parts: Parts,
    pod: (String, String),
    ports: &Ports,
) -> io::Result<Result<Response<ResponseBody>, Refusal>> {
    let (namespace, name) = pod;
    let query = parts.uri.query().unwrap_or_default();
    let port = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "ports");
    let Some(port) = port.and_then(|(_, port)| port.parse().ok()) else {
        return Ok(Err(Refusal::bad_request("query parameter \"ports\" is required")));
    };
    let is_pod = |(at, pod, _): &&(String, String, u16)| (at, pod) == (&namespace, &name);
    if !ports.keys().any(|key| is_pod(&key)) {
        return Ok(Err(Refusal::new(404, "NotFound", format!("pods {name:?} not found"))));
    }
    let listens = ports.get(&(namespace, name, port)).copied();
    let (near, far) = duplex(64 * 1024);
    tokio::spawn(async move {
        let hand_over = service_fn(move |request| hand_over(request, port, listens));
        let server = hyper::server::conn::http1::Builder::new();
        // Who has asked goes away at any time.
        let _ = server.serve_connection(TokioIo::new(far), hand_over).with_upgrades().await;
    });
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(near)).await.map_err(io::Error::other)?;
    tokio::spawn(connection.with_upgrades());
    let request = Request::from_parts(parts, Empty::<Bytes>::new());
    let answer = sender.send_request(request).await.map_err(io::Error::other)?;
    Ok(Ok(answer.map(|_| Empty::new().boxed_unsync())))
}

async fn hand_over(
    mut request: Request<Incoming>,
    port: u16,
    listens: Option<SocketAddr>,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        if let Ok(upgraded) = upgrade.await {
            forward(upgraded, port, listens).await;
        }
    });
    let mut answer = Response::new(Empty::new());
    *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    for (name, value) in [
        (header::CONNECTION, "Upgrade"),
        (header::UPGRADE, "websocket"),
        (header::SEC_WEBSOCKET_PROTOCOL, PROTOCOL),
    ] {
        answer.headers_mut().insert(name, header::HeaderValue::from_static(value));
    }
    Ok(answer)
}

/// Carries bytes until one of both ends.
async fn forward(upgraded: Upgraded, port: u16, listens: Option<SocketAddr>) {
    let mut socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, None).await;
    let message = |channel: u8, data: &[u8]| Message::binary([&[channel], data].concat());
    for channel in [DATA, ERROR] {
        if socket.send(message(channel, &port.to_le_bytes())).await.is_err() {
            return;
        }
    }
    let connected = match listens {
        Some(address) => TcpStream::connect(address).await,
        None => Err(io::ErrorKind::ConnectionRefused.into()),
    };
    let mut stream = match connected {
        Ok(stream) => stream,
        Err(error) => {
            let why = format!("an error occurred forwarding {port}: {error}");
            let _ = socket.send(message(ERROR, why.as_bytes())).await;
            return;
        }
    };
    let mut buffer = [0; 4096];
    loop {
        tokio::select! {
            read = stream.read(&mut buffer) => match read {
                Ok(length) if length > 0 => {
                    if socket.send(message(DATA, &buffer[..length])).await.is_err() {
                        return;
                    }
                }
                _ => return drop(socket.close(None).await),
            },
            received = socket.next() => match received {
                Some(Ok(Message::Binary(data))) if data.first() == Some(&DATA) => {
                    if stream.write_all(&data[1..]).await.is_err() {
                        return;
                    }
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => {}
            },
        }
    }
}
