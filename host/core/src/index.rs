//! What the objects of one cluster claim, and what has become of it.
//!
//! The cost of a change is the number of names that the changed object claims, not the number of
//! names there are; what people are told of all claims is counted as they change. Which claims meet at
//! a name is known where names are planned, see [`crate::recording`].

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use crate::cluster::SourceRef;
use crate::decide::Decision;
use crate::details::NameCounts;
use crate::kinds::Kind;
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
    pub record_sets: Arc<[RecordSet]>,
    /// Whether a policy has decided on a host name of the object, now or before: what stands published for each is known
    /// then, and the store need not be asked.
    is_known: bool,
}

/// Outcomes of one object, by the host name as the object has it. Most objects have one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcomes(Box<[(Box<str>, Outcome)]>);

impl Outcomes {
    /// All of them, in order of the host names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Outcome)> {
        self.0.iter().map(|(host_name, outcome)| (&**host_name, outcome))
    }

    /// What has become of a host name.
    #[must_use]
    pub fn get(&self, host_name: &str) -> Option<&Outcome> {
        let at = self.0.binary_search_by(|(other, _)| (**other).cmp(host_name)).ok()?;
        self.0.get(at).map(|(_, outcome)| outcome)
    }

    /// Those of host names from there on, in their order.
    pub fn from(&self, from: Bound<&str>) -> impl Iterator<Item = (&str, &Outcome)> {
        self.iter().skip_while(move |(host_name, _)| match from {
            Bound::Unbounded => false,
            Bound::Included(from) => *host_name < from,
            Bound::Excluded(from) => *host_name <= from,
        })
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::ops::Index<&str> for Outcomes {
    type Output = Outcome;

    fn index(&self, host_name: &str) -> &Outcome {
        self.get(host_name).expect("is a host name of the object")
    }
}

/// What one object shall have at a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offer {
    /// It publishes there. Record sets of other names are to be passed over: they are shared, not copied.
    Records(Arc<[RecordSet]>),
    /// Whether it may publish there is not decided: what its cluster has there stays, whoever that is from.
    Open,
    /// It gives the name up.
    Nothing,
}

/// What one object shall have at the names that it claims or claimed before.
pub type Offers = BTreeMap<HostName, Offer>;

/// How many claims have come to what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Claims that are published.
    pub published: usize,
    /// Claims that are denied.
    pub denied: usize,
    /// Claims that the policy failed on.
    pub undecided: usize,
    /// Claims that point nowhere.
    pub unresolved: usize,
}

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
    counts: Counts,
    names: NameCounts,
    /// Objects with a claim that is neither published nor waits for its first answer.
    problems: BTreeSet<SourceRef>,
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
        let (source, old) = match self.outcomes.remove_entry(source) {
            Some((known, old)) => (known, old),
            None => (source.clone(), Outcomes::default()),
        };
        let was_known = old.iter().any(|(_, outcome)| outcome.is_known);
        let outcome = |state: State, record_sets: Arc<[RecordSet]>| {
            let is_known = was_known || state.is_decided();
            Outcome { state, record_sets, is_known }
        };
        let mut new: BTreeMap<String, Outcome> = BTreeMap::new();
        let resolution = resolution.unwrap_or_default();
        for wanted in &resolution.wanted {
            let outcome = match (decide(wanted), old.get(&wanted.host_name)) {
                (Some(Decision::Publish(record_sets)), _) => outcome(State::Published, record_sets),
                (Some(Decision::Deny(denial)), _) => outcome(State::Denied(denial), Arc::default()),
                (Some(Decision::Undecided(failure)), _) => {
                    outcome(State::Undecided(failure), kept(&old, &wanted.host_name, &published))
                }
                (None, Some(known)) if known.state.is_decided() => known.clone(),
                (None, _) => outcome(State::Asked, kept(&old, &wanted.host_name, &published)),
            };
            new.insert(wanted.host_name.clone(), outcome);
        }
        for unresolved in resolution.unresolved {
            let record_sets = if unresolved.reason.is_transient() {
                kept(&old, &unresolved.host_name, &published)
            } else {
                Arc::default()
            };
            let outcome = outcome(State::Unresolved(unresolved.reason), record_sets);
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
        let new = new.into_iter().map(|(host_name, outcome)| (host_name.into(), outcome));
        self.replace(source, &old, Outcomes(new.collect()))
    }

    fn replace(&mut self, source: SourceRef, old: &Outcomes, new: Outcomes) -> Redecided {
        let (before, mut offers) = (offers(old), offers(&new));
        self.count(old, |count, by| *count -= by);
        self.count(&new, |count, by| *count += by);
        self.names.remove(&source.namespace, published_names(&before));
        self.names.add(&source.namespace, published_names(&offers));
        let given_up = before.keys().filter(|name| !offers.contains_key(*name)).cloned();
        let given_up: Vec<HostName> = given_up.collect();
        // What is offered as before is nothing to look at.
        offers.retain(|name, offer| before.get(name).is_none_or(|before| !same_at(name, before, offer)));
        offers.extend(given_up.into_iter().map(|name| (name, Offer::Nothing)));
        let is_told = |host_name: &str, outcome: &Outcome| {
            outcome.state != State::Asked && old.get(host_name).map(|old| &old.state) != Some(&outcome.state)
        };
        let told = new.iter().filter(|(host_name, outcome)| is_told(host_name, outcome));
        let changed = told.map(|(host_name, _)| host_name.to_owned()).collect();
        if new.iter().any(|(_, outcome)| !matches!(outcome.state, State::Published | State::Asked)) {
            self.problems.insert(source.clone());
        } else {
            self.problems.remove(&source);
        }
        if !new.is_empty() {
            self.outcomes.insert(source, new);
        }
        Redecided { offers, changed }
    }

    fn count(&mut self, outcomes: &Outcomes, change: impl Fn(&mut usize, usize)) {
        for (_, outcome) in outcomes.iter() {
            match &outcome.state {
                State::Published => change(&mut self.counts.published, 1),
                State::Denied(_) => change(&mut self.counts.denied, 1),
                State::Undecided(_) => change(&mut self.counts.undecided, 1),
                State::Unresolved(_) => change(&mut self.counts.unresolved, 1),
                State::Asked => {}
            }
        }
    }

    /// How many claims have come to what.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// How many names objects publish.
    #[must_use]
    pub const fn names(&self) -> &NameCounts {
        &self.names
    }

    /// Objects with a claim that is neither published nor waits for its first answer, with all their outcomes.
    pub fn problems(&self) -> impl Iterator<Item = (&SourceRef, &Outcomes)> {
        self.problems.iter().filter_map(|source| self.outcomes.get_key_value(source))
    }

    /// Of [`Self::problems`] the objects, from one on or from the first.
    pub fn problems_from(&self, from: Option<&SourceRef>) -> impl Iterator<Item = &SourceRef> {
        self.problems.range((from.map_or(Bound::Unbounded, Bound::Included), Bound::Unbounded))
    }

    /// All objects that ask for host names, from one on or from the first.
    pub fn sources_from(&self, from: Option<&SourceRef>) -> impl Iterator<Item = &SourceRef> {
        let from = from.map_or(Bound::Unbounded, Bound::Included);
        self.outcomes.range((from, Bound::Unbounded)).map(|(source, _)| source)
    }

    /// Whether an object has a claim that is neither published nor waits for its first answer.
    #[must_use]
    pub fn has_problem(&self, source: &SourceRef) -> bool {
        self.problems.contains(source)
    }

    /// As [`Self::problems`], of the objects in one namespace.
    pub fn problems_in(&self, namespace: &str) -> impl Iterator<Item = (&SourceRef, &Outcomes)> {
        Kind::sources().flat_map(move |kind| {
            let from = self.problems.range(SourceRef::new(kind, namespace, "")..);
            let of_it = from.take_while(move |source| source.kind == kind && source.namespace == namespace);
            of_it.filter_map(|source| self.outcomes.get_key_value(source))
        })
    }

    /// The object as it is named here: whoever remembers it, too, shares its texts.
    #[must_use]
    pub fn known(&self, source: &SourceRef) -> Option<&SourceRef> {
        self.outcomes.get_key_value(source).map(|(known, _)| known)
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

/// At how many names something is published.
fn published_names(offers: &Offers) -> usize {
    offers.values().filter(|offer| matches!(offer, Offer::Records(_))).count()
}

/// What is published at which name, and where that is open.
fn offers(outcomes: &Outcomes) -> Offers {
    let mut offers = Offers::new();
    for (host_name, outcome) in outcomes.iter() {
        for set in &*outcome.record_sets {
            let offer = offers.entry(set.name.clone()).or_insert(Offer::Open);
            match offer {
                // Two host names that lead to one name; seldom.
                Offer::Records(others) if !Arc::ptr_eq(others, &outcome.record_sets) => {
                    let all = others.iter().chain(&*outcome.record_sets);
                    *others = all.filter(|other| other.name == set.name).cloned().collect();
                }
                Offer::Records(_) => {}
                Offer::Open | Offer::Nothing => *offer = Offer::Records(Arc::clone(&outcome.record_sets)),
            }
        }
        if matches!(outcome.state, State::Asked | State::Undecided(_))
            && let Ok(name) = host_name.parse()
        {
            offers.entry(name).or_insert(Offer::Open);
        }
    }
    offers
}

fn same_at(name: &HostName, a: &Offer, b: &Offer) -> bool {
    match (a, b) {
        (Offer::Records(a), Offer::Records(b)) => {
            a.iter().filter(|set| set.name == *name).eq(b.iter().filter(|set| set.name == *name))
        }
        (a, b) => a == b,
    }
}

/// What stands published for a host name: what the index knows, else what the store holds for the
/// object. The store does not know which host name led to a record, so all of the object's count,
/// until a policy has decided on one of its host names.
fn kept(old: &Outcomes, host_name: &str, published: impl Fn() -> Vec<RecordSet>) -> Arc<[RecordSet]> {
    if old.iter().any(|(_, outcome)| outcome.is_known) {
        return old.get(host_name).map(|outcome| outcome.record_sets.clone()).unwrap_or_default();
    }
    published().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::FailureKind;
    use crate::record::RecordValue;
    use crate::resolve::Unresolved;

    fn source() -> SourceRef {
        SourceRef::new(Kind::HttpRoute, "default", "shop")
    }

    fn published() -> Vec<RecordSet> {
        let values = [RecordValue::A([10, 0, 0, 1].into())].into_iter().collect();
        vec![RecordSet { name: "shop.w1.openmcp.cluster".parse().unwrap(), ttl_seconds: 60, values }]
    }

    fn wants(host_names: &[&str]) -> Option<Resolution> {
        let wanted = host_names.iter().map(|host_name| Claim {
            host_name: (*host_name).to_owned(),
            targets: vec!["10.0.0.1".to_owned()],
            ttl_seconds: None,
        });
        Some(Resolution { wanted: wanted.collect(), ..Resolution::default() })
    }

    fn offered(index: &Index) -> usize {
        index
            .outcomes(&source())
            .into_iter()
            .flat_map(Outcomes::iter)
            .map(|(_, outcome)| outcome.record_sets.len())
            .sum()
    }

    /// After a restart, the routes may be listed before their Gateways.
    #[test]
    fn what_the_store_holds_stays_from_the_first_list_until_the_policy_has_answered() {
        let failure = PolicyFailure::new(FailureKind::Trap, "");
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
            let denial = Denial::new("no", "");
            let redecided = index.redecide(
                &source(),
                wants(&["shop.w1"]),
                |_| Some(Decision::Deny(denial.clone())),
                published,
            );
            assert_eq!(redecided.offers.get(&published()[0].name), Some(&Offer::Nothing));
            assert_eq!(offered(&index), 0);
        }
    }

    #[test]
    fn what_was_decided_stays_while_the_policy_is_asked_again_and_what_is_no_longer_wanted_goes() {
        let mut index = Index::default();
        let publish = |_: &Claim| Some(Decision::Publish(published().into()));
        index.redecide(&source(), wants(&["shop.w1"]), publish, Vec::new);
        let redecided = index.redecide(&source(), wants(&["shop.w1"]), |_| None, Vec::new);
        assert_eq!((offered(&index), redecided.changed), (1, Vec::new()));
        assert_eq!(index.outcomes(&source()).unwrap()["shop.w1"].state, State::Published);
        index.redecide(&source(), wants(&["other.w1"]), |_| None, published);
        assert_eq!(offered(&index), 0);
    }

    /// Found by the property of plans: the order of two events must not decide what stays.
    #[test]
    fn a_host_name_that_is_given_up_while_it_leads_nowhere_goes() {
        let nowhere = |host_name: &str| {
            let reason = UnresolvedReason::NoAddress("Gateway default/gateway".into());
            let unresolved = vec![Unresolved { host_name: host_name.to_owned(), reason }];
            Some(Resolution { unresolved, ..Resolution::default() })
        };
        let mut index = Index::default();
        let publish = |_: &Claim| Some(Decision::Publish(published().into()));
        index.redecide(&source(), wants(&["shop.w1"]), publish, published);
        index.redecide(&source(), nowhere("shop.w1"), |_| None, published);
        assert_eq!(offered(&index), 1, "it stays while that is likely to pass");
        let redecided = index.redecide(&source(), nowhere("other.w1"), |_| None, published);
        assert_eq!(redecided.offers.get(&published()[0].name), Some(&Offer::Nothing));
        assert_eq!(offered(&index), 0);
    }
}
