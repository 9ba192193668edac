//! What a cluster's DNS reads: the ConfigMap that holds its configuration.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::runtime::watcher;
use tokio::sync::{mpsc, watch};

use crate::watch::{Update, watch as watch_objects};

/// Where CoreDNS's configuration lies in clusters of the kubeadm layout.
pub(super) const NAMESPACE: &str = "kube-system";
pub(super) const CONFIG_MAP: &str = "coredns";

/// What is known of a cluster's DNS configuration.
#[derive(Clone, Debug)]
pub enum Layout {
    /// The API server has not said yet.
    Unknown,
    /// The ConfigMap that CoreDNS reads.
    Found(Box<ConfigMap>),
    /// There is none.
    Missing,
    /// The API server refuses, or does not answer.
    Trouble(String),
}

/// Follows the configuration until nobody looks at it any more.
pub async fn follow(client: kube::Client, layout: watch::Sender<Layout>) {
    let (sender, mut events) = mpsc::channel(16);
    let api: Api<ConfigMap> = Api::namespaced(client, NAMESPACE);
    let one = watcher::Config::default().fields(&format!("metadata.name={CONFIG_MAP}"));
    let watching = watch_objects(api, one, sender, |seen| seen);
    let telling = async {
        while let Some(seen) = events.recv().await {
            let now = match seen {
                Update::All(mut all) => {
                    all.pop().map_or(Layout::Missing, |found| Layout::Found(Box::new(found)))
                }
                Update::Set(found) => Layout::Found(found),
                Update::Removed(_) => Layout::Missing,
                // What was found stays true enough to go by.
                Update::Trouble(_) if matches!(*layout.borrow(), Layout::Found(_)) => continue,
                Update::Trouble(message) => Layout::Trouble(message),
            };
            layout.send_replace(now);
        }
    };
    tokio::select! {
        () = watching => {}
        () = telling => {}
        () = layout.closed() => {}
    }
}
