//! Where a cluster may publish.

use std::collections::BTreeSet;

use crate::name::HostName;
use crate::policy::Context;
use crate::ttl::TtlBounds;

/// Where a cluster may publish.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AllowedNames {
    /// The cluster's own domain.
    pub domain: HostName,
    /// Names elsewhere in the zone that the DNSPolicy grants to the cluster.
    pub shared_names: BTreeSet<HostName>,
    /// Domains elsewhere in the zone below which the DNSPolicy lets the cluster publish.
    pub shared_suffixes: BTreeSet<HostName>,
    /// Whether the store can serve wildcards.
    pub wildcards: bool,
    /// Within which times to live it publishes.
    pub ttl: TtlBounds,
}

impl AllowedNames {
    /// Those of the cluster in a context, in this domain.
    #[must_use]
    pub fn of(context: &Context, domain: HostName, wildcards: bool, ttl: TtlBounds) -> Self {
        let shared_names = context.shared_names.iter().cloned().collect();
        let shared_suffixes = context.shared_suffixes.iter().cloned().collect();
        Self { domain, shared_names, shared_suffixes, wildcards, ttl }
    }

    /// Whether a host name is among them.
    pub(crate) fn has(&self, name: &HostName) -> bool {
        name.is_within(&self.domain)
            || self.shared_names.contains(name)
            || self.shared_suffixes.iter().any(|suffix| name.is_below(suffix))
    }
}
