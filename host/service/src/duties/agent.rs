//! Agent: an external-dns in the cluster records its host names, where the configuration wants one.
//!
//! ```text
//! Enrolment, domain, what the cluster serves ──► core::deployment::render_agent ──► Applier ──► its Deployment
//! ```
//! Where none is wanted any more, it goes once the service itself has seen all that it has recorded.

mod health;
mod sources;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;
use openmcp_dns_core::chain;
use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::deployment::{
    AGENT, AGENT_COMPONENT, Agent, AgentFacts, GATE, covers, digest, is_ours, render_agent,
};
use openmcp_dns_core::name::HostName;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Context, Duty, UndoContext, Undone, Way, wake_on_change};
use crate::apply::{Applier, ApplyError, Rendered, is_forbidden};
use crate::certificates::Pair;
use crate::enrolment::{Enrolment, Wanted};
use crate::tasks::Tasks;
use openmcp_dns_api::conditions::{DutyName, Finding, Reason};

use health::Health;

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

/// How often everything is compared, also what has not changed here.
const INTERVAL: Duration = Duration::from_secs(300);

/// Has an agent in the cluster, or none.
pub struct ClusterAgent {
    /// `None` where agents are somebody else's.
    enrolment: Option<Enrolment>,
    /// What was applied last, and when.
    applied: Option<(String, Instant)>,
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
        Self { enrolment, applied: None, has_none: false }
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
        self.applied = None;
        if is_there {
            let objects = remove(client).await?;
            tracing::info!(cluster = %id, objects, "the agent is removed");
        }
        enrolment.revoke(id).await.map(drop).map_err(|error| chain(&error))
    }

    /// Whether something is to be applied: it is new or has changed here or there, or was not compared for long.
    fn is_due(&self, rendered: &[Value], live: Option<&Deployment>) -> bool {
        let Some((applied, when)) = &self.applied else { return true };
        let live = live.and_then(|live| serde_json::to_value(live).ok()).unwrap_or_default();
        let is_as_wanted = rendered.last().is_some_and(|wanted| covers(&live, wanted));
        *applied != text_digest(rendered) || !is_as_wanted || when.elapsed() >= INTERVAL
    }

    /// Has an agent as it is wanted.
    async fn bring(
        &mut self,
        enrolment: &Enrolment,
        context: &Context<'_>,
        client: &kube::Client,
        agent: &Agent,
        domain: &HostName,
    ) -> Finding {
        self.has_none = false;
        let gate = enrolment.gate();
        let (addresses, authority) = match (gate.addresses, gate.authority) {
            (Some(Ok(addresses)), Some(authority)) => (addresses, authority),
            (Some(Err(why)), _) => return Finding::bad(Reason::NoGate, why),
            _ => return Finding::unknown(Reason::InProgress, "the gate is being prepared"),
        };
        let pair = match enrolment.issue(context.id, &authority).await {
            Ok(pair) => pair,
            Err(error) => return Finding::bad(Reason::WriteFailed, chain(&error)),
        };
        let sources = match sources::served(client).await {
            Ok(sources) => sources,
            Err(error) => return Finding::unknown(Reason::Unreachable, chain(&error)),
        };
        let facts = AgentFacts {
            cluster: context.id.clone(),
            domain: domain.clone(),
            sources,
            gate: addresses,
            gate_name: GATE.to_owned(),
            certificates: pair.files(),
        };
        let mut rendered = render_agent(agent, &facts);
        match has_foreign_namespace(client).await {
            Ok(true) => rendered.retain(|object| object["kind"] != "Namespace"),
            Ok(false) => {}
            Err(error) => return Finding::unknown(Reason::Unreachable, chain(&error)),
        }
        let mut live = match health::deployment(client).await {
            Ok(live) => live,
            Err(error) if is_forbidden(&error) => None,
            Err(error) => return Finding::unknown(Reason::Unreachable, chain(&error)),
        };
        if self.is_due(&rendered, live.as_ref()) {
            self.applied = None;
            match applier(client).apply(&rendered).await {
                Ok(written) => {
                    for object in &written {
                        tracing::info!(cluster = %context.id, %object, "applied an object of the agent");
                        if object.kind == "Deployment" {
                            // What is known of it is of before.
                            live = None;
                        }
                    }
                }
                Err(error) => return Finding::bad(Reason::WriteFailed, refused(&error)),
            }
            self.applied = Some((text_digest(&rendered), Instant::now()));
        }
        let health = Health::of(client, live.as_ref()).await;
        finding(enrolment, context.id, health, agent, &facts, &pair)
    }
}

/// No agent is wanted, and there is none.
fn native() -> Finding {
    Finding::good("the service records the host names of the cluster itself")
}

/// Says how the agent stands; it has got its certificate when it runs.
fn finding(
    enrolment: &Enrolment,
    id: &ClusterId,
    health: Result<Health, kube::Error>,
    agent: &Agent,
    facts: &AgentFacts,
    pair: &Pair,
) -> Finding {
    match health {
        Ok(Health::Well) => {
            enrolment.settle(id, pair);
            let sources: Vec<&str> = facts.sources.iter().map(|source| source.flag()).collect();
            Finding::good(format!(
                "{} records the host names below {} from {}, through the gate at {}",
                agent.workload.image,
                facts.domain,
                sources.join(", "),
                facts.gate.join(", ")
            ))
        }
        Ok(Health::Starting) => Finding::unknown(Reason::InProgress, "the agent starts"),
        Ok(Health::Trouble(why)) => Finding::bad(
            Reason::AgentNotReady,
            format!(
                "{why}; what is published stays. Look at its log: kubectl -n {AGENT} logs deployment/{AGENT}"
            ),
        ),
        Err(error) => Finding::unknown(Reason::Unreachable, chain(&error)),
    }
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

fn text_digest(rendered: &[Value]) -> String {
    digest(&json!(rendered).to_string())
}

/// Whether the cluster has an agent of ours, or a part of one: its account comes first and goes last, but for a namespace
/// of ours. An account that we may not read was not made by us.
///
/// # Errors
/// When the cluster does not answer, or refuses.
pub async fn is_there(client: &kube::Client) -> Result<bool, kube::Error> {
    let Some(namespace) = namespace(client).await? else { return Ok(false) };
    if is_labelled(&namespace) {
        return Ok(true);
    }
    match Api::<ServiceAccount>::namespaced(client.clone(), AGENT).get_metadata_opt(AGENT).await {
        Ok(account) => Ok(account.is_some_and(|account| is_labelled(&account.metadata))),
        Err(error) if is_forbidden(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether the agent's namespace is somebody else's, who has given us rights in it: it stays as it is.
async fn has_foreign_namespace(client: &kube::Client) -> Result<bool, kube::Error> {
    Ok(namespace(client).await?.is_some_and(|namespace| !is_labelled(&namespace)))
}

/// The agent's namespace, where there is one.
async fn namespace(client: &kube::Client) -> Result<Option<ObjectMeta>, kube::Error> {
    let namespace = Api::<Namespace>::all(client.clone()).get_metadata_opt(AGENT).await?;
    Ok(namespace.map(|namespace| namespace.metadata))
}

fn is_labelled(metadata: &ObjectMeta) -> bool {
    is_ours(&json!({"metadata": {"labels": metadata.labels}}))
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
        let Way::Open { client, .. } = context.way else {
            return Finding::unknown(Reason::Unreachable, "the cluster cannot be reached");
        };
        match (enrolment.wanted(context.cluster), &context.summary.domain) {
            (Wanted::Unknown, _) => {
                Finding::unknown(Reason::InProgress, "the DNSServiceConfig is being read")
            }
            (Wanted::Native, _) => self.remove(&enrolment, context, client).await,
            (Wanted::Agent(agent), Some(Ok(domain))) => {
                self.bring(&enrolment, context, client, &agent, domain).await
            }
            (Wanted::Agent(_), _) => Finding::unknown(Reason::NoDomain, "the cluster has no domain"),
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
            Way::Unusable(why) => Err(why.to_owned()),
            Way::None => Err("there is no access to the cluster".to_owned()),
        };
        let undone = Undone::of(removed, context.elapsed, "the agent");
        if matches!(undone, Undone::GivenUp(_))
            && let Err(error) = enrolment.revoke(context.id).await
        {
            return Undone::Again(format!("unable to forget the agent's certificate: {}", chain(&error)));
        }
        undone
    }
}
