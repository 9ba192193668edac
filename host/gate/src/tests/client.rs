//! A client that does what it likes.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::Code;

use super::certificates::Signed;

pub(super) type TestBody = UnsyncBoxBody<Bytes, io::Error>;

/// How a client comes.
#[derive(Clone)]
pub(super) struct Way {
    pub(super) gate: SocketAddr,
    /// From where it comes: `127.0.0.n`.
    pub(super) from: u8,
    pub(super) authority: String,
    pub(super) certificate: Option<Arc<Signed>>,
    pub(super) versions: &'static [&'static SupportedProtocolVersion],
    pub(super) alpn: &'static [u8],
}

pub(super) struct Client {
    sender: SendRequest<TestBody>,
    pub(super) driver: tokio::task::JoinHandle<hyper::Result<()>>,
}

/// What a call has come to.
#[derive(Debug)]
pub(super) struct Answer<R> {
    pub(super) code: Code,
    pub(super) message: String,
    pub(super) answer: Option<R>,
}

/// A message in its frame.
pub(super) fn framed(compressed: bool, message: &[u8]) -> Bytes {
    let mut frame = BytesMut::new();
    frame.put_u8(u8::from(compressed));
    frame.put_u32(u32::try_from(message.len()).unwrap());
    frame.put_slice(message);
    frame.freeze()
}

pub(super) fn whole(bytes: impl Into<Bytes>) -> TestBody {
    http_body_util::Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

impl Way {
    pub(super) async fn tcp(&self) -> io::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from(([127, 0, 0, self.from], 0)))?;
        socket.connect(self.gate).await
    }

    pub(super) fn tls(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.authority.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config =
            ClientConfig::builder_with_provider(provider).with_protocol_versions(self.versions).unwrap();
        let config = config.with_root_certificates(roots);
        let mut config = match &self.certificate {
            Some(signed) => config.with_client_auth_cert(signed.chain(), signed.private_key()).unwrap(),
            None => config.with_no_client_auth(),
        };
        config.alpn_protocols = vec![self.alpn.to_vec()];
        Arc::new(config)
    }

    pub(super) async fn secure(&self) -> io::Result<TlsStream<TcpStream>> {
        let connector = TlsConnector::from(self.tls());
        connector.connect(ServerName::try_from("gate").unwrap(), self.tcp().await?).await
    }

    /// Connects; an error where it is not let in. In TLS 1.3 that shows with the first answer.
    pub(super) async fn connect(&self) -> io::Result<Client> {
        Client::over(self.secure().await?).await
    }
}

impl Client {
    pub(super) async fn over(
        stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    ) -> io::Result<Self> {
        let (sender, connection) =
            handshake(TokioExecutor::new(), TokioIo::new(stream)).await.map_err(io::Error::other)?;
        Ok(Self { sender, driver: tokio::spawn(connection) })
    }

    /// Begins a call; what it leads to need not be waited for.
    pub(super) async fn send(
        &self,
        path: &str,
        headers: HeaderMap,
        body: TestBody,
    ) -> io::Result<impl Future<Output = hyper::Result<http::Response<hyper::body::Incoming>>> + use<>> {
        let mut request = Request::post(format!("https://gate{path}")).body(body).unwrap();
        request.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
        request.headers_mut().insert("te", "trailers".parse().unwrap());
        request.headers_mut().extend(headers);
        let mut sender = self.sender.clone();
        sender.ready().await.map_err(io::Error::other)?;
        Ok(sender.send_request(request))
    }

    pub(super) async fn call<R: Message + Default>(
        &self,
        path: &str,
        headers: HeaderMap,
        body: TestBody,
    ) -> io::Result<Answer<R>> {
        let response = self.send(path, headers, body).await?.await.map_err(io::Error::other)?;
        let of_headers = response.headers().clone();
        let body = response.into_body().collect().await.map_err(io::Error::other)?;
        let trailers = body.trailers().cloned().unwrap_or(of_headers);
        let text = |name| trailers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let code = Code::from_bytes(text("grpc-status").as_bytes());
        let bytes = body.to_bytes();
        let answer = bytes.get(5..).and_then(|message| R::decode(message).ok());
        Ok(Answer { code, message: text("grpc-message").replace("%20", " "), answer })
    }

    /// Calls a method of the KV service as it should be.
    pub(super) async fn kv<R: Message + Default>(
        &self,
        method: &str,
        message: &impl Message,
    ) -> io::Result<Answer<R>> {
        let body = whole(framed(false, &message.encode_to_vec()));
        self.call(&format!("/etcdserverpb.KV/{method}"), HeaderMap::new(), body).await
    }
}
