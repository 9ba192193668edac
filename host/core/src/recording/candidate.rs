//! A module that is compared with the one that decides, and decides nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::question::{Decisions, Ticket};
use crate::cluster::SourceRef;
use crate::cluster_policy::ClusterModule;
use crate::compare::{Comparison, Difference, Differing, decision_of, difference};
use crate::decide::{AllowedNames, Decision};
use crate::index::{Outcomes, State};
use crate::name::HostName;
use crate::policy::PolicyFailure;

/// What a candidate would decide for one cluster.
pub(super) struct Candidate {
    pub(super) module: ClusterModule,
    /// Of the job that asks for the domain and for all claims.
    pub(super) ticket: Ticket,
    /// The domain that the candidate wants; `None` until it has answered.
    pub(super) domain: Option<Result<HostName, PolicyFailure>>,
    /// Where the cluster could publish; `None` without a domain.
    pub(super) allowed: Option<Arc<AllowedNames>>,
    decisions: BTreeMap<SourceRef, BTreeMap<String, Decision>>,
    /// Objects that the candidate is asked about, with the job that asks.
    waiting: BTreeMap<SourceRef, Ticket>,
    /// Objects that changed while the first job was under way.
    changed: BTreeSet<SourceRef>,
}

impl Candidate {
    /// A candidate that is being asked about all that the cluster asks for.
    pub(super) fn new(module: ClusterModule, ticket: Ticket) -> Self {
        Self {
            module,
            ticket,
            domain: None,
            allowed: None,
            decisions: BTreeMap::new(),
            waiting: BTreeMap::new(),
            changed: BTreeSet::new(),
        }
    }

    /// These objects have changed; gives those that the candidate can be asked about in this job.
    pub(super) fn changed(&mut self, sources: &BTreeSet<SourceRef>, ticket: Ticket) -> BTreeSet<SourceRef> {
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
        self.allowed = domain.clone().ok().map(|domain| Arc::new(self.module.allowed(domain)));
        self.domain = Some(domain);
        self.keep(decisions, |_, _| true);
        std::mem::take(&mut self.changed)
    }

    /// The candidate has answered a later job.
    pub(super) fn answered(&mut self, ticket: Ticket, decisions: Decisions) {
        self.keep(decisions, |waiting, source| waiting.get(source) == Some(&ticket));
        self.waiting.retain(|_, waiting| *waiting != ticket);
    }

    fn keep(
        &mut self,
        decisions: Decisions,
        is_current: impl Fn(&BTreeMap<SourceRef, Ticket>, &SourceRef) -> bool,
    ) {
        for (source, host_name, decision) in decisions.into_claims() {
            if is_current(&self.waiting, &source) {
                self.decisions.entry(source).or_default().insert(host_name, decision);
            }
        }
    }

    /// Compares with what has been decided: the domain, and the claims of the cluster's objects.
    pub(super) fn compare<'o>(
        &self,
        active: Option<&Result<HostName, PolicyFailure>>,
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
        if active.and_then(|domain| domain.as_ref().ok()) != domain.as_ref().ok() {
            comparison.add(|| Differing {
                source: None,
                host_name: String::new(),
                change: "other domain",
                active: shown(active),
                candidate: shown(Some(domain)),
            });
        }
        for (source, outcomes) in claims {
            for (host_name, outcome) in outcomes.iter() {
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
                    host_name: host_name.to_owned(),
                    change: Difference::as_str(change),
                    active: Decision::lines_of(active.as_ref()).join("; "),
                    candidate: Decision::lines_of(candidate).join("; "),
                });
            }
        }
        comparison
    }
}
