//! Zones of several policies: none lies inside of another.
//!
//! A name has to lie in one zone only: in two, clusters of both could publish it, each under another owner, and
//! the clean-up of neither would find all of it.

use std::collections::BTreeMap;

use kube::ResourceExt as _;
use openmcp_dns_core::name::HostName;

use openmcp_dns_api::DNSPolicy;
use openmcp_dns_api::conditions::{Finding, Reason};

/// Policies, by whether they are in force.
#[derive(Default)]
pub(super) struct Zones<'p> {
    /// The oldest first, and of two of the same age the first by name.
    pub(super) in_force: Vec<&'p DNSPolicy>,
    refused: Vec<Overlap<'p>>,
}

/// A policy that is not in force because of an older one.
struct Overlap<'p> {
    policy: &'p DNSPolicy,
    older: &'p DNSPolicy,
    place: &'static str,
}

impl<'p> Zones<'p> {
    /// Looks at all policies. Several may have the same zone. One that is being deleted stands in nobody's way.
    pub(super) fn of(policies: impl IntoIterator<Item = &'p DNSPolicy>) -> Self {
        let left = policies.into_iter().filter(|policy| policy.metadata.deletion_timestamp.is_none());
        let mut by_age: Vec<&DNSPolicy> = left.collect();
        by_age.sort_by_key(|policy| (policy.creation_timestamp(), policy.name_any()));
        let mut zones = Self::default();
        for policy in by_age {
            let overlap = zones
                .in_force
                .iter()
                .find_map(|older| place(policy, older).map(|place| Overlap { policy, older, place }));
            match overlap {
                Some(overlap) => zones.refused.push(overlap),
                None => zones.in_force.push(policy),
            }
        }
        zones
    }

    /// What is to be said of the policies that are not in force, by name.
    pub(super) fn findings(&self) -> BTreeMap<String, Finding> {
        let finding = |Overlap { policy, older, place }: &Overlap<'_>| {
            let (zone, outer) = (&policy.spec.base_domain, &older.spec.base_domain);
            let older = older.name_any();
            let message = format!(
                "the policy is not in force: its zone {zone} lies {place} {outer}, the zone of the older DNSPolicy {older}; \
                 create it with a zone beside that one, or delete one of the two"
            );
            (policy.name_any(), Finding::bad(Reason::ZoneConflict, message))
        };
        self.refused.iter().map(finding).collect()
    }
}

/// Where the zone of a policy lies, as seen from another one's; `None` where they are the same, lie beside each
/// other, or one is no name.
fn place(policy: &DNSPolicy, other: &DNSPolicy) -> Option<&'static str> {
    let zone = |policy: &DNSPolicy| policy.spec.base_domain.parse::<HostName>().ok();
    let (zone, other) = (zone(policy)?, zone(other)?);
    if zone.is_below(&other) { Some("inside of") } else { other.is_below(&zone).then_some("around") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policies::test_support::policy;

    /// Policies by name, second of creation and zone.
    fn policies(all: &[(&str, i64, &str)]) -> Vec<DNSPolicy> {
        let one = |&(name, second, zone): &(&str, i64, &str)| {
            policy(name, second, serde_json::json!({ "baseDomain": zone }))
        };
        all.iter().map(one).collect()
    }

    fn in_force(all: &[DNSPolicy]) -> Vec<String> {
        Zones::of(all).in_force.iter().map(|policy| policy.name_any()).collect()
    }

    #[test]
    fn a_zone_inside_or_around_an_older_one_is_refused_whatever_comes_first_in_the_list() {
        for (younger, place) in [("dev.a.cluster", "inside of"), ("cluster", "around")] {
            let all = policies(&[("younger", 9, younger), ("older", 5, "a.cluster")]);
            assert_eq!(in_force(&all), ["older"]);
            let finding = &Zones::of(&all).findings()["younger"];
            assert_eq!((finding.status, finding.reason), (Some(false), Reason::ZoneConflict));
            let says =
                format!("its zone {younger} lies {place} a.cluster, the zone of the older DNSPolicy older");
            assert!(finding.message.contains(&says), "{finding:?}");
        }
    }

    #[test]
    fn the_same_zone_and_one_beside_another_are_in_force() {
        let all = policies(&[("a", 1, "a.cluster"), ("same", 2, "a.cluster"), ("beside", 3, "aa.cluster")]);
        assert_eq!(in_force(&all), ["a", "same", "beside"]);
    }

    #[test]
    fn who_is_refused_or_leaves_stands_in_nobodys_way() {
        let mut all = policies(&[("a", 1, "a.cluster"), ("refused", 2, "cluster"), ("b", 3, "b.cluster")]);
        assert_eq!(in_force(&all), ["a", "b"]);
        all[0].metadata.deletion_timestamp = all[0].metadata.creation_timestamp.clone();
        assert_eq!(in_force(&all), ["refused"]);
    }
}
