//! What taking a cluster out of the names that others have as well leads to, by what the store holds.

use std::collections::{BTreeMap, BTreeSet};

use crate::cluster::ClusterId;
use crate::mirror::{Mirror, StoredName};
use crate::name::HostName;

/// The names at which a cluster has something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evacuation {
    /// Names that others have as well, and who they are: the cluster leaves them.
    pub leaves: BTreeMap<HostName, BTreeSet<ClusterId>>,
    /// Names that nobody else has, or only clusters that are evacuated, too: they go on leading to the cluster.
    pub stays: BTreeSet<HostName>,
}

impl Evacuation {
    /// Looks at the store; `evacuated` are the clusters that are taken out already.
    #[must_use]
    pub fn of(mirror: &Mirror, cluster: &ClusterId, evacuated: &BTreeSet<ClusterId>) -> Self {
        let mut evacuation = Self::default();
        let owners = mirror.owners().filter(|owner| owner.cluster == *cluster);
        let names = owners.flat_map(|owner| mirror.names_of(owner));
        // Those of addresses follow.
        for name in names.filter(|name| name.address().is_none()) {
            let stored = mirror.at(name).into_iter().flat_map(StoredName::iter);
            let clusters = stored.filter_map(|stored| stored.owner()).map(|owner| &owner.cluster);
            let others = clusters.filter(|other| *other != cluster && !evacuated.contains(other));
            let others: BTreeSet<ClusterId> = others.filter(|other| !other.is_service()).cloned().collect();
            if others.is_empty() {
                evacuation.stays.insert(name.clone());
            } else {
                evacuation.leaves.insert(name.clone(), others);
            }
        }
        evacuation
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::skydns::Prefix;

    #[test]
    fn a_cluster_leaves_what_others_have_and_stays_where_it_is_the_last() {
        let mut mirror = Mirror::new(Prefix::default());
        let mut put = |name: &str, id: u8, cluster: &str| {
            let value = format!(r#"{{"host":"10.0.0.{id}","owner":"openmcp.cluster/ns/{cluster}"}}"#);
            mirror.apply(
                &format!("/skydns/cluster/openmcp/{name}/00000000000000a{id}"),
                Some((value.as_bytes(), 7)),
            );
        };
        for (name, id, cluster) in [
            ("shop", 1, "w1"),
            ("shop", 2, "w2"),
            ("own", 1, "w1"),
            ("both", 1, "w1"),
            ("both", 3, "w3"),
            ("other", 2, "w2"),
        ] {
            put(name, id, cluster);
        }
        let (w1, w2, w3) =
            (ClusterId::new("ns", "w1"), ClusterId::new("ns", "w2"), ClusterId::new("ns", "w3"));
        let evacuation = Evacuation::of(&mirror, &w1, &[w3].into());
        let name = |label: &str| -> HostName { format!("{label}.openmcp.cluster").parse().unwrap() };
        assert_eq!(evacuation.leaves, [(name("shop"), [w2].into())].into());
        assert_eq!(evacuation.stays, [name("both"), name("own")].into());
    }
}
