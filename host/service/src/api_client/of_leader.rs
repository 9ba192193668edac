//! Clients that write only while we lead.
//!
//! Who writes asks before it begins something. This asks once more when a request is sent: a process that was stopped
//! in between has not noticed that somebody else leads.

use std::task::{Context, Poll};

use futures::future::{BoxFuture, FutureExt as _, ready};
use http::{Method, Request, Response};
use kube::client::Body;
use thiserror::Error;

use super::BoxError;
use crate::leadership::Leadership;

/// We do not lead.
#[derive(Debug, Error)]
#[error("nothing is written to API servers by a replica that does not lead")]
struct NotLeading;

/// The same client, whose every request that is not a question is refused while we do not lead.
#[must_use]
pub fn of_leader(client: kube::Client, leadership: Leadership) -> kube::Client {
    let namespace = client.default_namespace().to_owned();
    kube::Client::new(OfLeader { client, leadership }, namespace)
}

#[derive(Clone)]
struct OfLeader {
    client: kube::Client,
    leadership: Leadership,
}

impl tower::Service<Request<Body>> for OfLeader {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if request.method() != Method::GET && !self.leadership.is_leading() {
            return ready(Err(NotLeading.into())).boxed();
        }
        let client = self.client.clone();
        // The error stays a `kube::Error`: the outer client finds it again.
        async move { Ok(client.send(request).await?) }.boxed()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::Api;
    use kube::api::PostParams;
    use openmcp_dns_core::leadership::Timing;
    use openmcp_dns_kube_memory::Server;

    use super::*;
    use crate::leadership::{LeaseName, elect};

    #[tokio::test]
    async fn a_standby_may_read_and_not_write() {
        let server = Server::new("platform");
        let object: ConfigMap =
            serde_json::from_value(serde_json::json!({ "metadata": { "name": "a" } })).unwrap();
        let lease = LeaseName { namespace: "default".to_owned(), name: "lease".to_owned() };
        let timing = Timing::of(Duration::from_secs(1));
        let (standing_by, _elector) = elect(server.client(), lease, "standby".to_owned(), timing);
        let api =
            |leadership| Api::<ConfigMap>::namespaced(of_leader(server.client(), leadership), "default");
        let refused = api(standing_by.clone()).create(&PostParams::default(), &object).await.unwrap_err();
        assert!(openmcp_dns_core::chain(&refused).contains("does not lead"), "{refused:?}");
        assert!(api(standing_by.clone()).get_opt("a").await.unwrap().is_none());
        api(Leadership::alone("leader".to_owned())).create(&PostParams::default(), &object).await.unwrap();
        assert!(api(standing_by).get_opt("a").await.unwrap().is_some());
    }
}
