//! What an agent is made of, and how it stands: prepared again only when something has changed, or after a while.

use std::fmt::Write as _;
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use openmcp_dns_api::conditions::{Finding, Reason};
use openmcp_dns_core::chain;
use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::deployment::{
    AGENT, Agent, AgentFacts, AgentSource, GATE, covers, render_agent, sources_in, without_rights,
};
use openmcp_dns_core::name::HostName;
use serde_json::Value;
use tokio::time::Instant;

use super::health::Health;
use super::sources;
use crate::apply::has_foreign_namespace;
use crate::certificates::{Authority, Pair};
use crate::enrolment::{Enrolment, Gate, Seen};

/// How often everything is compared, also what nobody is told of: what the cluster serves, the certificate.
const INTERVAL: Duration = Duration::from_secs(300);

/// What is known here of an agent.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Basis {
    agent: Agent,
    domain: HostName,
    gate: Vec<String>,
    authority: Authority,
}

/// What follows from that, and from the cluster.
pub(super) struct Ready {
    basis: Basis,
    since: Instant,
    is_with_access: bool,
    flags: Vec<String>,
    pair: Pair,
    pub(super) rendered: Vec<Value>,
    pub(super) handing: Handing,
}

/// How it comes to the cluster.
#[derive(Debug)]
pub(super) enum Handing {
    /// It has not yet.
    Open,
    /// It is there.
    Applied,
    /// By somebody, with this command.
    ByHand(String),
}

impl Basis {
    /// An agent of this domain.
    ///
    /// # Errors
    /// While nobody knows where it reaches the gate: says that.
    pub(super) fn of(gate: Gate, agent: Agent, domain: HostName) -> Result<Self, Finding> {
        match (gate.addresses, gate.authority) {
            (Some(Ok(gate)), Some(authority)) => Ok(Self { agent, domain, gate, authority }),
            (Some(Err(why)), _) => Err(Finding::bad(Reason::NoGate, why)),
            _ => Err(Finding::unknown(Reason::InProgress, "the gate is being prepared")),
        }
    }
}

impl Ready {
    /// Makes the agent's certificate, and all of its objects. Without a client, what the cluster serves is not known.
    pub(super) async fn prepare(
        enrolment: &Enrolment,
        id: &ClusterId,
        basis: Basis,
        client: Option<&kube::Client>,
    ) -> Result<Self, Finding> {
        let issued = enrolment.issue(id, &basis.authority).await;
        let pair = issued.map_err(|error| Finding::bad(Reason::WriteFailed, chain(&error)))?;
        let unreachable = |error: kube::Error| Finding::unknown(Reason::Unreachable, chain(&error));
        let (sources, is_foreign) = match client {
            Some(client) => (
                sources::served(client).await.map_err(unreachable)?,
                has_foreign_namespace(client, AGENT).await.map_err(unreachable)?,
            ),
            None => (AgentSource::USUAL.to_vec(), false),
        };
        let facts = AgentFacts {
            cluster: id.clone(),
            domain: basis.domain.clone(),
            sources,
            gate: basis.gate.clone(),
            gate_name: GATE.to_owned(),
            certificates: pair.files(),
        };
        let flags = basis.agent.flags_in(&facts);
        let mut rendered = render_agent(&basis.agent, &facts);
        if is_foreign {
            rendered.retain(|object| object["kind"] != "Namespace");
        }
        let (since, is_with_access) = (Instant::now(), client.is_some());
        Ok(Self { basis, since, is_with_access, flags, pair, rendered, handing: Handing::Open })
    }

    /// Whether there is no reason to prepare it anew.
    pub(super) fn is_fresh(&self, basis: &Basis, has_access: bool) -> bool {
        self.basis == *basis && self.is_with_access == has_access && self.since.elapsed() < INTERVAL
    }

    /// Whether something is to be applied: it is new, or has changed there.
    pub(super) fn is_to_be_applied(&self, live: Option<&Deployment>) -> bool {
        let live = live.and_then(|live| serde_json::to_value(live).ok()).unwrap_or_default();
        let is_as_wanted = self.rendered.last().is_some_and(|wanted| covers(&live, wanted));
        !matches!(self.handing, Handing::Applied) || !is_as_wanted
    }

    /// Says how the agent stands; it has got its certificate when it runs.
    pub(super) async fn finding(&mut self, enrolment: &Enrolment, id: &ClusterId, health: Health) -> Finding {
        match health {
            Health::Well => {
                let sources: Vec<&str> = sources_in(&self.flags).collect();
                let Basis { agent, domain, gate, .. } = &self.basis;
                let mut said = format!(
                    "{} records the host names below {domain} from {}, through the gate at {}",
                    agent.workload.image,
                    sources.join(", "),
                    gate.join(", ")
                );
                let without_rights = without_rights(&self.flags);
                if !without_rights.is_empty() {
                    let _ = write!(
                        said,
                        "; what it reads for {} is not known here: give the rights to ServiceAccount {AGENT}",
                        without_rights.join(", ")
                    );
                }
                self.settled(enrolment, id, said).await
            }
            Health::Starting => Finding::unknown(Reason::InProgress, "the agent starts"),
            Health::Trouble(why) => Finding::bad(
                Reason::AgentNotReady,
                format!(
                    "{why}; what is published stays. Look at its log: kubectl -n {AGENT} logs deployment/{AGENT}"
                ),
            ),
        }
    }

    /// Says how an agent stands that somebody has to bring: all that is seen of it is at the gate.
    pub(super) async fn finding_by_hand(
        &mut self,
        enrolment: &Enrolment,
        id: &ClusterId,
        command: &str,
    ) -> Finding {
        match enrolment.seen(id, &self.pair) {
            Seen::There => {
                let Basis { domain, gate, .. } = &self.basis;
                let said = format!(
                    "the agent that was brought by hand records the host names below {domain}, through the gate at {}",
                    gate.join(", ")
                );
                self.settled(enrolment, id, said).await
            }
            Seen::Nobody => Finding::unknown(
                Reason::AgentByHand,
                format!(
                    "the service has no access to the cluster, and needs none: bring the agent by hand: {command}"
                ),
            ),
            Seen::WithFormer => Finding::unknown(
                Reason::AgentByHand,
                format!(
                    "the certificate of the agent ends soon, and there is a new one: bring it by hand: {command}"
                ),
            ),
            Seen::Gone => Finding::bad(
                Reason::AgentNotReady,
                format!(
                    "the agent that was brought by hand has not been at the gate for ten minutes; what is published \
                     stays. Look at its log: kubectl -n {AGENT} logs deployment/{AGENT}; or bring it again: {command}"
                ),
            ),
        }
    }

    async fn settled(&mut self, enrolment: &Enrolment, id: &ClusterId, said: String) -> Finding {
        match enrolment.settle(id, &mut self.pair).await {
            Ok(()) => Finding::good(said),
            Err(error) => Finding::bad(Reason::WriteFailed, chain(&error)),
        }
    }
}
