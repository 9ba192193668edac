//! The leader key: who may write to the store.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where the leaders of all landscapes that share a store stand. No prefix of records begins without a slash, so no
/// DNS server reads this as a record, and neither do we.
const ROOT: &str = "openmcp-dns/leader";

/// The key that the services of one landscape write their terms to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaderKey(String);

impl LeaderKey {
    /// Of the landscape with this platform cluster, by the uid of its namespace `kube-system`: services of different
    /// landscapes do not end each other's terms, even where they share a store.
    #[must_use]
    pub fn of_platform(uid: &str) -> Self {
        Self(format!("{ROOT}/{uid}"))
    }

    /// As it stands in the store.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Tells the landscape from others that share the store.
    pub(crate) fn landscape(&self) -> &str {
        self.0.strip_prefix(ROOT).map_or("", |rest| rest.trim_start_matches('/'))
    }
}

/// Who leads; the value of a leader key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Leader {
    /// Grows with every leader.
    pub term: u64,
    /// Which process it is.
    pub holder: String,
}

impl Leader {
    /// As it stands in the store.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        // Numbers and text can be written.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// What stands in the store; `None` where that is no leader, and nobody has to be waited for.
    #[must_use]
    pub fn decode(value: &[u8]) -> Option<Self> {
        serde_json::from_slice(value).ok()
    }
}

impl fmt::Display for Leader {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} in term {}", self.holder, self.term)
    }
}

/// What a leader does about the leader key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It stands there already.
    Holds,
    /// It writes itself there, if nobody else does.
    Write,
    /// Somebody of this term, or a later one, stands there.
    Behind(Leader),
}

/// What a leader does that has `seen` who stands at the key.
#[must_use]
pub fn claim(seen: Option<Leader>, mine: &Leader) -> Claim {
    match seen {
        // An earlier attempt of ours, whose answer was lost.
        Some(seen) if seen == *mine => Claim::Holds,
        Some(seen) if seen.term >= mine.term => Claim::Behind(seen),
        Some(_) | None => Claim::Write,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leader(term: u64, holder: &str) -> Leader {
        Leader { term, holder: holder.to_owned() }
    }

    #[test]
    fn only_a_later_term_takes_the_place_of_an_earlier_one() {
        let mine = leader(5, "me");
        assert_eq!(claim(None, &mine), Claim::Write);
        assert_eq!(claim(Some(leader(4, "other")), &mine), Claim::Write);
        assert_eq!(claim(Some(mine.clone()), &mine), Claim::Holds);
        for other in [leader(5, "other"), leader(6, "other")] {
            assert_eq!(claim(Some(other.clone()), &mine), Claim::Behind(other));
        }
    }

    #[test]
    fn what_is_written_can_be_read_and_what_others_wrote_is_nobody() {
        let mine = leader(7, "pod_3f");
        assert_eq!(Leader::decode(&mine.encode()), Some(mine));
        assert_eq!(Leader::decode(b"somebody"), None);
    }

    #[test]
    fn a_leader_key_lies_below_no_prefix_of_records() {
        assert!(!LeaderKey::of_platform("uid").as_str().starts_with('/'));
    }
}
