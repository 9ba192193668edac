//! Which object claims what, and which claims meet at which name.
//!
//! The cost of a change is the number of names that the changed object claims, not the number of
//! names there are: `Index` keeps both directions, object to names and name to claims.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::cluster::{ClusterId, SourceRef};
use crate::decide::Decision;
use crate::name::HostName;
use crate::policy::{Denial, PolicyFailure};
use crate::record::RecordSet;
use crate::resolve::{Claim, Resolution, UnresolvedReason};
use crate::settle::{Claimant, Settled, settle};

/// What has become of one host name that an object asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// It is published.
    Published,
    /// It is refused.
    Denied(Denial),
    /// The policy did not decide; what was published stays.
    Undecided(PolicyFailure),
    /// It points nowhere; what was published stays if that is likely to pass.
    Unresolved(UnresolvedReason),
    /// The policy has been asked for the first time and has not answered yet; what was published stays.
    Asked,
}

/// One host name that an object asks for: what has become of it, and what stands published for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What has become of it.
    pub state: State,
    /// What shall be published.
    pub record_sets: Vec<RecordSet>,
}

/// Outcomes of one object, by the host name as the object has it.
pub type Outcomes = BTreeMap<String, Outcome>;

/// What a decision on an object changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redecided {
    /// Names at which something may have to be published, changed or withdrawn.
    pub names: BTreeSet<HostName>,
    /// Host names of the object whose state is not what it was, for Events and for people. That the
    /// policy has been asked is nothing to tell.
    pub changed: Vec<String>,
}

/// Claims by object and by name.
#[derive(Debug, Default)]
pub struct Index {
    by_claimant: BTreeMap<Claimant, Outcomes>,
    names_of: HashMap<Claimant, BTreeSet<HostName>>,
    by_name: HashMap<HostName, BTreeMap<Claimant, Vec<RecordSet>>>,
}

impl Index {
    /// Decides anew on everything that an object asks for. `resolution` is `None` when the object
    /// is gone. `decide` gives `None` where the answer is still to come: what was known of the host
    /// name stays until then. `standing` gives what the store holds for the object; it is asked only
    /// where the index does not know, which is after a restart.
    pub fn redecide(
        &mut self,
        claimant: &Claimant,
        resolution: Option<Resolution>,
        mut decide: impl FnMut(&Claim) -> Option<Decision>,
        standing: impl Fn() -> Vec<RecordSet>,
    ) -> Redecided {
        let old = self.by_claimant.remove(claimant).unwrap_or_default();
        let mut new = Outcomes::new();
        let resolution = resolution.unwrap_or_default();
        for wanted in &resolution.wanted {
            let outcome = match (decide(wanted), old.get(&wanted.host_name)) {
                (Some(Decision::Publish(record_sets)), _) => Outcome { state: State::Published, record_sets },
                (Some(Decision::Deny(denial)), _) => {
                    Outcome { state: State::Denied(denial), record_sets: Vec::new() }
                }
                (Some(Decision::Undecided(failure)), _) => Outcome {
                    state: State::Undecided(failure),
                    record_sets: kept(&old, &wanted.host_name, &standing),
                },
                (None, Some(known)) if known.state.is_decided() => known.clone(),
                (None, _) => {
                    Outcome { state: State::Asked, record_sets: kept(&old, &wanted.host_name, &standing) }
                }
            };
            new.insert(wanted.host_name.clone(), outcome);
        }
        for unresolved in resolution.unresolved {
            let record_sets = if unresolved.reason.is_transient() {
                kept(&old, &unresolved.host_name, &standing)
            } else {
                Vec::new()
            };
            let outcome = Outcome { state: State::Unresolved(unresolved.reason), record_sets };
            // Several parents may each give a reason; one that keeps the name published wins.
            let entry = new.entry(unresolved.host_name);
            entry
                .and_modify(|standing| {
                    if standing.record_sets.is_empty() {
                        *standing = outcome.clone();
                    }
                })
                .or_insert(outcome);
        }
        self.replace(claimant, &old, new)
    }

    fn replace(&mut self, claimant: &Claimant, old: &Outcomes, new: Outcomes) -> Redecided {
        let mut names = BTreeSet::new();
        if let Some(known) = self.names_of.remove(claimant) {
            names.extend(known);
        }
        for name in &names {
            if let Some(claims) = self.by_name.get_mut(name) {
                claims.remove(claimant);
                if claims.is_empty() {
                    self.by_name.remove(name);
                }
            }
        }
        let mut new_names = BTreeSet::new();
        for record_set in new.values().flat_map(|outcome| &outcome.record_sets) {
            new_names.insert(record_set.name.clone());
            let claims = self.by_name.entry(record_set.name.clone()).or_default();
            claims.entry(claimant.clone()).or_default().push(record_set.clone());
        }
        names.extend(new_names.iter().cloned());
        let changed = new
            .iter()
            .filter(|(host, outcome)| {
                outcome.state != State::Asked && old.get(*host).map(|old| &old.state) != Some(&outcome.state)
            })
            .map(|(host, _)| host.clone())
            .collect();
        if !new_names.is_empty() {
            self.names_of.insert(claimant.clone(), new_names);
        }
        if !new.is_empty() {
            self.by_claimant.insert(claimant.clone(), new);
        }
        Redecided { names, changed }
    }

    /// Settles the claims on a name. `published_cname` is the CNAME that the store holds there now.
    #[must_use]
    pub fn settle(&self, name: &HostName, published_cname: Option<&HostName>) -> Settled {
        let claims = self.by_name.get(name).into_iter().flatten();
        let sets = claims.flat_map(|(claimant, sets)| sets.iter().map(move |set| (claimant, set)));
        settle(name, sets, published_cname)
    }

    /// Outcomes of one object.
    #[must_use]
    pub fn outcomes(&self, claimant: &Claimant) -> Option<&Outcomes> {
        self.by_claimant.get(claimant)
    }

    /// All objects of a cluster that ask for host names, with their outcomes.
    pub fn of_cluster<'a>(
        &'a self,
        cluster: &'a ClusterId,
    ) -> impl Iterator<Item = (&'a SourceRef, &'a Outcomes)> {
        let first = (cluster.clone(), SourceRef::FIRST);
        self.by_claimant
            .range(first..)
            .take_while(move |((other, _), _)| other == cluster)
            .map(|((_, source), outcomes)| (source, outcomes))
    }

    /// All names that something is to be published at.
    pub fn names(&self) -> impl Iterator<Item = &HostName> {
        self.by_name.keys()
    }
}

impl State {
    /// Whether a policy has been asked, and has answered or failed.
    const fn is_decided(&self) -> bool {
        match self {
            Self::Published | Self::Denied(_) | Self::Undecided(_) => true,
            Self::Unresolved(_) | Self::Asked => false,
        }
    }
}

/// What stands published for a host name: what the index knows, else what the store holds for the
/// object. The store does not know which host name led to a record, so all of the object's count,
/// until a policy has decided on one of its host names.
fn kept(old: &Outcomes, host_name: &str, standing: impl Fn() -> Vec<RecordSet>) -> Vec<RecordSet> {
    if old.values().any(|outcome| outcome.state.is_decided()) {
        return old.get(host_name).map(|outcome| outcome.record_sets.clone()).unwrap_or_default();
    }
    standing()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::kinds::Kind;
    use crate::policy::FailureKind;
    use crate::record::RecordValue;
    use crate::resolve::Unresolved;

    fn claimant() -> Claimant {
        let source = SourceRef { kind: Kind::HttpRoute, namespace: "default".into(), name: "shop".into() };
        (ClusterId::new("default", "w1"), source)
    }

    fn published() -> Vec<RecordSet> {
        let values = BTreeSet::from([RecordValue::A([10, 0, 0, 1].into())]);
        vec![RecordSet { name: "shop.w1.openmcp.cluster".parse().unwrap(), ttl_seconds: 60, values }]
    }

    fn wants(host_names: &[&str]) -> Option<Resolution> {
        let wanted = host_names.iter().map(|host_name| Claim {
            host_name: (*host_name).to_owned(),
            targets: vec!["10.0.0.1".to_owned()],
        });
        Some(Resolution { wanted: wanted.collect(), ..Resolution::default() })
    }

    fn desired(index: &Index) -> usize {
        index.settle(&"shop.w1.openmcp.cluster".parse().unwrap(), None).desired.len()
    }

    /// After a restart, the routes may be listed before their Gateways.
    #[test]
    fn what_the_store_holds_stays_from_the_first_list_until_the_policy_has_answered() {
        let failure = PolicyFailure { kind: FailureKind::Trap, message: String::new() };
        let answers = [None, Some(Decision::Undecided(failure))];
        // A route without host names of its own has those of its listeners, which are not known yet.
        for (answer, host_name) in
            answers.into_iter().flat_map(|answer| ["", "shop.w1"].map(|name| (answer.clone(), name)))
        {
            let mut index = Index::default();
            let reason = UnresolvedReason::NoListener("no Gateway is known yet".into());
            let unresolved = vec![Unresolved { host_name: host_name.to_owned(), reason }];
            let without_gateway = Some(Resolution { unresolved, ..Resolution::default() });
            index.redecide(&claimant(), without_gateway, |_| None, published);
            let redecided = index.redecide(&claimant(), wants(&["shop.w1"]), |_| answer.clone(), published);
            assert_eq!(desired(&index), 1, "{answer:?}");
            assert_eq!(redecided.changed.is_empty(), answer.is_none());
            let denial = Denial { code: "no".into(), message: String::new() };
            let redecided = index.redecide(
                &claimant(),
                wants(&["shop.w1"]),
                |_| Some(Decision::Deny(denial.clone())),
                published,
            );
            assert_eq!((redecided.names.len(), desired(&index)), (1, 0));
        }
    }

    #[test]
    fn what_was_decided_stays_while_the_policy_is_asked_again_and_what_is_no_longer_wanted_goes() {
        let mut index = Index::default();
        let publish = |_: &Claim| Some(Decision::Publish(published()));
        index.redecide(&claimant(), wants(&["shop.w1"]), publish, Vec::new);
        let redecided = index.redecide(&claimant(), wants(&["shop.w1"]), |_| None, Vec::new);
        assert_eq!((desired(&index), redecided.changed), (1, Vec::new()));
        assert_eq!(index.outcomes(&claimant()).unwrap()["shop.w1"].state, State::Published);
        index.redecide(&claimant(), wants(&["other.w1"]), |_| None, published);
        assert_eq!(desired(&index), 0);
    }
}
