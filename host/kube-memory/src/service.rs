//! HTTP around the state.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _, stream};
use http::{HeaderMap, Request, Response, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited, StreamBody};
use kube::client::Body;
use serde_json::Value;
use tokio::time::Instant;

use crate::faults::{self, Effect};
use crate::path::Path;
use crate::port_forward;
use crate::refusal::Refusal;
use crate::server::{Server, lock};
use crate::state::{Answer, Call};
use crate::watch::Watch;

/// Longest body of a request, as at a real API server.
const LONGEST_BODY: usize = 3 * 1024 * 1024;

/// How often a watch is told how far it has read, if it wants to be.
const BOOKMARK_INTERVAL: Duration = Duration::from_secs(60);

pub(crate) type ResponseBody = UnsyncBoxBody<Bytes, Infallible>;

/// The service that a client calls.
#[derive(Clone)]
pub(crate) struct Api {
    server: Server,
}

impl Api {
    pub(crate) const fn new(server: Server) -> Self {
        Self { server }
    }
}

impl tower::Service<Request<Body>> for Api {
    type Response = Response<ResponseBody>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let server = self.server.clone();
        async move { answer(server, request).await }.boxed()
    }
}

async fn answer(server: Server, request: Request<Body>) -> io::Result<Response<ResponseBody>> {
    let (parts, body) = request.into_parts();
    let text = |name| header_text(&parts.headers, name);
    let (path, query) = (parts.uri.path(), parts.uri.query().unwrap_or_default());
    let parsed = Call::parse(&parts.method, path, query, text(header::ACCEPT), text(header::CONTENT_TYPE));
    let call = match parsed {
        Ok(call) => call,
        Err(refusal) => return Ok(refused(&refusal)),
    };
    let pod = port_forward::asked(&call);
    let served = match &call.path {
        _ if pod.is_some() => true,
        Path::Objects(at) => server.state().kind(at).is_ok(),
        _ => true,
    };
    server.count(call.verb, call.subject(), served);
    let effect = lock(&server.inner.faults).strike(&call);
    match effect {
        None => {}
        Some(Effect::Disconnect) => return Err(io::ErrorKind::ConnectionRefused.into()),
        Some(Effect::Refuse(code)) => return Ok(refused(&faults::refusal(code, &call))),
        Some(Effect::Hang) => return std::future::pending().await,
        Some(Effect::Delay(delay)) => tokio::time::sleep(delay).await,
    }
    if let Some(pod) = pod {
        let ports = lock(&server.inner.ports).clone();
        let answer = port_forward::answer(parts, pod, &ports).await?;
        return Ok(answer.unwrap_or_else(|refusal| refused(&refusal)));
    }
    let body = match Limited::new(body, LONGEST_BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            let message = format!("Request entity too large: limit is {LONGEST_BODY}");
            return Ok(refused(&Refusal::new(413, "RequestEntityTooLarge", message)));
        }
        Err(error) => return Err(io::Error::other(error)),
    };
    let now = server.now();
    let result = if call.verb.writes() {
        server.change(|state| state.answer(&call, &body, now))
    } else {
        server.state().answer(&call, &body, now)
    };
    Ok(match result {
        Ok(Answer::Object { code, body }) => json(code, &body),
        Ok(Answer::Watch(watch)) => response(200, streamed(server, watch)),
        Err(refusal) => refused(&refusal),
    })
}

/// The events of a watch, until it ends or its time is over.
fn streamed(server: Server, watch: Watch) -> ResponseBody {
    let timeout =
        watch.timeout_seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds.min(86_400)));
    let changes = server.changes();
    let start = Some((server, watch, changes, timeout, Instant::now() + BOOKMARK_INTERVAL));
    let frames = stream::unfold(start, |state| async move {
        let (server, mut watch, mut changes, timeout, mut bookmark) = state?;
        loop {
            changes.mark_unchanged();
            let read = server.state().read(&mut watch);
            if read.ended {
                return (!read.lines.is_empty()).then_some((read.lines, None));
            }
            if !read.lines.is_empty() {
                return Some((read.lines, Some((server, watch, changes, timeout, bookmark))));
            }
            tokio::select! {
                changed = changes.changed() => {
                    changed.ok()?;
                }
                () = tokio::time::sleep_until(bookmark) => {
                    bookmark = Instant::now() + BOOKMARK_INTERVAL;
                    let line = server.state().bookmark(&watch);
                    if let Some(line) = line {
                        return Some((line, Some((server, watch, changes, timeout, bookmark))));
                    }
                }
                () = until(timeout) => {
                    let line = server.state().bookmark(&watch);
                    return line.map(|line| (line, None));
                }
            }
        }
    });
    let frames = frames.map(|lines| Ok(http_body::Frame::data(Bytes::from(lines))));
    StreamBody::new(frames).boxed_unsync()
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

fn refused(refusal: &Refusal) -> Response<ResponseBody> {
    // A real one has a line of text for a path that it does not serve: who goes by a reason finds none.
    if *refusal == Refusal::no_such_page() {
        return response(refusal.code, Full::new(Bytes::from_static(b"404 page not found\n")).boxed_unsync());
    }
    json(refusal.code, &refusal.to_status())
}

fn json(code: u16, body: &Value) -> Response<ResponseBody> {
    response(code, Full::new(Bytes::from(body.to_string())).boxed_unsync())
}

fn response(code: u16, body: ResponseBody) -> Response<ResponseBody> {
    let mut response = Response::new(body);
    // A fault may ask for a code that is none.
    *response.status_mut() =
        http::StatusCode::from_u16(code).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    response
}

fn header_text(headers: &HeaderMap, name: header::HeaderName) -> &str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}
