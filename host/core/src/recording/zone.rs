//! The machine of the zone: which cluster has which domain.

use std::collections::BTreeMap;

use super::messages::NoDomain;
use crate::cluster::ClusterId;
use crate::name::HostName;
use crate::policy::PolicyFailure;

/// The domain that a cluster wants, as its policy says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wish {
    /// When the `Cluster` was created, in seconds since 1970.
    pub(super) created_unix_seconds: i64,
    /// The domain, or why the policy gives none.
    pub(super) domain: Result<HostName, PolicyFailure>,
}

/// What the zone gives to clusters.
pub(super) type Assigned = Vec<(ClusterId, Result<HostName, NoDomain>)>;

/// Gives out domains. One cluster's may depend on another's, when both want the same: of two clusters
/// whose domains overlap, the older has its own.
#[derive(Debug, Default)]
pub(super) struct Zone {
    wishes: BTreeMap<ClusterId, Wish>,
    given: BTreeMap<ClusterId, Result<HostName, NoDomain>>,
}

impl Zone {
    /// A cluster wants a domain. Gives what it gets, and whose domain changes with that.
    pub(super) fn wish(&mut self, cluster: ClusterId, wish: Wish) -> Assigned {
        self.given.remove(&cluster);
        self.wishes.insert(cluster, wish);
        self.assign_domains()
    }

    /// A cluster wants no domain any more. Its own goes to another at the next [`Self::assign_domains`].
    pub(super) fn forget(&mut self, cluster: &ClusterId) {
        self.wishes.remove(cluster);
        self.given.remove(cluster);
    }

    /// Gives out the domains; gives what is new, the oldest cluster first.
    pub(super) fn assign_domains(&mut self) -> Assigned {
        let mut by_age: Vec<(&ClusterId, &Wish)> = self.wishes.iter().collect();
        by_age.sort_by_key(|(id, wish)| (wish.created_unix_seconds, *id));
        let mut taken: Vec<(&HostName, &ClusterId)> = Vec::new();
        let mut assigned = Assigned::new();
        for (id, wish) in by_age {
            let domain = match &wish.domain {
                Err(failure) => Err(NoDomain::Policy(failure.clone())),
                Ok(domain) => {
                    let overlaps = |other: &HostName| domain.is_within(other) || other.is_within(domain);
                    match taken.iter().find(|(other, _)| overlaps(other)) {
                        Some((_, by)) => Err(NoDomain::Taken { domain: domain.clone(), by: (*by).clone() }),
                        None => {
                            taken.push((domain, id));
                            Ok(domain.clone())
                        }
                    }
                }
            };
            if self.given.get(id) != Some(&domain) {
                self.given.insert(id.clone(), domain.clone());
                assigned.push((id.clone(), domain));
            }
        }
        assigned
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::FailureKind;

    fn id(name: &str) -> ClusterId {
        ClusterId::new("default", name)
    }

    fn wish(created_unix_seconds: i64, domain: &str) -> Wish {
        Wish { created_unix_seconds, domain: Ok(domain.parse().unwrap()) }
    }

    #[test]
    fn a_cluster_that_wishes_is_answered_and_nobody_hears_what_has_not_changed() {
        let mut zone = Zone::default();
        let own = vec![(id("w1"), Ok("w1.openmcp.cluster".parse().unwrap()))];
        assert_eq!(zone.wish(id("w1"), wish(1, "w1.openmcp.cluster")), own);
        assert_eq!(zone.wish(id("w2"), wish(2, "w2.openmcp.cluster")).len(), 1);
        assert_eq!(zone.wish(id("w1"), wish(1, "w1.openmcp.cluster")), own, "the same answer again");
        assert!(zone.assign_domains().is_empty());
    }

    #[test]
    fn an_older_cluster_takes_an_overlapping_domain_from_a_younger_one_that_gets_it_back() {
        let mut zone = Zone::default();
        zone.wish(id("young"), wish(2, "a.shop.openmcp.cluster"));
        let assigned = zone.wish(id("old"), wish(1, "shop.openmcp.cluster"));
        assert_eq!(assigned[0], (id("old"), Ok("shop.openmcp.cluster".parse().unwrap())));
        let domain = "a.shop.openmcp.cluster".parse().unwrap();
        assert_eq!(assigned[1], (id("young"), Err(NoDomain::Taken { domain, by: id("old") })));
        zone.forget(&id("old"));
        let back = vec![(id("young"), Ok("a.shop.openmcp.cluster".parse().unwrap()))];
        assert_eq!(zone.assign_domains(), back);
    }

    #[test]
    fn a_policy_that_gives_no_domain_takes_none_from_others() {
        let mut zone = Zone::default();
        let failure = PolicyFailure::new(FailureKind::Trap, "why");
        let failed = Wish { created_unix_seconds: 0, domain: Err(failure.clone()) };
        assert_eq!(zone.wish(id("old"), failed), [(id("old"), Err(NoDomain::Policy(failure)))]);
        assert!(zone.wish(id("young"), wish(2, "shop.openmcp.cluster"))[0].1.is_ok());
    }
}
