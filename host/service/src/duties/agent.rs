//! Agent: an external-dns in the cluster records its host names, where the configuration wants one.
//!
//! ```text
//! Enrolment, domain, what the cluster serves ──► core::deployment::render_agent ──┬─► Applier ──► its Deployment
//!                                                                no way into it ──┴─► a Secret, for who brings it there
//! ```
//! Where none is wanted any more, it goes once the service itself has seen all that it has recorded.

mod health;
mod ready;
mod sources;

use std::sync::Arc;

use async_trait::async_trait;
use openmcp_dns_core::chain;
use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::deployment::{AGENT, AGENT_COMPONENT};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{Context, Duty, UndoContext, Undone, Way, wake_on_change};
use crate::apply::{self, Applier, ApplyError, Rendered, is_forbidden};
use crate::enrolment::{Enrolment, Wanted};
use crate::tasks::Tasks;
use openmcp_dns_api::conditions::{DutyName, Finding, Reason};

use health::Health;
use ready::{Basis, Handing, Ready};

/// The kinds that are rendered.
const KINDS: [Rendered; 7] = [
    Rendered("v1", "Namespace", "namespaces"),
    Rendered("v1", "ServiceAccount", "serviceaccounts"),
    Rendered("rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles"),
    Rendered("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "clusterrolebindings"),
    Rendered("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
    Rendered("v1", "Secret", "secrets"),
    Rendered("apps/v1", "Deployment", "deployments"),
];

/// Has an agent in the cluster, or none.
pub struct ClusterAgent {
    /// `None` where agents are somebody else's.
    enrolment: Option<Enrolment>,
    /// What was prepared last, as long as nothing has gone wrong with it.
    ready: Option<Ready>,
    /// Whether it is known that the cluster has none.
    has_none: bool,
}

impl ClusterAgent {
    /// `wake` is told when something else is known of agents. Ends with the value.
    pub fn start(
        enrolment: Option<Enrolment>,
        wake: &Arc<Notify>,
        tasks: &Tasks,
        cancel: &CancellationToken,
    ) -> Self {
        if let Some(enrolment) = &enrolment {
            wake_on_change(enrolment.subscribe(), wake, tasks, cancel);
        }
        Self { enrolment, ready: None, has_none: false }
    }

    /// The service records itself: an agent that was there goes, but not before all has been seen that it has recorded.
    async fn remove(
        &mut self,
        enrolment: &Enrolment,
        context: &Context<'_>,
        client: &kube::Client,
    ) -> Finding {
        if self.has_none {
            return native();
        }
        let is_there = match is_there(client).await {
            Ok(is_there) => is_there,
            Err(error) => return Finding::unknown(Reason::Unreachable, chain(&error)),
        };
        if is_there && !context.summary.knows_objects() {
            return Finding::unknown(
                Reason::InProgress,
                "the agent goes as soon as the service has read all routes of the cluster itself",
            );
        }
        if let Err(why) = self.take_away(enrolment, context.id, client, is_there).await {
            return Finding::bad(Reason::WriteFailed, why);
        }
        self.has_none = true;
        native()
    }

    async fn take_away(
        &mut self,
        enrolment: &Enrolment,
        id: &ClusterId,
        client: &kube::Client,
        is_there: bool,
    ) -> Result<(), String> {
        self.ready = None;
        if is_there {
            let objects = remove(client).await?;
            tracing::info!(cluster = %id, objects, "the agent is removed");
        }
        enrolment.revoke(id).await.map(drop).map_err(|error| chain(&error))
    }

    /// What was prepared of the same, unless that was long ago; else it is prepared anew.
    async fn ready(
        &mut self,
        enrolment: &Enrolment,
        id: &ClusterId,
        basis: Result<Basis, Finding>,
        client: Option<&kube::Client>,
    ) -> Result<Ready, Finding> {
        self.has_none = false;
        let basis = basis?;
        match self.ready.take().filter(|ready| ready.is_fresh(&basis, client.is_some())) {
            Some(ready) => Ok(ready),
            None => Ready::prepare(enrolment, id, basis, client).await,
        }
    }

    /// Has an agent as it is wanted.
    async fn bring(
        &mut self,
        enrolment: &Enrolment,
        id: &ClusterId,
        basis: Result<Basis, Finding>,
        client: &kube::Client,
    ) -> Finding {
        let mut ready = match self.ready(enrolment, id, basis, Some(client)).await {
            Ok(ready) => ready,
            Err(finding) => return finding,
        };
        let mut live = match health::deployment(client).await {
            Ok(live) => live,
            Err(error) if is_forbidden(&error) => None,
            Err(error) => return Finding::unknown(Reason::Unreachable, chain(&error)),
        };
        if ready.is_to_be_applied(live.as_ref()) {
            match applier(client).apply(&ready.rendered).await {
                Ok(written) => {
                    for object in &written {
                        tracing::info!(cluster = %id, %object, "applied an object of the agent");
                        if object.kind == "Deployment" {
                            // What is known of it is of before.
                            live = None;
                        }
                    }
                }
                Err(error) => return Finding::bad(Reason::WriteFailed, refused(&error)),
            }
            ready.handing = Handing::Applied;
        }
        let finding = match Health::of(client, live.as_ref()).await {
            Ok(health) => ready.finding(enrolment, id, health).await,
            Err(error) => Finding::unknown(Reason::Unreachable, chain(&error)),
        };
        self.ready = Some(ready);
        finding
    }

    /// Nobody lets the service into the cluster: somebody has to bring the agent.
    async fn hand_out(
        &mut self,
        enrolment: &Enrolment,
        id: &ClusterId,
        basis: Result<Basis, Finding>,
    ) -> Finding {
        let mut ready = match self.ready(enrolment, id, basis, None).await {
            Ok(ready) => ready,
            Err(finding) => return finding,
        };
        let command = match &ready.handing {
            Handing::ByHand(command) => command.clone(),
            Handing::Open | Handing::Applied => match enrolment.hand_out(id, &ready.rendered).await {
                Ok(command) => command,
                Err(error) => return Finding::bad(Reason::WriteFailed, chain(&error)),
            },
        };
        ready.handing = Handing::ByHand(command.clone());
        let finding = ready.finding_by_hand(enrolment, id, &command).await;
        self.ready = Some(ready);
        finding
    }
}

const NO_WAY: &str = "the cluster cannot be reached";

/// No agent is wanted, and there is none.
fn native() -> Finding {
    Finding::good("the service records the host names of the cluster itself")
}

fn applier(client: &kube::Client) -> Applier {
    Applier {
        client: client.clone(),
        namespace: AGENT.to_owned(),
        kinds: &KINDS,
        components: &[AGENT_COMPONENT],
    }
}

/// Removes the agent from a cluster; gives how many objects that were.
///
/// # Errors
/// When the cluster does not answer, or refuses: says why.
pub async fn remove(client: &kube::Client) -> Result<usize, String> {
    let removed = applier(client).apply(&[]).await.map_err(|error| refused(&error))?;
    Ok(removed.len())
}

/// Whether the cluster has an agent of ours, or a part of one.
///
/// # Errors
/// When the cluster does not answer, or refuses.
pub async fn is_there(client: &kube::Client) -> Result<bool, kube::Error> {
    apply::is_there(client, AGENT).await
}

/// Why something was not applied, with the next step where rights are missing.
fn refused(error: &ApplyError) -> String {
    let why = chain(error);
    if error.is_forbidden() {
        format!(
            "{why}; apply deploy/agent-access.yaml to the cluster, and bind it to the account in its kubeconfig"
        )
    } else {
        why
    }
}

#[async_trait]
impl Duty for ClusterAgent {
    fn name(&self) -> DutyName {
        DutyName::Agent
    }

    async fn fulfil(&mut self, context: &Context<'_>) -> Finding {
        let Some(enrolment) = self.enrolment.clone() else {
            return Finding::good("the service deploys no agents");
        };
        let (agent, domain) = match (enrolment.wanted(context.cluster), &context.summary.domain) {
            (Wanted::Unknown, _) => {
                return Finding::unknown(Reason::InProgress, "the DNSServiceConfig is being read");
            }
            (Wanted::Native, _) => {
                return match context.way {
                    Way::Open { client, .. } => self.remove(&enrolment, context, client).await,
                    Way::Unusable(_) | Way::None => {
                        enrolment.cut_off(context.id);
                        Finding::unknown(Reason::Unreachable, NO_WAY)
                    }
                };
            }
            (Wanted::Agent(agent), Some(Ok(domain))) => (*agent, domain.clone()),
            (Wanted::Agent(_), _) => return Finding::unknown(Reason::NoDomain, "the cluster has no domain"),
        };
        let basis = Basis::of(enrolment.gate(), agent, domain);
        match context.way {
            Way::Open { client, .. } => self.bring(&enrolment, context.id, basis, client).await,
            Way::None => self.hand_out(&enrolment, context.id, basis).await,
            Way::Unusable(_) => Finding::unknown(Reason::Unreachable, NO_WAY),
        }
    }

    async fn undo(&mut self, context: &UndoContext<'_>) -> Undone {
        let Some(enrolment) = self.enrolment.clone() else { return Undone::Done };
        // From now on the gate takes nothing of it any more.
        enrolment.cut_off(context.id);
        // Its certificate goes last: where there is none, the cluster has no agent, and need not be asked.
        match enrolment.is_enrolled(context.id).await {
            Ok(true) => {}
            Ok(false) => return Undone::Done,
            Err(error) => {
                return Undone::Again(format!(
                    "unable to look for the agent's certificate: {}",
                    chain(&error)
                ));
            }
        }
        let removed = match context.way {
            Way::Open { client, .. } => match is_there(client).await {
                Ok(is_there) => self.take_away(&enrolment, context.id, client, is_there).await,
                Err(error) => Err(chain(&error)),
            },
            Way::Unusable(why) => Err(why.message.clone()),
            Way::None => Err("there is no access to the cluster".to_owned()),
        };
        let undone = Undone::of(removed, context.spent, "the agent");
        if matches!(undone, Undone::GivenUp(_))
            && let Err(error) = enrolment.revoke(context.id).await
        {
            return Undone::Again(format!("unable to forget the agent's certificate: {}", chain(&error)));
        }
        undone
    }
}
