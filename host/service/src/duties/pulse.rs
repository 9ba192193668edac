//! Whether a cluster's API server answers at all.
//!
//! Its watches do not say it: one of a server that is stopped, or cut off, is as quiet as one of a cluster
//! where nothing happens. So it is asked something small, again and again.

use std::time::Duration;

use openmcp_dns_core::chain;
use tokio::sync::watch;

use crate::api_client::Watches;
use crate::watch::tell;

/// How often to ask. With the time limit of a request, a server that is silent is known to be 15 seconds later.
const PAUSE: Duration = Duration::from_secs(5);

/// What the API server said last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Pulse {
    /// Something, or it has not been asked yet.
    #[default]
    Answers,
    /// Nothing, or that it is out of order; which.
    Silent(String),
    /// That it does not know who asks.
    Unauthorized,
}

/// Asks until nobody wants to know any more. When the server answers again, its watches go on anew.
pub async fn follow(client: kube::Client, watches: Watches, pulse: watch::Sender<Pulse>) {
    let asking = async {
        loop {
            let now = ask(&client).await;
            let answers = now == Pulse::Answers;
            if tell(&pulse, now) && answers {
                watches.renew();
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::select! {
        () = asking => {}
        () = pulse.closed() => {}
    }
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
