//! Whether a cluster's API server answers at all.
//!
//! Its watches do not say it: one of a server that is stopped, or cut off, is as quiet as one of a cluster
//! where nothing happens. So it is asked something small, again and again. As long as it is silent, nothing else that goes on
//! beside is asked: a thousand clusters that are away cost a connection each, and that seldom.

use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::{Request, Response};
use kube::client::Body;
use openmcp_dns_core::chain;
use thiserror::Error;
use tokio::sync::watch;

use super::{BoxError, Watches};
use crate::watch::tell;

/// How often to ask. With the time limit of a request, a server that is silent is known to be 15 seconds later.
const PAUSE: Duration = Duration::from_secs(5);

/// How long to wait before a server is asked again that has been silent for long. It was away for longer than that.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What the API server said last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Pulse {
    /// It has not been asked yet.
    #[default]
    Unasked,
    /// Something.
    Answers,
    /// Nothing, or that it is out of order; which.
    Silent(String),
    /// That it does not know who asks.
    Unauthorized,
}

/// Asks until nobody wants to know any more. When the server answers again, its watches go on anew.
pub async fn follow(client: kube::Client, watches: Watches, pulse: watch::Sender<Pulse>) {
    let asking = async {
        let mut pause = PAUSE;
        loop {
            let now = ask(&client).await;
            let (answers, is_silent) = (now == Pulse::Answers, matches!(now, Pulse::Silent(_)));
            if tell(&pulse, now) && answers {
                watches.renew();
            }
            tokio::time::sleep(pause_of(pause, fastrand::f64())).await;
            pause = if is_silent { (pause * 2).min(LONGEST_PAUSE) } else { PAUSE };
        }
    };
    tokio::select! {
        () = asking => {}
        () = pulse.closed() => {}
    }
}

/// Those of clusters that were cut off together come apart; `random` is below 1.
fn pause_of(pause: Duration, random: f64) -> Duration {
    if pause <= PAUSE { pause } else { pause.mul_f64(0.75 + random / 4.0) }
}

async fn ask(client: &kube::Client) -> Pulse {
    // The smallest answer that every user may have (ClusterRole `system:discovery`); no etcd is asked for it.
    match client.list_core_api_versions().await {
        Err(kube::Error::Api(status)) if status.code == 401 => Pulse::Unauthorized,
        // A refusal is an answer too. The others are of a server that is out of order, or of a proxy before it.
        Err(kube::Error::Api(status)) if status.code < 500 => Pulse::Answers,
        Err(error) => Pulse::Silent(chain(&error)),
        Ok(_) => Pulse::Answers,
    }
}

/// The server does not answer, so it is not asked.
#[derive(Debug, Error)]
#[error("{0}")]
struct Silent(String);

/// The same client, which asks nothing before the server has answered, and nothing while it is silent.
#[must_use]
pub fn while_answering(client: kube::Client, pulse: watch::Receiver<Pulse>) -> kube::Client {
    let namespace = client.default_namespace().to_owned();
    kube::Client::new(WhileAnswering { client, pulse }, namespace)
}

#[derive(Clone)]
struct WhileAnswering {
    client: kube::Client,
    pulse: watch::Receiver<Pulse>,
}

impl tower::Service<Request<Body>> for WhileAnswering {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let Self { client, mut pulse } = self.clone();
        async move {
            // An error says that nobody asks any more, and nobody waits for an answer then.
            let now = pulse.wait_for(|pulse| *pulse != Pulse::Unasked).await.map(|pulse| pulse.clone());
            if let Ok(Pulse::Silent(why)) = now {
                return Err(Silent(why).into());
            }
            // The error stays a `kube::Error`: the outer client finds it again.
            Ok(client.send(request).await?)
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::ConfigMap;
    use kube::Api;
    use kube::api::ListParams;
    use openmcp_dns_kube_memory::{Effect, Fault, Server};

    use super::*;

    #[test]
    fn who_answers_is_asked_evenly_and_who_has_been_silent_for_long_seldom() {
        assert_eq!(pause_of(PAUSE, 0.0), PAUSE);
        assert_eq!(pause_of(LONGEST_PAUSE, 0.0), Duration::from_secs(45));
        assert!(pause_of(LONGEST_PAUSE, 1.0) <= LONGEST_PAUSE);
    }

    #[tokio::test]
    async fn nothing_is_asked_of_a_server_before_it_has_answered_and_while_it_is_silent() {
        let server = Server::new("w1");
        let (sender, pulse) = watch::channel(Pulse::default());
        let api: Api<ConfigMap> = Api::all(while_answering(server.client(), pulse));
        let first = tokio::spawn({
            let api = api.clone();
            async move { api.list(&ListParams::default()).await }
        });
        tokio::task::yield_now().await;
        assert_eq!(server.requests().len(), 0);
        let (client, watches) = Watches::of(server.client());
        let fault = server.fail(Fault::new(Effect::Disconnect));
        let asking = tokio::spawn(follow(client, watches, sender));
        let error = chain(&first.await.unwrap().unwrap_err());
        server.heal(fault);
        let asked = server.requests();
        assert_eq!(asked.values().sum::<u64>(), 1, "its pulse, and nothing else: {error}");
        assert!(api.list(&ListParams::default()).await.is_err());
        assert_eq!(server.requests(), asked);
        asking.abort();
    }

    #[tokio::test]
    async fn a_server_that_answers_is_asked() {
        let server = Server::new("w1");
        let (sender, pulse) = watch::channel(Pulse::default());
        let (client, watches) = Watches::of(server.client());
        let asking = tokio::spawn(follow(client, watches, sender));
        let api: Api<ConfigMap> = Api::all(while_answering(server.client(), pulse));
        assert!(api.list(&ListParams::default()).await.is_ok());
        asking.abort();
    }
}
