//! What the objects of one cluster claim, and what has become of it.
//!
//! The cost of a change is the number of names that the changed object claims, not the number of
//! names there are. Which claims meet at a name is known where names are planned, see
//! [`crate::recording`].

use std::collections::{BTreeMap, HashMap};

use crate::cluster::SourceRef;
use crate::decide::Decision;
use crate::name::HostName;
use crate::policy::{Denial, PolicyFailure};
use crate::record::RecordSet;
use crate::resolve::{Claim, Resolution, UnresolvedReason};

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

/// What one object shall publish at the names that it claims or claimed before; nothing at a name
/// that it gives up.
pub type Offers = BTreeMap<HostName, Vec<RecordSet>>;

/// What a decision on an object changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redecided {
    /// Names at which something may have to be published, changed or withdrawn.
    pub offers: Offers,
    /// Host names of the object whose state is not what it was, for Events and for people. That the
    /// policy has been asked is nothing to tell.
    pub changed: Vec<String>,
}

/// Claims by object.
#[derive(Debug, Default)]
pub struct Index {
    outcomes: BTreeMap<SourceRef, Outcomes>,
    names: HashMap<SourceRef, Vec<HostName>>,
}

impl Index {
    /// Decides anew on everything that an object asks for. `resolution` is `None` when the object
    /// is gone. `decide` gives `None` where the answer is still to come: what was known of the host
    /// name stays until then. `published` gives what the store holds for the object; it is asked only
    /// where the index does not know, which is after a restart.
    pub fn redecide(
        &mut self,
        source: &SourceRef,
        resolution: Option<Resolution>,
        mut decide: impl FnMut(&Claim) -> Option<Decision>,
        published: impl Fn() -> Vec<RecordSet>,
    ) -> Redecided {
        let old = self.outcomes.remove(source).unwrap_or_default();
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
                    record_sets: kept(&old, &wanted.host_name, &published),
                },
                (None, Some(known)) if known.state.is_decided() => known.clone(),
                (None, _) => {
                    Outcome { state: State::Asked, record_sets: kept(&old, &wanted.host_name, &published) }
                }
            };
            new.insert(wanted.host_name.clone(), outcome);
        }
        for unresolved in resolution.unresolved {
            let record_sets = if unresolved.reason.is_transient() {
                kept(&old, &unresolved.host_name, &published)
            } else {
                Vec::new()
            };
            let outcome = Outcome { state: State::Unresolved(unresolved.reason), record_sets };
            // Several parents may each give a reason; one that keeps the name published wins.
            let entry = new.entry(unresolved.host_name);
            entry
                .and_modify(|other| {
                    if other.record_sets.is_empty() {
                        *other = outcome.clone();
                    }
                })
                .or_insert(outcome);
        }
        self.replace(source, &old, new)
    }

    fn replace(&mut self, source: &SourceRef, old: &Outcomes, new: Outcomes) -> Redecided {
        let mut now = Offers::new();
        for record_set in new.values().flat_map(|outcome| &outcome.record_sets) {
            now.entry(record_set.name.clone()).or_default().push(record_set.clone());
        }
        let before = if now.is_empty() {
            self.names.remove(source)
        } else {
            self.names.insert(source.clone(), now.keys().cloned().collect())
        };
        let mut offers = now;
        for name in before.unwrap_or_default() {
            offers.entry(name).or_default();
        }
        let changed = new
            .iter()
            .filter(|(host, outcome)| {
                outcome.state != State::Asked && old.get(*host).map(|old| &old.state) != Some(&outcome.state)
            })
            .map(|(host, _)| host.clone())
            .collect();
        if !new.is_empty() {
            self.outcomes.insert(source.clone(), new);
        }
        Redecided { offers, changed }
    }

    /// Outcomes of one object.
    #[must_use]
    pub fn outcomes(&self, source: &SourceRef) -> Option<&Outcomes> {
        self.outcomes.get(source)
    }

    /// All objects that ask for host names, with their outcomes.
    pub fn iter(&self) -> impl Iterator<Item = (&SourceRef, &Outcomes)> {
        self.outcomes.iter()
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
fn kept(old: &Outcomes, host_name: &str, published: impl Fn() -> Vec<RecordSet>) -> Vec<RecordSet> {
    if old.values().any(|outcome| outcome.state.is_decided()) {
        return old.get(host_name).map(|outcome| outcome.record_sets.clone()).unwrap_or_default();
    }
    published()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::kinds::Kind;
    use crate::policy::FailureKind;
    use crate::record::RecordValue;
    use crate::resolve::Unresolved;

    fn source() -> SourceRef {
        SourceRef { kind: Kind::HttpRoute, namespace: "default".into(), name: "shop".into() }
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

    fn offered(index: &Index) -> usize {
        index.outcomes(&source()).into_iter().flatten().map(|(_, outcome)| outcome.record_sets.len()).sum()
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
            index.redecide(&source(), without_gateway, |_| None, published);
            let redecided = index.redecide(&source(), wants(&["shop.w1"]), |_| answer.clone(), published);
            assert_eq!(offered(&index), 1, "{answer:?}");
            assert_eq!(redecided.changed.is_empty(), answer.is_none());
            let denial = Denial { code: "no".into(), message: String::new() };
            let redecided = index.redecide(
                &source(),
                wants(&["shop.w1"]),
                |_| Some(Decision::Deny(denial.clone())),
                published,
            );
            assert_eq!((redecided.offers.len(), offered(&index)), (1, 0));
        }
    }

    #[test]
    fn what_was_decided_stays_while_the_policy_is_asked_again_and_what_is_no_longer_wanted_goes() {
        let mut index = Index::default();
        let publish = |_: &Claim| Some(Decision::Publish(published()));
        index.redecide(&source(), wants(&["shop.w1"]), publish, Vec::new);
        let redecided = index.redecide(&source(), wants(&["shop.w1"]), |_| None, Vec::new);
        assert_eq!((offered(&index), redecided.changed), (1, Vec::new()));
        assert_eq!(index.outcomes(&source()).unwrap()["shop.w1"].state, State::Published);
        index.redecide(&source(), wants(&["other.w1"]), |_| None, published);
        assert_eq!(offered(&index), 0);
    }
}
