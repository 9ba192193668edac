//! Who wrote a value, and the id that follows from it.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::cluster::ClusterId;
use crate::name::{HostName, NameError};
use crate::record::RecordValue;

/// The cluster for which a value was published, within its zone.
///
/// Its text form is `<base domain>/<cluster namespace>/<cluster name>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner {
    /// The zone.
    pub zone: HostName,
    /// The cluster.
    pub cluster: ClusterId,
}

/// Why a text is no owner of ours.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OwnerError {
    /// Not three non-empty parts.
    #[error("{0:?} is not of the form <base domain>/<cluster namespace>/<cluster name>")]
    Form(String),
    /// The first part is no domain.
    #[error("{owner:?} does not start with a base domain: {source}")]
    Zone {
        /// The whole text.
        owner: String,
        /// Why its first part is no domain.
        source: NameError,
    },
}

/// What the owner of an entry means to one zone.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Ownership {
    /// Written by this zone for the cluster.
    Ours(ClusterId),
    /// Written by another zone that shares the store. Never changed by this one.
    OtherZone(Owner),
    /// Written by something else, for example external-dns; with its `owner`, if it set one.
    /// Never changed.
    Foreign(Option<String>),
}

impl Owner {
    /// The service itself, which publishes what a zone needs.
    #[must_use]
    pub fn service(zone: HostName) -> Self {
        Self { zone, cluster: ClusterId::service() }
    }

    /// Whether it is the service itself, and no cluster.
    #[must_use]
    pub fn is_service(&self) -> bool {
        self.cluster.is_service()
    }

    /// Says who set the `owner` of an entry, as seen by `zone`.
    #[must_use]
    pub fn classify(owner: Option<&str>, zone: &HostName) -> Ownership {
        match owner.map(str::parse::<Self>) {
            Some(Ok(owner)) if owner.zone == *zone => Ownership::Ours(owner.cluster),
            Some(Ok(owner)) => Ownership::OtherZone(owner),
            Some(Err(_)) | None => Ownership::Foreign(owner.map(str::to_owned)),
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.zone, self.cluster)
    }
}

impl FromStr for Owner {
    type Err = OwnerError;

    fn from_str(text: &str) -> Result<Self, OwnerError> {
        let parts: Vec<&str> = text.split('/').collect();
        let &[zone, namespace, name] = parts.as_slice() else {
            return Err(OwnerError::Form(text.to_owned()));
        };
        if namespace.is_empty() || name.is_empty() {
            return Err(OwnerError::Form(text.to_owned()));
        }
        let zone = zone.parse().map_err(|source| OwnerError::Zone { owner: text.to_owned(), source })?;
        Ok(Self { zone, cluster: ClusterId::new(namespace, name) })
    }
}

/// The last key segment of a value: 16 hex digits (64 bits) of a SHA-256 over owner and value.
///
/// Deterministic, so a second run writes the same key; different for each owner, so two clusters
/// that publish the same value under a shared name never write or delete each other's key. 64 bits
/// are plenty, because ids only have to differ among the values of one name.
#[must_use]
pub fn value_id(owner: &Owner, value: &RecordValue) -> String {
    format!("{:016x}", value_hash(owner, value))
}

/// The number that [`value_id`] writes.
pub(super) fn value_hash(owner: &Owner, value: &RecordValue) -> u64 {
    let canonical = match value {
        // Display quotes and escapes a text for people.
        RecordValue::Txt(text) => text.clone(),
        other => other.to_string(),
    };
    let Owner { zone, cluster } = owner;
    let mut hash = Sha256::new();
    for field in [zone.as_str(), &cluster.namespace, &cluster.name, value.record_type().as_str(), &canonical]
    {
        // With its length in front, a field cannot run into the next one.
        hash.update((field.len() as u64).to_be_bytes());
        hash.update(field.as_bytes());
    }
    hash.finalize().iter().take(8).fold(0, |hash, byte| hash << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(cluster: &str) -> Owner {
        Owner { zone: "openmcp.cluster".parse().unwrap(), cluster: ClusterId::new("clusters", cluster) }
    }

    fn a(text: &str) -> RecordValue {
        RecordValue::A(text.parse().unwrap())
    }

    #[test]
    fn a_value_id_never_changes_between_releases() {
        // The ids are in every store: a new hash would orphan all records.
        assert_eq!(value_id(&owner("wl01"), &a("172.18.201.1")), GOLDEN_ID);
    }

    const GOLDEN_ID: &str = "296b68b26183e989";

    #[test]
    fn value_ids_differ_by_cluster_type_and_value() {
        let ids: std::collections::BTreeSet<String> = [
            value_id(&owner("wl01"), &a("172.18.201.1")),
            value_id(&owner("wl02"), &a("172.18.201.1")),
            value_id(&owner("wl01"), &a("172.18.201.2")),
            value_id(&owner("wl01"), &RecordValue::Txt("172.18.201.1".to_owned())),
        ]
        .into();
        assert_eq!(ids.len(), 4);
        assert!(ids.iter().all(|id| id.len() == 16));
    }

    #[test]
    fn fields_do_not_run_into_each_other() {
        let left = Owner { cluster: ClusterId::new("ab", "c"), ..owner("x") };
        let right = Owner { cluster: ClusterId::new("a", "bc"), ..owner("x") };
        assert_ne!(value_id(&left, &a("10.0.0.1")), value_id(&right, &a("10.0.0.1")));
    }

    #[test]
    fn owners_round_trip_through_their_text() {
        let text = "openmcp.cluster/clusters/wl01";
        assert_eq!(owner("wl01").to_string(), text);
        assert_eq!(text.parse::<Owner>().unwrap(), owner("wl01"));
    }

    #[test]
    fn the_service_is_an_owner_like_a_cluster_and_is_told_from_all_clusters() {
        let service = Owner::service("openmcp.cluster".parse().unwrap());
        assert_eq!(service.to_string(), "openmcp.cluster/_service/dns");
        assert!(service.to_string().parse::<Owner>().unwrap().is_service());
        assert!(!owner("dns").is_service());
    }

    #[test]
    fn an_owner_says_whether_it_is_ours() {
        let zone: HostName = "openmcp.cluster".parse().unwrap();
        let classify = |owner| Owner::classify(owner, &zone);
        assert_eq!(
            classify(Some("openmcp.cluster/clusters/wl01")),
            Ownership::Ours(ClusterId::new("clusters", "wl01"))
        );
        assert!(matches!(classify(Some("other.cluster/clusters/wl01")), Ownership::OtherZone(_)));
        assert_eq!(classify(None), Ownership::Foreign(None));
        for foreign in ["", "default", "a/b", "openmcp.cluster//wl01", "openmcp.cluster/a/b/c", "-/a/b"] {
            assert_eq!(classify(Some(foreign)), Ownership::Foreign(Some(foreign.to_owned())), "{foreign}");
        }
    }
}
