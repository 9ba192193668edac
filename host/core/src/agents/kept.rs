//! Where the store keeps what agents have written, and how.

use serde::{Deserialize, Serialize};

use super::Pair;
use crate::cluster::ClusterId;
use crate::leadership::LeaderKey;

/// Where all agents of a landscape have theirs. No prefix of records begins without a slash, so no DNS server reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root(String);

/// What a key of the store is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeptKey {
    /// A key of an agent.
    Key(ClusterId, Vec<u8>),
    /// It is noted that the cluster is handed over to its agent.
    HandedOver(ClusterId),
}

/// What stands between a cluster and a key of its agent.
const KEYS: &str = "keys";
/// The note.
const HANDED_OVER: &str = "handed-over";

/// A value as it is kept. Texts, because agents write nothing else.
#[derive(Serialize, Deserialize)]
struct Value {
    value: String,
    create: i64,
    modified: i64,
    version: i64,
}

impl Root {
    /// Of the landscape whose leaders stand at this key.
    #[must_use]
    pub fn of(leader: &LeaderKey) -> Self {
        Self(format!("openmcp-dns/agents/{}/", leader.landscape()))
    }

    /// What all that is kept starts with.
    #[must_use]
    pub fn all(&self) -> &str {
        &self.0
    }

    /// What all that is kept of a cluster starts with.
    #[must_use]
    pub fn of_cluster(&self, cluster: &ClusterId) -> String {
        format!("{}{cluster}/", self.0)
    }

    /// Where it stands.
    #[must_use]
    pub fn place(&self, what: &KeptKey) -> String {
        let root = &self.0;
        match what {
            // What agents write is text, see `Meaning::read`.
            KeptKey::Key(cluster, key) => format!("{root}{cluster}/{KEYS}{}", String::from_utf8_lossy(key)),
            KeptKey::HandedOver(cluster) => format!("{root}{cluster}/{HANDED_OVER}"),
        }
    }

    /// What stands there; `None` where that is nothing of ours.
    #[must_use]
    pub fn read(&self, place: &str) -> Option<KeptKey> {
        let mut parts = place.strip_prefix(&self.0)?.splitn(3, '/');
        let cluster = ClusterId::new(parts.next()?, parts.next()?);
        match parts.next()? {
            HANDED_OVER => Some(KeptKey::HandedOver(cluster)),
            rest => Some(KeptKey::Key(cluster, rest.strip_prefix(KEYS)?.as_bytes().to_vec())),
        }
    }
}

impl Pair {
    /// Its value as it is kept.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let value = Value {
            value: String::from_utf8_lossy(&self.value).into_owned(),
            create: self.create_revision,
            modified: self.mod_revision,
            version: self.version,
        };
        // Numbers and text can be written.
        serde_json::to_vec(&value).unwrap_or_default()
    }

    /// What is kept of a key; `None` where it is not as we write it.
    #[must_use]
    pub fn decode(key: Vec<u8>, kept: &[u8]) -> Option<Self> {
        let Value { value, create, modified, version } = serde_json::from_slice(kept).ok()?;
        Some(Self {
            key,
            value: value.into_bytes(),
            create_revision: create,
            mod_revision: modified,
            version,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_found_again_and_lies_below_no_prefix_of_records() {
        let root = Root::of(&LeaderKey::of_platform("uid"));
        let cluster = ClusterId::new("clusters", "w1");
        for what in [
            KeptKey::Key(cluster.clone(), b"/skydns/example/w1/web/3dc2be40".to_vec()),
            KeptKey::HandedOver(cluster),
        ] {
            let place = root.place(&what);
            assert!(place.starts_with("openmcp-dns/agents/uid/clusters/w1/"), "{place}");
            assert!(place.starts_with(&root.of_cluster(&ClusterId::new("clusters", "w1"))));
            assert_eq!(root.read(&place), Some(what));
        }
        for other in
            ["openmcp-dns/leader/uid", "openmcp-dns/agents/other/clusters/w1/handed-over", "/skydns/a"]
        {
            assert_eq!(root.read(other), None, "{other}");
        }
    }

    #[test]
    fn a_pair_is_the_same_after_it_was_kept() {
        let pair = Pair {
            key: b"/skydns/a".to_vec(),
            value: br#"{"host":"10.0.0.1"}"#.to_vec(),
            create_revision: 2,
            mod_revision: 7,
            version: 3,
        };
        assert_eq!(Pair::decode(pair.key.clone(), &pair.encode()), Some(pair));
        assert_eq!(Pair::decode(Vec::new(), b"{}"), None);
    }
}
