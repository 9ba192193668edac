//! One host name that one object asks for, up to what the module says of it.

use openmcp_dns_core::cluster::{ClusterId, SourceRef};
use openmcp_dns_core::codes;
use openmcp_dns_core::decide::Decision;
use openmcp_dns_core::kinds::Attachment;
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::next;
use openmcp_dns_core::record::lines;
use openmcp_dns_core::resolve::{Claim, Unresolved};
use schemars::JsonSchema;
use serde::Serialize;

/// One host name that one object asks for, and how far it gets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClaimStep {
    /// The cluster, as namespace and name of its `Cluster`.
    pub cluster: String,
    /// The object, as kind, namespace and name.
    pub object: String,
    /// The host name as the object has it; empty where it names none.
    pub host_name: String,
    /// How long answers may be kept, as the object asks for it.
    pub ttl_seconds: Option<u32>,
    /// What a route names as its parents; empty for other objects.
    pub parents: Vec<ParentStep>,
    /// Where it leads.
    pub leads_to: Where,
    /// The domain of the cluster; `None` where it has none.
    pub domain: Option<HostName>,
    /// Why the cluster has none.
    pub no_domain: Option<String>,
    /// What the host and the module say; `None` where nobody was asked.
    pub decision: Option<DecisionStep>,
    /// Since when that is so, by a decision log; `None` where none says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
}

/// What a route names as its parent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ParentStep {
    /// Kind, namespace and name; section and port, if the route names them.
    pub parent: String,
    /// Why none of its listeners counts.
    pub refused: Option<String>,
    /// Its listeners.
    pub listeners: Vec<ListenerStep>,
}

/// A listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ListenerStep {
    /// Its name.
    pub listener: String,
    /// Whether it serves the host name, or why not.
    pub says: String,
}

/// Where a host name leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Where {
    /// To these addresses and host names.
    Targets(Vec<String>),
    /// Nowhere.
    Nowhere {
        /// Why.
        reason: String,
        /// Whether that is likely to pass by itself.
        passes: bool,
    },
}

/// What became of the question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "verdict", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum DecisionStep {
    /// It is to be published so.
    Published {
        /// Record sets as lines.
        records: Vec<String>,
    },
    /// It is refused.
    Denied {
        /// For machines.
        code: String,
        /// For people.
        message: String,
        /// Whether a rule of the service itself refuses, before any module is asked.
        by_the_host: bool,
        /// The guard that refuses, before the module that names is asked.
        #[serde(skip_serializing_if = "Option::is_none")]
        guard: Option<String>,
    },
    /// Nobody decided.
    Undecided {
        /// Why.
        message: String,
    },
}

/// Whose claim it is.
pub(super) struct Claimed<'c> {
    pub(super) cluster: &'c ClusterId,
    pub(super) source: &'c SourceRef,
    /// The domain of the cluster, or why it has none; `None` when the policy does not hold for it.
    pub(super) domain: Option<&'c Result<HostName, String>>,
    /// How the object stands to listeners.
    pub(super) attachments: &'c dyn Fn() -> Vec<Attachment>,
}

impl Claimed<'_> {
    /// A claim that leads somewhere; with the next step, if one is needed.
    pub(super) fn resolved(&self, claim: &Claim, decision: Option<&Decision>) -> (ClaimStep, Option<String>) {
        let next = match (self.domain, decision) {
            (None, _) => Some(next::not_selected(self.cluster)),
            (Some(Err(_)), _) => Some(next::no_domain(self.cluster)),
            (Some(Ok(_)), Some(Decision::Deny(denial))) => {
                Some(next::denied(self.source, &claim.host_name, denial))
            }
            (Some(Ok(_)), Some(Decision::Undecided(failure))) => Some(next::undecided(failure)),
            (Some(Ok(_)), Some(Decision::Publish(_)) | None) => None,
        };
        let step = self.step(&claim.host_name, Where::Targets(claim.targets.clone()), decision);
        (ClaimStep { ttl_seconds: claim.ttl_seconds, ..step }, next)
    }

    /// A claim that leads nowhere, with the next step.
    pub(super) fn unresolved(&self, unresolved: &Unresolved) -> (ClaimStep, String) {
        let Unresolved { host_name, reason } = unresolved;
        let nowhere = Where::Nowhere { reason: reason.to_string(), passes: reason.is_transient() };
        (self.step(host_name, nowhere, None), next::unresolved(self.source, reason))
    }

    fn step(&self, host_name: &str, leads_to: Where, decision: Option<&Decision>) -> ClaimStep {
        let Self { cluster, source, domain, attachments } = self;
        // Without a domain nobody is asked: that is said once.
        let decision = decision.filter(|_| matches!(domain, Some(Ok(_))));
        ClaimStep {
            cluster: cluster.to_string(),
            object: source.to_string(),
            host_name: host_name.to_owned(),
            ttl_seconds: None,
            parents: attachments()
                .into_iter()
                .map(|attachment| ParentStep::of(attachment, host_name))
                .collect(),
            leads_to,
            domain: domain.and_then(|domain| domain.as_ref().ok().cloned()),
            no_domain: match domain {
                None => Some("the DNSPolicy does not hold for the cluster".to_owned()),
                Some(domain) => domain.as_ref().err().cloned(),
            },
            decision: decision.map(DecisionStep::of),
            since: None,
        }
    }
}

impl ParentStep {
    fn of(attachment: Attachment, host_name: &str) -> Self {
        let Attachment { parent, listeners } = attachment;
        let (listeners, refused) = match listeners {
            Ok(listeners) => (listeners, None),
            Err(reason) => (Vec::new(), Some(reason.to_string())),
        };
        let listeners = listeners.into_iter().map(|listener| ListenerStep {
            says: listener.verdict(host_name).to_string(),
            listener: listener.name,
        });
        Self { parent, refused, listeners: listeners.collect() }
    }
}

impl DecisionStep {
    fn of(decision: &Decision) -> Self {
        match decision {
            Decision::Publish(sets) => Self::Published { records: lines(sets) },
            Decision::Deny(denial) => Self::Denied {
                code: denial.code.clone(),
                message: denial.message.clone(),
                by_the_host: denial.guard.is_none()
                    && codes::ALL.contains(&denial.code.as_str())
                    && denial.code != codes::UNSPECIFIED,
                guard: denial.guard.clone(),
            },
            Decision::Undecided(failure) => Self::Undecided { message: failure.to_string() },
        }
    }
}
