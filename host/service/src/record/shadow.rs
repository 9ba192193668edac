//! A module that is compared with the one that decides, and decides nothing.

use openmcp_dns_core::cluster_policy::ClusterModule;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use openmcp_dns_core::cluster::SourceRef;
use openmcp_dns_core::compare::{Difference, decision_of, difference};
use openmcp_dns_core::decide::{AllowedNames, Decision};
use openmcp_dns_core::index::{Outcomes, State};
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::policy::PolicyFailure;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::decider::Decisions;

/// Most differences that a comparison lists; the count is complete.
pub const MAX_DIFFERENCES: usize = 10;

/// What a candidate would decide for one cluster.
pub(super) struct Shadow {
    pub(super) candidate: ClusterModule,
    /// Of the job that asks for the domain and for all claims.
    pub(super) ticket: u64,
    /// The domain that the candidate wants; `None` until it has answered.
    pub(super) domain: Option<Result<HostName, PolicyFailure>>,
    /// Where the cluster could publish; `None` without a domain.
    pub(super) allowed: Option<Arc<AllowedNames>>,
    decisions: BTreeMap<SourceRef, BTreeMap<String, Decision>>,
    /// Objects that the candidate is asked about, with the job that asks.
    waiting: BTreeMap<SourceRef, u64>,
    /// Objects that changed while the first job was under way.
    changed: BTreeSet<SourceRef>,
    pub(super) asking: CancellationToken,
    _ends_jobs: DropGuard,
}

impl Shadow {
    /// A candidate that is being asked about all that the cluster asks for.
    pub(super) fn new(candidate: ClusterModule, ticket: u64) -> Self {
        let asking = CancellationToken::new();
        Self {
            candidate,
            ticket,
            domain: None,
            allowed: None,
            decisions: BTreeMap::new(),
            waiting: BTreeMap::new(),
            changed: BTreeSet::new(),
            _ends_jobs: asking.clone().drop_guard(),
            asking,
        }
    }

    /// These objects have changed; gives those that the candidate can be asked about in this job.
    pub(super) fn changed(&mut self, sources: &BTreeSet<SourceRef>, ticket: u64) -> BTreeSet<SourceRef> {
        if self.domain.is_none() {
            self.changed.extend(sources.iter().cloned());
            return BTreeSet::new();
        }
        for source in sources {
            self.decisions.remove(source);
            self.waiting.insert(source.clone(), ticket);
        }
        sources.clone()
    }

    /// The candidate has answered the first job; gives the objects that have changed since.
    pub(super) fn begun(
        &mut self,
        domain: Result<HostName, PolicyFailure>,
        decisions: Decisions,
    ) -> BTreeSet<SourceRef> {
        self.allowed = domain.clone().ok().map(|domain| Arc::new(self.candidate.allowed(domain)));
        self.domain = Some(domain);
        self.keep(decisions, |_, _| true);
        std::mem::take(&mut self.changed)
    }

    /// The candidate has answered a later job.
    pub(super) fn answered(&mut self, ticket: u64, decisions: Decisions) {
        self.keep(decisions, |waiting, source| waiting.get(source) == Some(&ticket));
        self.waiting.retain(|_, waiting| *waiting != ticket);
    }

    fn keep(
        &mut self,
        decisions: Decisions,
        is_current: impl Fn(&BTreeMap<SourceRef, u64>, &SourceRef) -> bool,
    ) {
        for (question, decision) in decisions {
            let subject = question.subject;
            if is_current(&self.waiting, &subject.source) {
                let of_source = self.decisions.entry(subject.source).or_default();
                of_source.insert(subject.wanted.host_name, decision);
            }
        }
    }

    /// Compares with what has been decided: the domain, and the claims of the cluster's objects.
    pub(super) fn compare<'o>(
        &self,
        standing: Option<&Result<HostName, PolicyFailure>>,
        claims: impl Iterator<Item = (&'o SourceRef, &'o Outcomes)>,
    ) -> Comparison {
        let mut comparison = Comparison { complete: self.waiting.is_empty(), ..Comparison::default() };
        let Some(domain) = &self.domain else {
            return Comparison::default();
        };
        let shown = |domain: Option<&Result<HostName, PolicyFailure>>| match domain {
            Some(Ok(domain)) => domain.to_string(),
            Some(Err(failure)) => format!("no domain: {}", failure.message),
            None => "no domain".to_owned(),
        };
        if standing.and_then(|domain| domain.as_ref().ok()) != domain.as_ref().ok() {
            comparison.add(|| Differing {
                source: None,
                host_name: String::new(),
                change: "other domain",
                active: shown(standing),
                candidate: shown(Some(domain)),
            });
        }
        for (source, outcomes) in claims {
            for (host_name, outcome) in outcomes {
                if matches!(outcome.state, State::Unresolved(_) | State::Asked) {
                    continue;
                }
                let active = decision_of(outcome);
                let candidate = self.decisions.get(source).and_then(|hosts| hosts.get(host_name));
                if candidate.is_none() && self.waiting.contains_key(source) {
                    continue;
                }
                comparison.compared += 1;
                let Some(change) = difference(active.as_ref(), candidate) else { continue };
                comparison.add(|| Differing {
                    source: Some(source.clone()),
                    host_name: host_name.clone(),
                    change: Difference::as_str(change),
                    active: Decision::lines_of(active.as_ref()).join("; "),
                    candidate: Decision::lines_of(candidate).join("; "),
                });
            }
        }
        comparison
    }
}

/// How the decisions of a candidate differ from those that hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Whether the candidate has been asked about everything.
    pub complete: bool,
    /// How many claims were compared.
    pub compared: usize,
    /// How many decisions would be others, domains included.
    pub differing: usize,
    /// The first of them.
    pub first: Vec<Differing>,
}

impl Comparison {
    fn add(&mut self, differing: impl FnOnce() -> Differing) {
        self.differing += 1;
        if self.first.len() < MAX_DIFFERENCES {
            self.first.push(differing());
        }
    }
}

/// A decision that would be another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Differing {
    /// The object that asks; `None` for the cluster's domain.
    pub source: Option<SourceRef>,
    /// The host name as the object has it; empty for the cluster's domain.
    pub host_name: String,
    /// What would change.
    pub change: &'static str,
    /// What holds, for people.
    pub active: String,
    /// What the candidate says, for people.
    pub candidate: String,
}
