//! The way into one cluster, and what is watched there.

use std::sync::Arc;

use openmcp_dns_core::agents::Step;
use openmcp_dns_core::cluster::ClusterId;
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::agents::Changes;
use crate::api_client::{Pulse, Watches, of_leader, pulse, while_answering};
use crate::duties::Way;
use crate::duties::forward::{self, LayoutView};
use crate::inventory::Access;
use crate::observe::{Observation, Watching, observe};
use crate::settings::Settings;
use crate::tasks::Tasks;
use openmcp_dns_api::conditions::Finding;

/// The way into one cluster, open or not.
pub(super) struct Connection {
    id: ClusterId,
    settings: Arc<Settings>,
    tasks: Tasks,
    /// The client for Events; they are written beside the controller.
    client: watch::Sender<Option<kube::Client>>,
    open: Option<Open>,
    /// Who says what the cluster asks for; `None` while that is not known.
    step: Option<Step>,
    /// Tells what its agent asks for, while the cluster is looked at.
    agent: Option<DropGuard>,
    /// Told when the agent is done, or another recorder is wanted.
    agent_changes: Changes,
    /// Whether the recorder knows that the objects are not watched.
    is_left: bool,
}

/// An open way. Its watches end with it.
struct Open {
    access: Access,
    /// The client, or why there is none.
    client: Result<kube::Client, Finding>,
    /// The same, which asks nothing while the API server is silent.
    patient: Option<kube::Client>,
    layout: LayoutView,
    pulse: watch::Receiver<Pulse>,
    /// The watches of what claims host names; `None` where the agent says that.
    watching: Option<Watching>,
    cancel: CancellationToken,
    _ends_watches: DropGuard,
}

impl Connection {
    /// A way that is not open; `client` is told when it is.
    pub(super) fn new(
        id: ClusterId,
        settings: Arc<Settings>,
        tasks: Tasks,
        client: watch::Sender<Option<kube::Client>>,
    ) -> Self {
        let agent_changes = settings.agents.changes(&id);
        Self {
            id,
            settings,
            tasks,
            client,
            open: None,
            step: None,
            agent: None,
            agent_changes,
            is_left: false,
        }
    }

    /// Whether there is access, of use or not.
    pub(super) const fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// What the duties may use. A server that is silent is left alone; they look again when it answers.
    pub(super) fn way(&self) -> Way<'_> {
        self.way_by(|open| open.patient.as_ref())
    }

    /// What the duties may use when the cluster leaves: also a silent server is asked, for there is no later.
    pub(super) fn last_way(&self) -> Way<'_> {
        self.way_by(|open| open.client.as_ref().ok())
    }

    fn way_by<'c>(&'c self, client: impl Fn(&'c Open) -> Option<&'c kube::Client>) -> Way<'c> {
        let Some(open) = &self.open else { return Way::None };
        match (&open.client, client(open)) {
            (Err(why), _) => Way::Unusable(why),
            (Ok(_), Some(client)) => Way::Open { client, layout: &open.layout, pulse: &open.pulse },
            (Ok(_), None) => Way::None,
        }
    }

    /// Waits for a change of what is known of the cluster; for ever where nothing is.
    pub(super) async fn changed(&mut self) {
        let Some(open) = &mut self.open else { return self.agent_changes.next().await };
        tokio::select! {
            true = open.layout.changed() => {}
            Ok(()) = open.pulse.changed() => {}
            () = self.agent_changes.next() => {}
        }
    }

    /// Opens the way into the cluster, and opens it anew when the access has changed.
    pub(super) async fn open(&mut self, access: Option<&Access>) {
        self.open_way(access).await;
        if self.step.is_none() {
            self.step = self.settings.agents.step(&self.id, false).await;
        }
        self.watch().await;
    }

    /// Goes on with the switch to another recorder, if there is one; `is_done` says whether all objects are known.
    pub(super) async fn switch(&mut self, is_done: bool) {
        // While it is not known, all stays as it is.
        self.step = self.settings.agents.step(&self.id, is_done).await.or(self.step);
        self.watch().await;
    }

    /// Has told what is known from the agent, from watches, or from both.
    async fn watch(&mut self) {
        let Settings { agents, observations, cancel, .. } = &*self.settings;
        if self.agent.is_none() {
            let (agents, id, cancel) = (agents.clone(), self.id.clone(), cancel.child_token());
            self.agent = Some(cancel.clone().drop_guard());
            self.tasks.spawn(async move { cancel.run_until_cancelled(agents.follow(&id)).await });
        }
        let Some(step) = self.step else { return };
        if step.watches_objects() {
            self.is_left = false;
            if let Some(open) = &mut self.open
                && open.watching.is_none()
                && let Some(client) = &open.patient
            {
                open.watching = Some(observe(&self.id, client, observations, &open.cancel, &self.tasks));
            }
            return;
        }
        if let Some(watching) = self.open.as_mut().and_then(|open| open.watching.take()) {
            watching.end().await;
        }
        if !std::mem::replace(&mut self.is_left, true) {
            // Nobody listens when the service ends.
            let _ = observations.send((self.id.clone(), Observation::LeftToAgent)).await;
        }
    }

    async fn open_way(&mut self, access: Option<&Access>) {
        let Some(access) = access else { return self.close_way() };
        if self.open.as_ref().is_some_and(|open| open.access == *access) {
            return;
        }
        let made = access.client().await.map_err(|error| error.finding());
        let made = made.map(|client| Watches::of(of_leader(client, self.settings.leadership.clone())));
        let (client, watches) =
            made.map_or_else(|why| (Err(why), None), |(client, watches)| (Ok(client), Some(watches)));
        let cancel = self.settings.cancel.child_token();
        let (layout_teller, layout) = forward::layout();
        let (pulse_sender, pulse) = watch::channel(Pulse::default());
        let patient = client.as_ref().ok().map(|client| while_answering(client.clone(), pulse.clone()));
        if let (Ok(client), Some(patient), Some(watches)) = (&client, &patient, watches) {
            let (first, second) = (patient.clone(), client.clone());
            let (cancel, openings): (CancellationToken, _) = (cancel.clone(), self.settings.openings.clone());
            self.tasks.spawn(async move {
                let both = async {
                    openings.turn().await;
                    tokio::join!(
                        forward::follow(first, layout_teller),
                        pulse::follow(second, watches, pulse_sender)
                    )
                };
                cancel.run_until_cancelled(both).await;
            });
        }
        self.client.send_replace(client.as_ref().ok().cloned());
        let access = access.clone();
        let guard = cancel.clone().drop_guard();
        self.open = Some(Open {
            access,
            client,
            patient,
            layout,
            pulse,
            watching: None,
            cancel,
            _ends_watches: guard,
        });
    }

    /// Nothing of the cluster is looked at any more.
    pub(super) fn close(&mut self) {
        self.close_way();
        (self.step, self.agent, self.is_left) = (None, None, false);
    }

    fn close_way(&mut self) {
        self.open = None;
        self.client.send_replace(None);
    }
}
