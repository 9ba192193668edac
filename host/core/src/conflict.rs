//! When several objects claim one name: what is published, and who has to give way.
//!
//! Addresses and texts of all claims are united, as people expect of routes that split one host
//! name by path. A CNAME cannot stand beside anything (RFC 2181 section 10.1), so it gives way to
//! addresses; of several different CNAMEs the one already published stays, else the first in order
//! of cluster and object, so that the result does not depend on who was seen first. What stands
//! there and cannot be taken away now wins over all that cannot stand beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::cluster::{ClusterId, SourceRef};
use crate::name::HostName;
use crate::record::{RecordSet, RecordType, RecordValue};

/// An object of a cluster, across the zone.
pub type Claimant = (ClusterId, SourceRef);

/// One value that shall be published at a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Desired {
    /// The cluster that owns the value.
    pub cluster: ClusterId,
    /// The object it comes from; the first of several.
    pub source: SourceRef,
    /// The value.
    pub value: RecordValue,
    /// Time to live in seconds.
    pub ttl_seconds: u32,
}

/// A claim that gives way to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// The name.
    pub name: HostName,
    /// Whose value is not published.
    pub loser: Claimant,
    /// One sentence for people: whose value is published instead, and why.
    pub message: String,
    /// Who has the name: an object of a cluster; `None` where there are many.
    pub winner: Option<String>,
}

impl Conflict {
    /// What the author of the object that gives way is told.
    #[must_use]
    pub fn told(&self) -> String {
        format!("{}: {}", self.name, self.message)
    }
}

/// What stands at a name already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Present {
    /// The CNAME that we have published there.
    pub cname: Option<HostName>,
    /// What stays, whoever else wants the name.
    pub staying: Vec<Staying>,
}

/// A value that stays at its name: of a cluster for which nobody decides now, or of which not enough is known, or whose
/// deletion is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staying {
    /// The cluster that owns the value.
    pub cluster: ClusterId,
    /// The object it came from, as text.
    pub source: String,
    /// The value.
    pub value: RecordValue,
}

/// What is published at a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Winners {
    /// The values, sorted by cluster and value.
    pub desired: Vec<Desired>,
    /// Who gave way.
    pub conflicts: Vec<Conflict>,
    /// Clusters that others stand in for at this name.
    pub stood_in_for: BTreeSet<ClusterId>,
}

/// Decides which of the claims on one name are published. Those of clusters that others stand in for do not count.
#[must_use]
pub fn resolve_conflicts<'a>(
    name: &HostName,
    claims: impl Iterator<Item = (&'a Claimant, &'a RecordSet)>,
    stood_in_for: BTreeSet<ClusterId>,
    present: &Present,
) -> Winners {
    let claims = claims.filter(|((cluster, _), _)| !stood_in_for.contains(cluster));
    let mut sets: Vec<(&Claimant, &RecordSet)> = claims.collect();
    sets.sort_by_key(|(claimant, _)| *claimant);
    let mut conflicts = Vec::new();
    if let Some(has) = Has::among(&sets, present) {
        sets.retain(|(claimant, set)| {
            let is_cname = set.record_type() == Some(RecordType::Cname);
            let (fits, why) = match has.cname {
                Some(values) => (*values == *set.values, if is_cname { ONE_CNAME } else { CNAME_STAYS }),
                None => (!is_cname, NO_CNAME_BESIDE),
            };
            // What is of one cluster comes out together, as soon as more is known of it.
            let is_own = has.stays_of == Some(&claimant.0);
            if !fits && (!is_own || has.is_claimed && why == ONE_CNAME) {
                let message = format!("{name} is published for {}: {why}", has.who);
                let (loser, winner) = ((*claimant).clone(), Some(has.who.to_string()));
                conflicts.push(Conflict { name: name.clone(), loser, message, winner });
            }
            fits
        });
    }
    let desired = bound(name, unite(&sets), &mut conflicts);
    Winners { desired, conflicts, stood_in_for }
}

/// Most values of all claims at one name: more do not fit into a DNS answer that people would want.
pub const MAX_VALUES_AT_NAME: usize = 64;

/// Takes as many values as a name may have, of each cluster as many as of another, so that no cluster
/// keeps others from a name that they share. Whoever has more gives way.
fn bound(name: &HostName, desired: Vec<Desired>, conflicts: &mut Vec<Conflict>) -> Vec<Desired> {
    if desired.len() <= MAX_VALUES_AT_NAME {
        return desired;
    }
    let all = desired.len();
    let mut ranks: BTreeMap<ClusterId, usize> = BTreeMap::new();
    let ranked = desired.into_iter().map(|desired| {
        let rank = ranks.entry(desired.cluster.clone()).or_default();
        *rank += 1;
        (*rank, desired)
    });
    let mut ranked: Vec<(usize, Desired)> = ranked.collect();
    ranked.sort_by(|(a, of), (b, other)| (a, &of.cluster).cmp(&(b, &other.cluster)));
    let surplus = ranked.split_off(MAX_VALUES_AT_NAME);
    let mut desired: Vec<Desired> = ranked.into_iter().map(|(_, desired)| desired).collect();
    desired.sort_by(|a, b| (&a.cluster, &a.value).cmp(&(&b.cluster, &b.value)));
    let losers: BTreeSet<Claimant> =
        surplus.into_iter().map(|(_, desired)| (desired.cluster, desired.source)).collect();
    let message = format!(
        "{name} has {all} values, of which {MAX_VALUES_AT_NAME} are published, of each cluster as many \
         as of another: point it to fewer addresses"
    );
    conflicts.extend(losers.into_iter().map(|loser| Conflict {
        name: name.clone(),
        loser,
        message: message.clone(),
        winner: None,
    }));
    desired
}

/// One entry per cluster and value; the shortest time to live of its type holds for all.
fn unite(sets: &[(&Claimant, &RecordSet)]) -> Vec<Desired> {
    let mut ttls: BTreeMap<RecordType, u32> = BTreeMap::new();
    for (_, set) in sets {
        if let Some(record_type) = set.record_type() {
            let ttl = ttls.entry(record_type).or_insert(set.ttl_seconds);
            *ttl = set.ttl_seconds.min(*ttl);
        }
    }
    let mut values: BTreeMap<(&ClusterId, &RecordValue), &SourceRef> = BTreeMap::new();
    for ((cluster, source), set) in sets {
        for value in &set.values {
            values.entry((cluster, value)).or_insert(source);
        }
    }
    values
        .into_iter()
        .map(|((cluster, value), source)| Desired {
            cluster: cluster.clone(),
            source: source.clone(),
            value: value.clone(),
            ttl_seconds: ttls[&value.record_type()],
        })
        .collect()
}

const NO_CNAME_BESIDE: &str = "addresses are published at this name, and a CNAME cannot stand beside them";
const ONE_CNAME: &str = "a name has only one CNAME";

const CNAME_STAYS: &str = "its CNAME stays for now, and nothing can stand beside it";

/// Who has a name, so that not everything can stand there.
struct Has<'s> {
    who: Who<'s>,
    /// The values that alone can stand there; `None` where everything can but a CNAME.
    cname: Option<&'s [RecordValue]>,
    /// Whose value stays there.
    stays_of: Option<&'s ClusterId>,
    /// Whether an object asks for what has the name.
    is_claimed: bool,
}

impl<'s> Has<'s> {
    /// What stays, before what is asked for; where both are the same, the object that asks for it is named.
    fn among(sets: &[(&'s Claimant, &'s RecordSet)], present: &'s Present) -> Option<Self> {
        let is_cname = |value: &RecordValue| value.record_type() == RecordType::Cname;
        let of = |fits: &dyn Fn(&RecordSet) -> bool| sets.iter().find(|(_, set)| fits(set)).copied();
        let staying = |staying: &'s Staying, cname, claim: Option<(&'s Claimant, &RecordSet)>| Self {
            who: claim.map_or(
                Who { cluster: &staying.cluster, source: &staying.source },
                |((cluster, source), _)| Who { cluster, source },
            ),
            cname,
            stays_of: Some(&staying.cluster),
            is_claimed: claim.is_some(),
        };
        if let Some(stays) = present.staying.iter().find(|staying| is_cname(&staying.value)) {
            let only = std::slice::from_ref(&stays.value);
            return Some(staying(stays, Some(only), of(&|set| *set.values == *only)));
        }
        let claimed = |((cluster, source), set): (&'s Claimant, &'s RecordSet)| Self {
            who: Who { cluster, source },
            cname: set.values.iter().any(is_cname).then_some(&*set.values),
            stays_of: None,
            is_claimed: true,
        };
        if let Some(address) = of(&|set| !set.values.iter().any(is_cname)) {
            return Some(claimed(address));
        }
        if let Some(stays) = present.staying.first() {
            return Some(staying(stays, None, None));
        }
        let published = |value: &RecordValue| matches!(value, RecordValue::Cname(to) if Some(to) == present.cname.as_ref());
        of(&|set| set.values.iter().any(published)).or(sets.first().copied()).map(claimed)
    }
}

/// An object, in words only where it is told: at most names nobody gives way.
struct Who<'s> {
    cluster: &'s ClusterId,
    source: &'s dyn fmt::Display,
}

impl fmt::Display for Who<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cluster, source } = self;
        write!(f, "{source} of cluster {cluster}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::Kind;

    fn claimant(cluster: &str, route: &str) -> Claimant {
        let source = SourceRef::new(Kind::HttpRoute, "default", route);
        (ClusterId::new("openmcp-system", cluster), source)
    }

    fn set(record_type: RecordType, ttl_seconds: u32, values: &[&str]) -> RecordSet {
        let values = values.iter().map(|text| RecordValue::parse(record_type, text).unwrap()).collect();
        RecordSet { name: host(), ttl_seconds, values }
    }

    fn host() -> HostName {
        "a.openmcp.cluster".parse().unwrap()
    }

    fn run(claims: &[(Claimant, RecordSet)], published_cname: Option<&str>) -> Winners {
        let cname = published_cname.map(|text| text.parse().unwrap());
        resolve(claims, &Present { cname, staying: Vec::new() })
    }

    fn resolve(claims: &[(Claimant, RecordSet)], present: &Present) -> Winners {
        let claims = claims.iter().map(|(claimant, set)| (claimant, set));
        resolve_conflicts(&host(), claims, BTreeSet::new(), present)
    }

    fn values(winners: &Winners) -> Vec<String> {
        winners.desired.iter().map(|desired| desired.value.to_string()).collect()
    }

    #[test]
    fn addresses_of_several_routes_are_united_with_the_shortest_time_to_live() {
        let winners = run(
            &[
                (claimant("w1", "b"), set(RecordType::A, 300, &["10.0.0.1", "10.0.0.2"])),
                (claimant("w1", "a"), set(RecordType::A, 60, &["10.0.0.1"])),
            ],
            None,
        );
        assert_eq!(values(&winners), ["10.0.0.1", "10.0.0.2"]);
        assert!(winners.desired.iter().all(|desired| desired.ttl_seconds == 60));
        assert_eq!(winners.desired[0].source.name, "a");
        assert!(winners.conflicts.is_empty());
    }

    #[test]
    fn a_name_with_too_many_values_has_of_each_cluster_as_many_and_says_so() {
        let many: Vec<String> = (0..150).map(|last| format!("10.0.0.{last}")).collect();
        let claims = many.iter().enumerate().map(|(number, address)| {
            (claimant("w1", &format!("r{number:03}")), set(RecordType::A, 60, &[address]))
        });
        let two = set(RecordType::A, 60, &["10.1.0.1", "10.1.0.2"]);
        let claims: Vec<(Claimant, RecordSet)> = claims.chain([(claimant("w2", "r"), two)]).collect();
        let winners = run(&claims, None);
        let of =
            |cluster: &str| winners.desired.iter().filter(|desired| desired.cluster.name == cluster).count();
        assert_eq!((of("w1"), of("w2")), (MAX_VALUES_AT_NAME - 2, 2));
        assert_eq!(winners.conflicts.len(), 152 - MAX_VALUES_AT_NAME);
        assert!(winners.conflicts.iter().all(|conflict| conflict.loser.0.name == "w1"));
    }

    #[test]
    fn two_clusters_with_the_same_value_each_own_theirs() {
        let a = set(RecordType::A, 60, &["10.0.0.1"]);
        let winners = run(&[(claimant("w1", "r"), a.clone()), (claimant("w2", "r"), a)], None);
        assert_eq!(winners.desired.len(), 2);
    }

    #[test]
    fn a_cname_gives_way_to_addresses() {
        let winners = run(
            &[
                (claimant("w1", "a"), set(RecordType::Cname, 60, &["lb.example"])),
                (claimant("w1", "b"), set(RecordType::A, 60, &["10.0.0.1"])),
            ],
            Some("lb.example"),
        );
        assert_eq!(values(&winners), ["10.0.0.1"]);
        assert_eq!(winners.conflicts[0].loser, claimant("w1", "a"));
        let why = &winners.conflicts[0].message;
        assert!(why.contains("published for HTTPRoute/default/b of cluster openmcp-system/w1"), "{why}");
    }

    #[test]
    fn what_stays_wins_over_all_that_cannot_stand_beside_it() {
        let a = (claimant("w2", "a"), set(RecordType::A, 60, &["10.0.0.2"]));
        let b = (claimant("w2", "b"), set(RecordType::Cname, 60, &["one.example"]));
        let c = (claimant("w2", "c"), set(RecordType::Cname, 60, &["two.example"]));
        let staying = |cluster: &str, record_type, value: &str| Present {
            cname: None,
            staying: vec![Staying {
                cluster: ClusterId::new("openmcp-system", cluster),
                source: "Ingress/default/old".to_owned(),
                value: RecordValue::parse(record_type, value).unwrap(),
            }],
        };
        let (alias, address) = ((RecordType::Cname, "one.example"), (RecordType::A, "10.0.0.1"));
        let (old, of_b, of_a) = (
            "Ingress/default/old of cluster openmcp-system/w1",
            "HTTPRoute/default/b",
            "HTTPRoute/default/a",
        );
        for (stays, claims, wins, lose) in [
            (alias, vec![&a, &c], vec![], vec![("a", old), ("c", old)]),
            (alias, vec![&b], vec!["one.example"], vec![]),
            // An object that asks for the same is named, as it is while somebody decides.
            (alias, vec![&a, &b, &c], vec!["one.example"], vec![("a", of_b), ("c", of_b)]),
            (address, vec![&a], vec!["10.0.0.2"], vec![]),
            (address, vec![&b, &c], vec![], vec![("b", old), ("c", old)]),
            (address, vec![&a, &b], vec!["10.0.0.2"], vec![("b", of_a)]),
        ] {
            let claims: Vec<(Claimant, RecordSet)> = claims.into_iter().cloned().collect();
            let winners = resolve(&claims, &staying("w1", stays.0, stays.1));
            assert_eq!(values(&winners), wins, "{stays:?} {claims:?}");
            assert_eq!(winners.conflicts.len(), lose.len(), "{winners:?}");
            for (conflict, (loser, who)) in winners.conflicts.iter().zip(lose) {
                assert_eq!(conflict.loser.1.name, loser);
                let message = &conflict.message;
                assert!(
                    message.starts_with(&format!("a.openmcp.cluster is published for {who}")),
                    "{message}"
                );
            }
        }
        // Its own cluster waits without a word.
        for (stays, claims) in [(alias, [a, c.clone()]), (address, [b, c])] {
            let winners = resolve(&claims, &staying("w2", stays.0, stays.1));
            assert_eq!((values(&winners).len(), winners.conflicts), (0, Vec::new()));
        }
    }

    #[test]
    fn of_two_cnames_the_published_one_stays_else_the_first() {
        let claims = [
            (claimant("w1", "a"), set(RecordType::Cname, 60, &["one.example"])),
            (claimant("w1", "b"), set(RecordType::Cname, 60, &["two.example"])),
        ];
        assert_eq!(values(&run(&claims, Some("two.example"))), ["two.example"]);
        assert_eq!(values(&run(&claims, Some("gone.example"))), ["one.example"]);
        assert_eq!(values(&run(&claims, None)), ["one.example"]);
    }
}
