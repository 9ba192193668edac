//! One of the two modules, and what it makes of a landscape.

use std::collections::BTreeMap;

use kube::ResourceExt as _;
use openmcp_dns_core::cluster::{ClusterId, SourceRef};
use openmcp_dns_core::decide::{Decision, cluster_domain, decide};
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::policy::{FailureKind, PolicyFailure};
use openmcp_dns_core::resolve::Claim;

use crate::demo::rules::Rules;
use openmcp_dns_landscape::Landscape;

/// A claim: cluster, object and host name.
pub(super) type ClaimKey = (ClusterId, SourceRef, String);

/// What a module makes of a landscape.
pub(super) struct Side {
    /// Name and version of the module.
    pub(super) module: String,
    /// The domain of each cluster, or why it has none.
    pub(super) domains: BTreeMap<ClusterId, Result<HostName, String>>,
    /// What becomes of each claim.
    pub(super) claims: BTreeMap<ClaimKey, Decision>,
    /// Host names that point nowhere, so that no module is asked.
    pub(super) unresolved: usize,
}

impl Side {
    /// What the module of these rules makes of a landscape.
    pub(super) fn of(rules: &Rules, landscape: &Landscape) -> Self {
        let description = rules.module.description();
        let mut side = Self {
            module: format!("{} {}", description.name, description.version),
            domains: domains(rules, landscape),
            claims: BTreeMap::new(),
            unresolved: 0,
        };
        for member in &landscape.clusters {
            let Some(domain) = side.domains.get(&member.id) else { continue };
            let Ok(objects) = &member.objects else { continue };
            let governance = rules.governance(&member.id, &member.cluster);
            let allowed = domain.clone().map(|domain| governance.module.allowed(domain));
            for source in objects.sources() {
                let labels = objects.labels(&source).cloned().unwrap_or_default();
                let resolution = objects.resolve(&source).unwrap_or_default();
                side.unresolved += resolution.unresolved.len();
                for wanted in resolution.wanted {
                    let decision = match &allowed {
                        Err(why) => Decision::Undecided(PolicyFailure {
                            kind: FailureKind::Refused,
                            message: format!("the cluster has no domain: {why}"),
                        }),
                        Ok(allowed) => {
                            let context = &governance.module.context;
                            decide(&*rules.module, context, allowed, &source, &labels, &wanted)
                        }
                    };
                    let Claim { host_name, targets: _ } = wanted;
                    side.claims.insert((member.id.clone(), source.clone(), host_name), decision);
                }
            }
        }
        side
    }
}

/// The domain of each cluster that the policy selects. As in the service, a domain belongs to the oldest
/// cluster that wants it.
fn domains(rules: &Rules, landscape: &Landscape) -> BTreeMap<ClusterId, Result<HostName, String>> {
    let mut by_age: Vec<_> =
        landscape.clusters.iter().filter(|member| rules.selects(&member.cluster)).collect();
    by_age.sort_by_key(|member| (member.cluster.creation_timestamp().map(|time| time.0), member.id.clone()));
    let mut taken: Vec<(HostName, ClusterId)> = Vec::new();
    let mut domains = BTreeMap::new();
    for member in by_age {
        let governance = rules.governance(&member.id, &member.cluster);
        let wanted =
            cluster_domain(&*rules.module, &governance.module.context).map_err(|failure| failure.to_string());
        let domain = wanted.and_then(|domain| {
            let overlaps =
                |(other, _): &&(HostName, ClusterId)| domain.is_within(other) || other.is_within(&domain);
            match taken.iter().find(overlaps) {
                Some((other, owner)) => {
                    Err(format!("{domain} overlaps with {other}, which belongs to cluster {owner}"))
                }
                None => Ok(domain),
            }
        });
        if let Ok(domain) = &domain {
            taken.push((domain.clone(), member.id.clone()));
        }
        domains.insert(member.id.clone(), domain);
    }
    domains
}
