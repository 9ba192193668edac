//! Serves metrics, and says whether the service lives and is ready.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use futures::future::BoxFuture;
use openmcp_dns_server::listen_tcp;
use tokio::net::TcpListener;

use super::Exposed;

/// The content type of the text format (OpenMetrics 1.0).
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// How long a part may take to give a sign of life.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

/// Asks a part for a sign of life; `false` when it has ended.
type Ask = Box<dyn Fn() -> BoxFuture<'static, bool> + Send + Sync>;

/// Says why something is not ready; `None` while it is.
type WhyNot = Box<dyn Fn() -> Option<String> + Send + Sync>;

/// Whether all that the service goes by is known (clusters, policies, and the access to clusters), and
/// whether its parts live.
#[derive(Clone, Default)]
pub struct Readiness(Arc<State>);

#[derive(Default)]
struct State {
    is_ready: AtomicBool,
    why_not: Option<WhyNot>,
    parts: Mutex<BTreeMap<&'static str, Arc<Ask>>>,
}

impl Readiness {
    /// Ready as long as `why_not` has no reason against it.
    pub fn unless(why_not: impl Fn() -> Option<String> + Send + Sync + 'static) -> Self {
        let (is_ready, why_not) = (AtomicBool::new(true), Some(Box::new(why_not) as WhyNot));
        Self(Arc::new(State { is_ready, why_not, parts: Mutex::default() }))
    }

    /// From now on the service is ready.
    pub fn set(&self) {
        self.0.is_ready.store(true, Ordering::Relaxed);
    }

    /// From now on the part of this name is asked for a sign of life; `false` says that it has ended.
    pub fn ask(
        &self,
        part: &'static str,
        ask: impl Fn() -> BoxFuture<'static, bool> + Send + Sync + 'static,
    ) {
        self.parts().insert(part, Arc::new(Box::new(ask)));
    }

    fn why_not(&self) -> Option<String> {
        if !self.0.is_ready.load(Ordering::Relaxed) {
            return Some("the lists of clusters, policies and Secrets have not been read yet".to_owned());
        }
        self.0.why_not.as_ref().and_then(|why_not| why_not())
    }

    fn parts(&self) -> MutexGuard<'_, BTreeMap<&'static str, Arc<Ask>>> {
        self.0.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The parts that give no sign of life in time.
    async fn silent(&self, limit: Duration) -> Vec<&'static str> {
        let parts = self.parts().clone();
        let asked = parts.into_iter().map(async |(part, ask)| {
            let lives = tokio::time::timeout(limit, ask()).await.unwrap_or(false);
            (!lives).then_some(part)
        });
        futures::future::join_all(asked).await.into_iter().flatten().collect()
    }
}

/// Answers `/metrics`, `/healthz` and `/readyz`.
pub struct MetricsServer {
    listener: TcpListener,
    router: Router,
}

impl MetricsServer {
    /// Takes the address.
    ///
    /// # Errors
    /// When it is not free.
    pub async fn bind(
        address: SocketAddr,
        metrics: impl Exposed,
        readiness: Readiness,
    ) -> std::io::Result<Self> {
        let listener = listen_tcp(address)?;
        let lives = readiness.clone();
        let router = Router::new()
            .route("/metrics", get(move || async move { text(&metrics) }))
            .route("/healthz", get(move || health(lives, SIGN_OF_LIFE)))
            .route("/readyz", get(move || async move { ready(&readiness) }));
        Ok(Self { listener, router })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until the future is dropped.
    pub async fn run(self) {
        if let Err(error) = axum::serve(self.listener, self.router).await {
            tracing::error!(error = openmcp_dns_core::chain(&error), "metrics are no longer served");
        }
    }
}

fn text(metrics: &impl Exposed) -> Response {
    match metrics.text() {
        Ok(text) => ([(CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

async fn health(readiness: Readiness, limit: Duration) -> Response {
    let silent = readiness.silent(limit).await;
    if silent.is_empty() {
        return "ok\n".into_response();
    }
    let why = format!("no sign of life from: {}\n", silent.join(", "));
    (StatusCode::SERVICE_UNAVAILABLE, why).into_response()
}

fn ready(readiness: &Readiness) -> Response {
    match readiness.why_not() {
        None => "ok
"
        .into_response(),
        Some(why) => (
            StatusCode::SERVICE_UNAVAILABLE,
            format!(
                "{why}
"
            ),
        )
            .into_response(),
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[test]
    fn it_is_ready_only_as_long_as_there_is_no_reason_against_it() {
        let reason = Arc::new(Mutex::new(Some("not read".to_owned())));
        let asked = Arc::clone(&reason);
        let readiness = Readiness::unless(move || asked.lock().unwrap().clone());
        assert_eq!(ready(&readiness).status(), StatusCode::SERVICE_UNAVAILABLE);
        *reason.lock().unwrap() = None;
        assert_eq!(ready(&readiness).status(), StatusCode::OK);
        *reason.lock().unwrap() = Some("silent".to_owned());
        assert_eq!(ready(&readiness).status(), StatusCode::SERVICE_UNAVAILABLE);
    }

    #[tokio::test]
    async fn a_part_that_does_not_answer_or_has_ended_is_named_as_silent() {
        let (readiness, limit) = (Readiness::default(), Duration::from_millis(50));
        readiness.ask("recorder", || async { true }.boxed());
        assert_eq!(health(readiness.clone(), SIGN_OF_LIFE).await.status(), StatusCode::OK);

        readiness.ask("prober", || std::future::pending().boxed());
        readiness.ask("journal", || async { false }.boxed());
        assert_eq!(readiness.silent(limit).await, ["journal", "prober"]);
        assert_eq!(health(readiness, limit).await.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
}
