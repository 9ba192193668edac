//! Clients of API servers: every request has an end, in time and in size.
//!
//! An API server may be stopped, or cut off where nobody says so, and a cluster's one may be hostile. kube's own
//! read timeout is of the connection, so it would also end watches that are only quiet. The limits here
//! are of the request; of a watch only its beginning is limited, and how long one event may be. Watches
//! carry their own end: the server is asked for one, and the watcher does not wait much longer.

mod annotations;
mod at_most;
mod finalizers;
mod of_leader;
mod port_forward;
pub mod pulse;
mod served;
mod watches;

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::{Request, Response};
use http_body::Frame;
use kube::client::Body;
use thiserror::Error;
use tokio::time::{Sleep, sleep, timeout};

pub use annotations::{take_reconcile, use_up};
pub use at_most::at_most;
pub use finalizers::set_finalizers;
pub use of_leader::of_leader;
pub use port_forward::{PortForward, PortForwardError};
pub use pulse::{Pulse, while_answering};
pub use served::served_plurals;
pub use watches::Watches;

/// A server that takes longer to accept a connection counts as unreachable for now.
const CONNECT: Duration = Duration::from_secs(5);

/// How long an answer may take to begin. API servers answer within a second, and give up after 60.
const BEGIN: Duration = Duration::from_secs(10);

/// How long it may take until it has been read, from its beginning: a page of a list over a slow line.
const END: Duration = Duration::from_secs(60);

/// Longest answer, in bytes. Lists are read in pages of 500 objects, and an object of 100 kB is a rare one.
const LONGEST_ANSWER: usize = 64 * 1024 * 1024;

/// Longest event of a watch, in bytes. etcd takes objects of 1.5 MB, and JSON may double that.
const LONGEST_EVENT: usize = 8 * 1024 * 1024;

/// What the limits are.
#[derive(Clone, Copy)]
struct Limits {
    begin: Duration,
    end: Duration,
    longest_answer: usize,
    longest_event: usize,
}

/// Why a request has been ended.
#[derive(Debug, Error)]
pub enum LimitError {
    /// No answer has begun.
    #[error("no answer from the API server within {} s", .0.as_secs_f32())]
    Silent(Duration),
    /// The answer has not ended.
    #[error("the answer of the API server did not end within {} s", .0.as_secs_f32())]
    Slow(Duration),
    /// The answer, or an event of a watch, is too long.
    #[error("the API server sends more than {0} bytes at once")]
    Long(usize),
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Makes a client. Nothing is asked yet.
///
/// # Errors
/// When the configuration is of no use.
pub fn client(mut config: kube::Config) -> kube::Result<kube::Client> {
    config.connect_timeout = Some(CONNECT);
    Ok(limited(kube::Client::try_from(config)?))
}

/// The same client, each of whose requests has an end.
#[must_use]
pub fn limited(client: kube::Client) -> kube::Client {
    let limits =
        Limits { begin: BEGIN, end: END, longest_answer: LONGEST_ANSWER, longest_event: LONGEST_EVENT };
    with_limits(client, limits)
}

fn with_limits(client: kube::Client, limits: Limits) -> kube::Client {
    let namespace = client.default_namespace().to_owned();
    kube::Client::new(Limited { client, limits }, namespace)
}

#[derive(Clone)]
struct Limited {
    client: kube::Client,
    limits: Limits,
}

impl tower::Service<Request<Body>> for Limited {
    type Response = Response<LimitedBody>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let Self { client, limits } = self.clone();
        async move {
            let is_watch = is_watch(request.uri());
            let answer = timeout(limits.begin, client.send(request)).await;
            // The error stays a `kube::Error`: the outer client finds it again.
            let answer = answer.map_err(|_| LimitError::Silent(limits.begin))??;
            Ok(answer.map(|body| LimitedBody {
                inner: Box::pin(body),
                end: (!is_watch).then(|| Box::pin(sleep(limits.end))),
                received: 0,
                limits,
            }))
        }
        .boxed()
    }
}

/// As kube asks for a watch (`kube_core::Request::watch`).
fn is_watch(uri: &http::Uri) -> bool {
    uri.query().is_some_and(|query| query.split('&').any(|pair| pair == "watch=true"))
}

/// An answer that ends.
struct LimitedBody {
    inner: Pin<Box<Body>>,
    /// When it has to have ended; `None` of a watch.
    end: Option<Pin<Box<Sleep>>>,
    /// Bytes of the answer, or of the event of a watch that has not ended.
    received: usize,
    limits: Limits,
}

impl LimitedBody {
    fn count(&mut self, data: &[u8]) -> Result<(), LimitError> {
        let is_watch = self.end.is_none();
        let last_line = data.iter().rposition(|byte| is_watch && *byte == b'\n');
        self.received = match last_line {
            Some(at) => data.len() - at - 1,
            None => self.received + data.len(),
        };
        let most = if is_watch { self.limits.longest_event } else { self.limits.longest_answer };
        if self.received > most { Err(LimitError::Long(most)) } else { Ok(()) }
    }
}

impl http_body::Body for LimitedBody {
    type Data = bytes::Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let end = self.limits.end;
        if let Some(over) = &mut self.end
            && over.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(Some(Err(LimitError::Slow(end).into())));
        }
        let frame = ready!(self.inner.as_mut().poll_frame(context));
        let Some(Ok(frame)) = frame else {
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        };
        if let Some(data) = frame.data_ref() {
            self.count(data)?;
        }
        Poll::Ready(Some(Ok(frame)))
    }
}

#[cfg(test)]
mod tests {
    use futures::{StreamExt as _, TryStreamExt as _};
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::Api;
    use kube::api::{ListParams, WatchParams};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    const LIMITS: Limits = Limits {
        begin: Duration::from_millis(300),
        end: Duration::from_millis(300),
        longest_answer: 100_000,
        longest_event: 10_000,
    };

    /// A client of a server that takes every connection, and answers with this and nothing more.
    async fn client_of(answer: &'static str) -> Api<ConfigMap> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let mut open = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                stream.write_all(answer.as_bytes()).await.unwrap();
                open.push(stream);
            }
        });
        let config = kube::Config::new(format!("http://{address}").parse().unwrap());
        Api::default_namespaced(with_limits(kube::Client::try_from(config).unwrap(), LIMITS))
    }

    const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 999999\r\n\r\n";

    #[tokio::test]
    async fn a_server_that_accepts_and_is_silent_is_not_waited_for() {
        let silent = client_of("").await;
        let error = silent.list(&ListParams::default()).await.unwrap_err();
        let error = openmcp_dns_core::chain(&error);
        assert!(error.contains("no answer from the API server within 0.3 s"), "{error}");
        let error = silent.watch(&WatchParams::default(), "0").await.err().unwrap();
        assert!(openmcp_dns_core::chain(&error).contains("no answer"), "{error}");
    }

    #[tokio::test]
    async fn an_answer_that_does_not_go_on_is_not_waited_for() {
        let error = client_of(HEAD).await.list(&ListParams::default()).await.unwrap_err();
        let error = openmcp_dns_core::chain(&error);
        assert!(error.contains("did not end within 0.3 s"), "{error}");
    }

    #[tokio::test]
    async fn an_answer_or_an_event_without_end_is_not_kept() {
        let endless = format!("{HEAD}{}", " ".repeat(LIMITS.longest_answer + 1));
        let endless = client_of(endless.leak()).await;
        let error = endless.list(&ListParams::default()).await.unwrap_err();
        assert!(openmcp_dns_core::chain(&error).contains("more than 100000 bytes"), "{error}");
        let events = endless.watch(&WatchParams::default(), "0").await.unwrap();
        let error = events.boxed().try_next().await.err().unwrap();
        let error = openmcp_dns_core::chain(&error);
        assert!(error.contains("more than 10000 bytes"), "{error}");
    }

    #[tokio::test]
    async fn a_watch_is_not_ended_while_it_is_quiet() {
        let quiet = client_of(HEAD).await;
        let mut events = quiet.watch(&WatchParams::default(), "0").await.unwrap().boxed();
        let longer = LIMITS.end * 2;
        assert!(timeout(longer, events.try_next()).await.is_err(), "it is still open");
    }
}
