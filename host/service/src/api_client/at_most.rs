//! Clients that ask so much at the same time and no more.
//!
//! Each request under way has a connection of its own. A thousand controllers that begin at once would open as many, and the
//! API server would have them all give way, with whatever else asks it.

use std::sync::Arc;
use std::task::{Context, Poll};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::{Request, Response};
use kube::client::Body;
use tokio::sync::Semaphore;

use super::{BoxError, is_watch};

/// The same client, which waits for the answer to at most so many requests. Watches do not count: they are few, and go on.
#[must_use]
pub fn at_most(client: kube::Client, requests: usize) -> kube::Client {
    let namespace = client.default_namespace().to_owned();
    kube::Client::new(AtMost { client, turns: Arc::new(Semaphore::new(requests)) }, namespace)
}

#[derive(Clone)]
struct AtMost {
    client: kube::Client,
    turns: Arc<Semaphore>,
}

impl tower::Service<Request<Body>> for AtMost {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let Self { client, turns } = self.clone();
        async move {
            let turn = if is_watch(request.uri()) { None } else { Some(turns.acquire_owned().await?) };
            // The error stays a `kube::Error`: the outer client finds it again.
            let answer = client.send(request).await?;
            drop(turn);
            Ok(answer)
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::join_all;

    use super::*;

    /// Counts how many requests are under way.
    #[derive(Clone, Default)]
    struct Counting {
        now: Arc<AtomicUsize>,
        most: Arc<AtomicUsize>,
    }

    impl tower::Service<Request<Body>> for Counting {
        type Response = Response<Body>;
        type Error = Infallible;
        type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: Request<Body>) -> Self::Future {
            let counting = self.clone();
            async move {
                let now = counting.now.fetch_add(1, Ordering::Relaxed) + 1;
                counting.most.fetch_max(now, Ordering::Relaxed);
                tokio::task::yield_now().await;
                counting.now.fetch_sub(1, Ordering::Relaxed);
                Ok(Response::new(Body::empty()))
            }
            .boxed()
        }
    }

    async fn most_of(path: &str) -> usize {
        let counting = Counting::default();
        let client = at_most(kube::Client::new(counting.clone(), "default"), 3);
        let asked = (0..20).map(|_| client.send(Request::get(path).body(Body::empty()).unwrap()));
        assert!(join_all(asked).await.into_iter().all(|answer| answer.is_ok()));
        counting.most.load(Ordering::Relaxed)
    }

    #[tokio::test]
    async fn so_many_requests_are_under_way_and_watches_beside_them() {
        assert_eq!(most_of("/api/v1/pods").await, 3);
        assert_eq!(most_of("/api/v1/pods?watch=true").await, 20);
    }
}
