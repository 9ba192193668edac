//! The `DNSServiceConfig` that counts, for what the duties have to know of it.

use std::sync::Arc;
use std::time::Duration;

use kube::Api;
use openmcp_dns_api::DNSServiceConfig;
use tokio::sync::{mpsc, watch as channel};

use crate::watch::{Named, tell, watch_if_served};

/// How soon it is asked again whether the kind is served.
const RETRY: Duration = Duration::from_secs(5);

/// The object, where there is one; `None` until that is known.
type Known = Option<Option<Arc<DNSServiceConfig>>>;

/// The `DNSServiceConfig` that counts. Clones are the same.
#[derive(Clone)]
pub struct ServiceConfig(channel::Receiver<Known>);

impl ServiceConfig {
    /// There is none, and never will be.
    #[must_use]
    pub fn none() -> Self {
        Self(channel::channel(Some(None)).1)
    }

    /// The one of a name, and what follows it.
    pub fn follow(platform: kube::Client, name: String) -> (Self, impl Future<Output = ()> + Send) {
        let (sender, known) = channel::channel(None);
        (Self(known), follow(platform, name, sender))
    }

    /// The object, where there is one; `None` until that is known.
    pub(crate) fn get(&self) -> Known {
        self.0.borrow().clone()
    }

    /// Told whenever it is another one.
    pub(crate) fn subscribe(&self) -> channel::Receiver<Known> {
        self.0.clone()
    }
}

async fn follow(platform: kube::Client, name: String, known: channel::Sender<Known>) {
    let mut config = Named::new(name);
    let (sender, mut updates) = mpsc::channel(16);
    let watching = watch_if_served(Api::<DNSServiceConfig>::all(platform), RETRY, sender, |update| update);
    let telling = async {
        while let Some(update) = updates.recv().await {
            config.take(update);
            tell(&known, config.object().map(|object| object.cloned()));
        }
    };
    tokio::join!(watching, telling);
}
