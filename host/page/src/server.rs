//! Serves the page.
//!
//! Whoever reaches the address can read it: there is no login. So that a web site which a person visits cannot read it
//! through that person's browser, a server on a loopback address answers only to the names of that (DNS rebinding). Every
//! connection carries one request, has its time, and there are few of them.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HOST, HeaderName, IF_NONE_MATCH,
    REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::question::{Question, from_path_part};
use crate::{Landscape, Source, html};

/// Connections at once: some browsers, each with one or two.
const CONNECTIONS: usize = 64;

/// Pages that are made at once: each asks those who do the work.
const PAGES: usize = 2;

/// How long a browser may take for its request.
const REQUEST: Duration = Duration::from_secs(10);

/// How long a connection may take, its answer included.
const CONNECTION: Duration = Duration::from_secs(60);

/// How long to wait when the system has no more sockets.
const NO_SOCKETS: Duration = Duration::from_millis(100);

/// Nothing is loaded but what this server has, and nobody frames the page.
const CONTENT: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
                       form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const FIXED: [(HeaderName, &str); 6] = [
    (CONTENT_SECURITY_POLICY, CONTENT),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    // What stands on it belongs on no disk.
    (CACHE_CONTROL, "no-store"),
];

const HTML: &str = "text/html; charset=utf-8";

/// The page on an address.
pub struct PageServer {
    listener: TcpListener,
    address: SocketAddr,
}

impl PageServer {
    /// Takes the address.
    ///
    /// # Errors
    /// When it is not free.
    pub async fn bind(address: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Shows what the source knows, until the future is dropped.
    pub async fn run(self, source: Arc<dyn Source>) {
        let pages = Arc::new(Pages::new(source, self.address.ip()));
        let connections = Arc::new(Semaphore::new(CONNECTIONS));
        loop {
            let Ok(permit) = Arc::clone(&connections).acquire_owned().await else { return };
            let stream = match self.listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::debug!(%error, "unable to take a connection to the page");
                    tokio::time::sleep(NO_SOCKETS).await;
                    continue;
                }
            };
            let pages = Arc::clone(&pages);
            tokio::spawn(async move {
                // It ends when its time is over, or the browser goes away; neither is a matter for anybody.
                let _ = tokio::time::timeout(CONNECTION, serve(stream, pages)).await;
                drop(permit);
            });
        }
    }
}

async fn serve(stream: TcpStream, pages: Arc<Pages>) -> hyper::Result<()> {
    let answer = service_fn(move |request: Request<_>| {
        let pages = Arc::clone(&pages);
        async move {
            let (parts, _): (_, hyper::body::Incoming) = request.into_parts();
            Ok::<_, std::convert::Infallible>(pages.answer(&parts.method, &parts.uri, &parts.headers).await)
        }
    });
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(REQUEST).keep_alive(false);
    server.serve_connection(TokioIo::new(stream), answer).await
}

/// What is answered to whom.
struct Pages {
    source: Arc<dyn Source>,
    is_loopback: bool,
    /// Tells the editions of this process from those of another.
    began: u128,
    making: Semaphore,
}

/// What was found at a path.
struct Found {
    status: StatusCode,
    content_type: &'static str,
    body: Bytes,
    /// Whether it says all that is to be known in its edition; if not, it is to be asked for again.
    is_whole: bool,
}

impl Pages {
    fn new(source: Arc<dyn Source>, listens_on: IpAddr) -> Self {
        let began = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        Self { source, is_loopback: listens_on.is_loopback(), began, making: Semaphore::new(PAGES) }
    }

    async fn answer(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Response<Full<Bytes>> {
        if method != Method::GET && method != Method::HEAD {
            let mut answer =
                respond(trouble(StatusCode::METHOD_NOT_ALLOWED, "Only GET and HEAD are answered"));
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return answer;
        }
        if self.is_loopback && !is_local(uri, headers) {
            let what = "This page is served on a loopback address only, and answers to no other name";
            return respond(trouble(StatusCode::MISDIRECTED_REQUEST, what));
        }
        // Before anything is looked at: what comes meanwhile is another edition.
        let edition = format!("\"{:x}-{:x}\"", self.began, self.source.edition());
        let is_known = headers.get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == edition.as_bytes());
        let (mut answer, is_whole) = if is_known {
            let mut answer = respond(Found {
                status: StatusCode::NOT_MODIFIED,
                content_type: HTML,
                body: Bytes::new(),
                is_whole: true,
            });
            answer.headers_mut().remove(CONTENT_TYPE);
            (answer, true)
        } else {
            let found = self.find(uri).await;
            let is_whole = found.is_whole;
            (respond(found), is_whole)
        };
        if let Some(edition) = HeaderValue::from_str(&edition).ok().filter(|_| is_whole) {
            answer.headers_mut().insert(ETAG, edition);
        }
        answer
    }

    async fn find(&self, uri: &Uri) -> Found {
        let fixed = |content_type, body: &'static str| Found {
            status: StatusCode::OK,
            content_type,
            body: Bytes::from_static(body.as_bytes()),
            is_whole: true,
        };
        match uri.path() {
            "/page.css" => fixed("text/css; charset=utf-8", include_str!("../assets/page.css")),
            "/page.js" => fixed("text/javascript; charset=utf-8", include_str!("../assets/page.js")),
            "/icon.svg" => fixed("image/svg+xml", include_str!("../assets/icon.svg")),
            path => {
                let Ok(_making) = self.making.acquire().await else {
                    return trouble(StatusCode::SERVICE_UNAVAILABLE, "The page is being closed");
                };
                let question = Question::parse(uri.query().unwrap_or_default());
                let (body, instance) = if path == "/" {
                    let landscape = self.source.landscape(&question).await;
                    (html::landscape(&landscape, &question), landscape.instance)
                } else if path == "/landscape.json" {
                    return json(&self.source.landscape(&question).await);
                } else if let Some(name) = path.strip_prefix("/names/").filter(|name| !name.is_empty()) {
                    let page = self.source.name(&from_path_part(name)).await;
                    (html::name(&page), page.instance)
                } else {
                    return trouble(StatusCode::NOT_FOUND, "There is no such page");
                };
                let is_whole = instance.starting.is_none();
                Found { status: StatusCode::OK, content_type: HTML, body: body.into(), is_whole }
            }
        }
    }
}

/// The same for programs.
fn json(landscape: &Landscape) -> Found {
    let is_whole = landscape.instance.starting.is_none();
    match serde_json::to_vec(landscape) {
        Ok(body) => {
            Found { status: StatusCode::OK, content_type: "application/json", body: body.into(), is_whole }
        }
        Err(error) => trouble(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

fn trouble(status: StatusCode, what: &str) -> Found {
    Found { status, content_type: HTML, body: html::trouble(what).into(), is_whole: false }
}

fn respond(found: Found) -> Response<Full<Bytes>> {
    let Found { status, content_type, body, .. } = found;
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.extend(FIXED.map(|(name, value)| (name, HeaderValue::from_static(value))));
    response
}

/// Whether a request is for this machine by a name that only this machine can have.
fn is_local(uri: &Uri, headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let host = host.to_str().ok().and_then(|host| host.parse::<http::uri::Authority>().ok());
    host.is_some_and(|host| is_loopback(host.host())) && uri.host().is_none_or(is_loopback)
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || address.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
