//! Where two modules differ.

use std::collections::BTreeSet;

use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::name::HostName;

use super::side::{ClaimKey, Side, Verdict};

/// How a claim is decided differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It is denied now.
    NewlyDenied,
    /// It is published now.
    NewlyAllowed,
    /// It is published with other records.
    OtherRecords,
    /// It is denied with another code.
    OtherDenial,
    /// There is no decision any more: what is published stays, what is new is not published.
    NoLongerDecided,
}

/// The domain of a cluster on one side; `None` when the policy does not select the cluster.
type Domain<'s> = Option<&'s Result<HostName, String>>;

/// Where two modules differ.
pub(super) struct Comparison<'s> {
    /// All claims.
    pub(super) total: usize,
    /// Claims that both decide the same.
    pub(super) same: usize,
    /// All clusters.
    pub(super) clusters: usize,
    /// Clusters with another domain.
    pub(super) domains: Vec<(&'s ClusterId, Domain<'s>, Domain<'s>)>,
    /// Claims with another decision.
    pub(super) claims: Vec<(Kind, &'s ClaimKey, Option<&'s Verdict>, Option<&'s Verdict>)>,
}

impl<'s> Comparison<'s> {
    /// Compares what two modules make of the same landscape.
    pub(super) fn of(old: &'s Side, new: &'s Side) -> Self {
        let clusters: BTreeSet<&ClusterId> = old.domains.keys().chain(new.domains.keys()).collect();
        let keys: BTreeSet<&ClaimKey> = old.claims.keys().chain(new.claims.keys()).collect();
        let domains = clusters.iter().filter_map(|cluster| {
            let (old, new) = (old.domains.get(*cluster), new.domains.get(*cluster));
            (old != new).then_some((*cluster, old, new))
        });
        let claims: Vec<_> = keys
            .iter()
            .filter_map(|key| {
                let (old, new) = (old.claims.get(*key), new.claims.get(*key));
                Some((difference(old, new)?, *key, old, new))
            })
            .collect();
        Self {
            total: keys.len(),
            same: keys.len() - claims.len(),
            clusters: clusters.len(),
            domains: domains.collect(),
            claims,
        }
    }

    /// Whether nothing would change.
    pub(super) fn is_same(&self) -> bool {
        self.domains.is_empty() && self.claims.is_empty()
    }

    /// How many claims differ in this way.
    pub(super) fn count(&self, kind: Kind) -> usize {
        self.claims.iter().filter(|(found, ..)| *found == kind).count()
    }
}

impl Kind {
    /// All of them, what hurts most first.
    pub(super) const ALL: [Self; 5] =
        [Self::NewlyDenied, Self::NoLongerDecided, Self::OtherRecords, Self::NewlyAllowed, Self::OtherDenial];

    /// In words.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::NewlyDenied => "newly denied",
            Self::NewlyAllowed => "newly allowed",
            Self::OtherRecords => "other records",
            Self::OtherDenial => "denied for another reason",
            Self::NoLongerDecided => "no longer decided",
        }
    }
}

fn difference(old: Option<&Verdict>, new: Option<&Verdict>) -> Option<Kind> {
    use Verdict::{Denied, Published, Undecided};
    match (old, new) {
        (Some(Published(old)), Some(Published(new))) => (old != new).then_some(Kind::OtherRecords),
        (Some(Denied { code: old, .. }), Some(Denied { code: new, .. })) => {
            (old != new).then_some(Kind::OtherDenial)
        }
        (None | Some(Undecided(_)), None | Some(Undecided(_))) => None,
        (_, Some(Published(_))) => Some(Kind::NewlyAllowed),
        (_, Some(Denied { .. })) => Some(Kind::NewlyDenied),
        (_, None | Some(Undecided(_))) => Some(Kind::NoLongerDecided),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_verdicts_has_its_difference() {
        let published = |value: &str| Verdict::Published(vec![value.to_owned()]);
        let denied = |code: &str| Verdict::Denied { code: code.to_owned(), message: String::new() };
        let undecided = Verdict::Undecided("why".to_owned());
        for (old, new, expected) in [
            (published("a"), published("a"), None),
            (published("a"), published("b"), Some(Kind::OtherRecords)),
            (published("a"), denied("x"), Some(Kind::NewlyDenied)),
            (published("a"), undecided.clone(), Some(Kind::NoLongerDecided)),
            (denied("x"), published("a"), Some(Kind::NewlyAllowed)),
            (denied("x"), denied("x"), None),
            (denied("x"), denied("y"), Some(Kind::OtherDenial)),
            (undecided.clone(), denied("x"), Some(Kind::NewlyDenied)),
            (undecided.clone(), undecided, None),
        ] {
            assert_eq!(difference(Some(&old), Some(&new)), expected, "{old:?} {new:?}");
        }
    }
}
