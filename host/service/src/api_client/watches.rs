//! Watches that can be begun again.
//!
//! Where a way was cut off, the connections of before may stay open and dead: what asks anew gets an answer,
//! and a watch waits for minutes until its time is over. One that ends goes on where it was: the
//! watcher begins the next one at the version that it has seen last.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::{Request, Response};
use http_body::Frame;
use kube::client::Body;
use tokio::sync::watch;

use super::is_watch;

/// The watches of a client.
pub struct Watches(watch::Sender<()>);

impl Watches {
    /// The same client, whose watches can be begun again.
    #[must_use]
    pub fn of(client: kube::Client) -> (kube::Client, Self) {
        let (sender, renewed) = watch::channel(());
        let namespace = client.default_namespace().to_owned();
        (kube::Client::new(Renewable { client, renewed }, namespace), Self(sender))
    }

    /// Those that run end, as if their time were over.
    pub fn renew(&self) {
        self.0.send_replace(());
    }
}

struct Renewable {
    client: kube::Client,
    renewed: watch::Receiver<()>,
}

impl tower::Service<Request<Body>> for Renewable {
    type Response = Response<RenewableBody>;
    type Error = kube::Error;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (client, mut renewed) = (self.client.clone(), self.renewed.clone());
        async move {
            let is_watch = is_watch(request.uri());
            renewed.mark_unchanged();
            let answer = client.send(request).await?;
            let over = async move {
                // Nobody is left who could have it begun again.
                if renewed.changed().await.is_err() {
                    std::future::pending().await
                }
            };
            let over = is_watch.then(|| over.boxed());
            Ok(answer.map(|body| RenewableBody { inner: Box::pin(body), over }))
        }
        .boxed()
    }
}

/// An answer; that of a watch is over when the watch is to be begun again.
struct RenewableBody {
    inner: Pin<Box<Body>>,
    over: Option<BoxFuture<'static, ()>>,
}

impl http_body::Body for RenewableBody {
    type Data = bytes::Bytes;
    type Error = <Body as http_body::Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let frame = self.inner.as_mut().poll_frame(context);
        // What has arrived is read first.
        if frame.is_pending() && self.over.as_mut().is_some_and(|over| over.poll_unpin(context).is_ready()) {
            return Poll::Ready(None);
        }
        frame
    }
}

#[cfg(test)]
mod tests {
    use futures::{StreamExt as _, TryStreamExt as _};
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::Api;
    use kube::api::{ListParams, WatchParams};
    use openmcp_dns_kube_memory::Server;

    use super::*;

    #[tokio::test]
    async fn a_watch_that_is_begun_again_ends_as_if_its_time_were_over() {
        let server = Server::new("w1");
        let (client, watches) = Watches::of(server.client());
        let api: Api<ConfigMap> = Api::all(client);
        let mut running = api.watch(&WatchParams::default(), "0").await.unwrap().boxed();
        watches.renew();
        assert!(running.try_next().await.unwrap().is_none());
        assert!(api.list(&ListParams::default()).await.is_ok(), "whatever else is asked is answered");
        let later = api.watch(&WatchParams::default(), "0").await.unwrap().boxed();
        drop(watches);
        assert!(later.into_future().now_or_never().is_none(), "the next one runs");
    }
}
