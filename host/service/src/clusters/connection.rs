//! The way into one cluster, and what is watched there.

use std::sync::Arc;

use openmcp_dns_core::chain;
use openmcp_dns_core::cluster::ClusterId;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::api_client::{Watches, of_leader};
use crate::duties::Way;
use crate::duties::forward::{self, Layout};
use crate::duties::pulse::{self, Pulse};
use crate::inventory::Access;
use crate::observe::observe;
use crate::settings::Settings;
use crate::tasks::Tasks;

/// The way into one cluster, open or not.
pub(super) struct Connection {
    id: ClusterId,
    settings: Arc<Settings>,
    tasks: Tasks,
    /// The client for Events; they are written beside the controller.
    client: watch::Sender<Option<kube::Client>>,
    open: Option<Open>,
}

/// An open way. Its watches end with it.
struct Open {
    access: Access,
    /// The client, or why there is none.
    client: Result<kube::Client, String>,
    layout: watch::Receiver<Layout>,
    pulse: watch::Receiver<Pulse>,
    _ends_watches: DropGuard,
}

impl Connection {
    /// A way that is not open; `client` is told when it is.
    pub(super) const fn new(
        id: ClusterId,
        settings: Arc<Settings>,
        tasks: Tasks,
        client: watch::Sender<Option<kube::Client>>,
    ) -> Self {
        Self { id, settings, tasks, client, open: None }
    }

    /// Whether there is access, of use or not.
    pub(super) const fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// What the duties may use.
    pub(super) fn way(&self) -> Way<'_> {
        match &self.open {
            None => Way::None,
            Some(Open { client: Err(why), .. }) => Way::Unusable(why),
            Some(Open { client: Ok(client), layout, pulse, .. }) => Way::Open { client, layout, pulse },
        }
    }

    /// Waits for a change of what is known of the cluster; for ever where nothing is.
    pub(super) async fn changed(&mut self) {
        let Some(open) = &mut self.open else { return std::future::pending().await };
        tokio::select! {
            Ok(()) = open.layout.changed() => {}
            Ok(()) = open.pulse.changed() => {}
            else => std::future::pending().await,
        }
    }

    /// Opens the way into the cluster, and opens it anew when the access has changed.
    pub(super) async fn open(&mut self, access: Option<&Access>) {
        let Some(access) = access else { return self.close() };
        if self.open.as_ref().is_some_and(|open| open.access == *access) {
            return;
        }
        let made = access.client().await.map_err(|error| chain(&error));
        let made = made.map(|client| Watches::of(of_leader(client, self.settings.leadership.clone())));
        let (client, watches) =
            made.map_or_else(|why| (Err(why), None), |(client, watches)| (Ok(client), Some(watches)));
        let cancel = self.settings.cancel.child_token();
        let (layout_sender, layout) = watch::channel(Layout::Unknown);
        let (pulse_sender, pulse) = watch::channel(Pulse::default());
        if let (Ok(client), Some(watches)) = (&client, watches) {
            observe(&self.id, client, &self.settings.observations, &cancel, &self.tasks);
            let (first, second) = (client.clone(), client.clone());
            let cancel: CancellationToken = cancel.clone();
            self.tasks.spawn(async move {
                let both = async {
                    tokio::join!(
                        forward::follow(first, layout_sender),
                        pulse::follow(second, watches, pulse_sender)
                    )
                };
                cancel.run_until_cancelled(both).await;
            });
        }
        self.client.send_replace(client.as_ref().ok().cloned());
        let access = access.clone();
        self.open = Some(Open { access, client, layout, pulse, _ends_watches: cancel.drop_guard() });
    }

    pub(super) fn close(&mut self) {
        self.open = None;
        self.client.send_replace(None);
    }
}
