//! The way into one cluster, and what is watched there.

use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::ClusterController;
use crate::forward::{Layout, follow};
use crate::inventory::Access;
use crate::observe::observe;

/// An open way into the cluster. Its watches end with it.
pub(super) struct Connection {
    access: Access,
    /// The client, or why there is none.
    pub(super) client: Result<kube::Client, String>,
    pub(super) layout: watch::Receiver<Layout>,
    _ends_watches: DropGuard,
}

impl Connection {
    /// Waits for a change of the cluster's DNS configuration; for ever where there is none.
    pub(super) async fn changed(connection: Option<&mut Self>) {
        if let Some(connection) = connection
            && connection.layout.changed().await.is_ok()
        {
            return;
        }
        std::future::pending().await
    }
}

impl ClusterController {
    /// Opens the way into the cluster, and opens it anew when the access has changed.
    pub(super) async fn connect(&mut self, access: Option<&Access>) {
        let Some(access) = access else { return self.disconnect() };
        if self.connection.as_ref().is_some_and(|connection| connection.access == *access) {
            return;
        }
        let client = access.client().await.map_err(|error| openmcp_dns_core::chain(&error));
        let cancel = self.settings.cancel.child_token();
        let (layout_sender, layout) = watch::channel(Layout::Unknown);
        if let Ok(client) = &client {
            let settings = &self.settings;
            observe(&self.id, client, &settings.observations, &cancel, &settings.tasks);
            let (client, cancel): (_, CancellationToken) = (client.clone(), cancel.clone());
            settings.tasks.spawn(async move {
                cancel.run_until_cancelled(follow(client, layout_sender)).await;
            });
        }
        self.client.send_replace(client.as_ref().ok().cloned());
        self.connection =
            Some(Connection { access: access.clone(), client, layout, _ends_watches: cancel.drop_guard() });
    }

    pub(super) fn disconnect(&mut self) {
        self.connection = None;
        self.client.send_replace(None);
    }
}
