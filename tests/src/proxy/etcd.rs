//! The way to etcd.

use std::net::SocketAddr;

use anyhow::Context as _;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Either, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2 as client_http2;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::net::TcpStream;

use super::{Asked, Way};

const TRANSACTION: &str = "/etcdserverpb.KV/Txn";

/// Calls that change nothing.
const READS: [&str; 5] = [
    "/etcdserverpb.Auth/Authenticate",
    "/etcdserverpb.Cluster/MemberList",
    "/etcdserverpb.KV/Range",
    "/etcdserverpb.Maintenance/Status",
    "/etcdserverpb.Watch/Watch",
];

/// What a message begins with in gRPC: whether it is compressed, and its length.
const FRAME_HEADER: usize = 5;

/// What a transaction may do, as far as it counts here (etcd's `rpc.proto`).
#[derive(Message)]
struct Transaction {
    #[prost(message, repeated, tag = "2")]
    success: Vec<Operation>,
}

#[derive(Message)]
struct Operation {
    #[prost(message, optional, tag = "2")]
    put: Option<Key>,
    #[prost(message, optional, tag = "3")]
    delete: Option<Key>,
}

#[derive(Message)]
struct Key {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
}

/// Passes the requests of one connection on.
pub(super) async fn pass(client: TcpStream, server: SocketAddr, way: Way) -> anyhow::Result<()> {
    let stream = TcpStream::connect(server).await.context("failed to reach etcd")?;
    let (server, connection) = client_http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    let service = service_fn(move |request| answer(request, server.clone(), way.clone()));
    let serving = http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(client), service);
    tokio::select! {
        ended = serving => ended.context("the connection of the service has ended"),
        ended = connection => ended.context("the connection to etcd has ended"),
    }
}

/// As the service has sent it, or read to its end.
type Sent = Either<Incoming, Full<Bytes>>;

async fn answer(
    request: Request<Incoming>,
    mut server: client_http2::SendRequest<Sent>,
    way: Way,
) -> anyhow::Result<Response<Incoming>> {
    let path = request.uri().path().to_owned();
    let asked = |verb: &str, what: String| Asked { server: "etcd".to_owned(), verb: verb.to_owned(), what };
    if READS.contains(&&*path) {
        way.read(asked("call", path));
        return Ok(server.send_request(request.map(Either::Left)).await?);
    }
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let message = body.get(FRAME_HEADER..).context("a call without a message")?;
    let changes = match &*path {
        TRANSACTION => changes(&Transaction::decode(message).context("not a transaction of etcd")?),
        _ => vec![path.clone()],
    };
    // Not before it is polled: the client sends at once.
    let sent = async {
        let request = Request::from_parts(head, Either::Right(Full::new(body)));
        server.send_request(request).await
    };
    if changes.is_empty() {
        way.read(asked("call", path));
        return Ok(sent.await?);
    }
    Ok(way.write(asked("change", changes.join(" ")), sent, Result::is_ok).await?)
}

/// What it does to which keys.
fn changes(transaction: &Transaction) -> Vec<String> {
    let changes = transaction.success.iter().flat_map(|operation| {
        let named = |verb: &str, key: &Key| format!("{verb} {}", String::from_utf8_lossy(&key.key));
        let put = operation.put.as_ref().map(|key| named("put", key));
        put.into_iter().chain(operation.delete.as_ref().map(|key| named("delete", key)))
    });
    changes.collect()
}
