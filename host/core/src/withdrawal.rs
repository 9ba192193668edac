//! What a person withdraws: all that an owner has in the store, because no `Cluster` stands for it any more.

use sha2::{Digest as _, Sha256};

use crate::mirror::Mirror;
use crate::plan::{NamePlan, steps};
use crate::skydns::Owner;

/// The deletion of all values of one owner.
#[derive(Debug)]
pub struct Withdrawal(Vec<NamePlan>);

impl Withdrawal {
    /// Plans it: exact keys, each guarded by the revision that was read. What others have at the same names stays.
    #[must_use]
    pub fn of(mirror: &Mirror, owner: &Owner) -> Self {
        let plans = mirror.names_of(owner).map(|name| {
            let may_withdraw = |other: &Owner, _: Option<&str>| other == owner;
            steps(&[], mirror.at(name), |_| None, may_withdraw).plan(mirror.prefix(), name)
        });
        Self(plans.collect())
    }

    /// What is deleted, by name.
    #[must_use]
    pub fn plans(&self) -> &[NamePlan] {
        &self.0
    }

    /// Confirms exactly this deletion: another one as soon as one of the values is written anew, or there is
    /// one more.
    #[must_use]
    pub fn token(&self) -> String {
        let mut hash = Sha256::new();
        for change in self.0.iter().flat_map(|plan| &plan.changes) {
            hash.update(change.expected_mod_revision.to_be_bytes());
            hash.update((change.key.len() as u64).to_be_bytes());
            hash.update(&change.key);
        }
        hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::skydns::Prefix;

    fn mirror(names: usize) -> Mirror {
        let mut mirror = Mirror::new(Prefix::default());
        for number in 0..names {
            for (id, cluster) in ["gone", "stays"].iter().enumerate() {
                let value = format!(r#"{{"host":"10.0.0.{id}","owner":"openmcp.cluster/ns/{cluster}"}}"#);
                let key = format!("/skydns/cluster/openmcp/n{number}/00000000000000a{id}");
                mirror.apply(&key, Some((value.as_bytes(), 7)));
            }
        }
        mirror
    }

    fn owner(text: &str) -> Owner {
        text.parse().unwrap()
    }

    #[test]
    fn all_that_the_owner_has_goes_and_what_others_have_at_the_same_names_stays() {
        let withdrawal = Withdrawal::of(&mirror(2), &owner("openmcp.cluster/ns/gone"));
        let changes: Vec<_> = withdrawal.plans().iter().flat_map(|plan| &plan.changes).collect();
        assert_eq!(changes.len(), 2);
        for change in changes {
            assert!(change.key.ends_with("a0") && change.value.is_none(), "{change:?}");
            assert_eq!(change.expected_mod_revision, 7);
        }
        assert!(Withdrawal::of(&mirror(2), &owner("other.cluster/ns/gone")).plans().is_empty());
    }

    #[test]
    fn the_token_holds_for_what_was_shown_only() {
        let token = |mirror: &Mirror| Withdrawal::of(mirror, &owner("openmcp.cluster/ns/gone")).token();
        let (two, mut again) = (mirror(2), mirror(2));
        assert_eq!(token(&two), token(&again));
        assert_ne!(token(&two), token(&mirror(3)));
        let value = br#"{"host":"10.0.0.9","owner":"openmcp.cluster/ns/gone"}"#;
        again.apply("/skydns/cluster/openmcp/n0/00000000000000a0", Some((value, 8)));
        assert_ne!(token(&two), token(&again));
    }
}
