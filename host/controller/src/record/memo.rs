//! Remembers decisions, because most changes of an object do not change what it asks for.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;

use lru::LruCache;
use openmcp_dns_core::cluster::SourceRef;
use openmcp_dns_core::decide::{Decision, Territory};
use openmcp_dns_core::policy::Context;
use openmcp_dns_core::resolve::Wanted;

/// Enough for a large landscape to be listed anew without asking a module; about 1 kB each.
const CAPACITY: NonZeroUsize = NonZeroUsize::new(50_000).expect("is not zero");

/// Everything that a decision depends on.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Question {
    /// SHA-256 of the module.
    pub(super) module_digest: Arc<str>,
    /// Cluster, base domain and configuration.
    pub(super) context: Arc<Context>,
    /// Where the cluster may publish.
    pub(super) territory: Arc<Territory>,
    /// The object that asks.
    pub(super) source: SourceRef,
    /// Its labels.
    pub(super) labels: BTreeMap<String, String>,
    /// What it asks for.
    pub(super) wanted: Wanted,
}

/// Decisions by question; the least recently used ones are forgotten.
pub(super) struct Memo(LruCache<Question, Decision>);

impl Default for Memo {
    fn default() -> Self {
        Self(LruCache::new(CAPACITY))
    }
}

impl Memo {
    /// The decision on a question; asks only if it is not known. A failure is not remembered: the
    /// next attempt may go better.
    pub(super) fn decide(&mut self, question: Question, ask: impl FnOnce(&Question) -> Decision) -> Decision {
        if let Some(known) = self.0.get(&question) {
            return known.clone();
        }
        let decision = ask(&question);
        if !matches!(decision, Decision::Undecided(_)) {
            self.0.put(question, decision.clone());
        }
        decision
    }
}
