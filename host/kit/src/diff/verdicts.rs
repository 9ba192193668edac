//! What a module makes of a landscape.

use std::collections::BTreeMap;

use kube::ResourceExt as _;
use openmcp_dns_core::cluster::{ClusterId, SourceRef};
use openmcp_dns_core::decide::{Decision, cluster_domain, decide};
use openmcp_dns_core::details::{AskedClaim, Detail, NameCounts, names_of};
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::policy::{FailureKind, PolicyFailure};
use openmcp_dns_core::recording::NoDomain;
use openmcp_dns_landscape::Landscape;

use crate::loaded_policy::LoadedPolicy;

/// A claim: cluster, object and host name.
pub type ClaimKey = (ClusterId, SourceRef, String);

/// What a module makes of a landscape.
#[derive(Debug)]
pub struct Verdicts {
    /// Name and version of the module.
    pub module: String,
    /// The domain of each cluster, or why it has none.
    pub domains: BTreeMap<ClusterId, Result<HostName, String>>,
    /// What becomes of each claim.
    pub claims: BTreeMap<ClaimKey, Decision>,
    /// Host names that point nowhere, so that no module is asked.
    pub unresolved: usize,
}

impl Verdicts {
    /// What the module makes under this policy of a landscape.
    #[must_use]
    pub fn of(policy: &LoadedPolicy, landscape: &Landscape) -> Self {
        let mut verdicts = Self {
            module: policy.module.description().to_string(),
            domains: domains(policy, landscape),
            claims: BTreeMap::new(),
            unresolved: 0,
        };
        for member in &landscape.clusters {
            let Some(domain) = verdicts.domains.get(&member.id) else { continue };
            let Ok(objects) = &member.objects else { continue };
            let cluster_policy = policy.cluster_policy(&member.id, &member.cluster);
            let allowed = domain.clone().map(|domain| cluster_policy.module.allowed(domain));
            let module = &*cluster_policy.module.policy;
            let wanted = module.details();
            // Claims are asked about one after another; each finds what was published before it.
            let mut counts = NameCounts::default();
            for source in objects.sources() {
                let labels = objects.labels(&source).cloned().unwrap_or_default();
                let resolution = objects.resolve(&source, &cluster_policy.sources).unwrap_or_default();
                verdicts.unresolved += resolution.unresolved.len();
                let details = objects.details(&source, &cluster_policy.sources, wanted);
                for claim in resolution.wanted {
                    let host_name = claim.host_name.clone();
                    let counted = wanted.contains(&Detail::PublishedNames);
                    let asked = AskedClaim {
                        source: source.clone(),
                        labels: labels.clone(),
                        details: details.as_ref().map(|details| details.of(&host_name)),
                        published_names: counted.then(|| counts.found_in(&source.namespace)),
                        claim,
                    };
                    let decision = match &allowed {
                        Err(why) => Decision::Undecided(PolicyFailure::new(
                            FailureKind::Refused,
                            format!("the cluster has no domain: {why}"),
                        )),
                        Ok(allowed) => {
                            let context = &cluster_policy.module.context;
                            decide(module, context, allowed, &asked)
                        }
                    };
                    if let Decision::Publish(record_sets) = &decision {
                        counts.add(&source.namespace, names_of(record_sets));
                    }
                    verdicts.claims.insert((member.id.clone(), source.clone(), host_name), decision);
                }
            }
        }
        verdicts
    }
}

/// The domain of each cluster that the policy selects. As in the service, a domain belongs to the oldest
/// cluster that wants it.
fn domains(policy: &LoadedPolicy, landscape: &Landscape) -> BTreeMap<ClusterId, Result<HostName, String>> {
    let mut by_age: Vec<_> =
        landscape.clusters.iter().filter(|member| policy.selects(&member.cluster)).collect();
    by_age.sort_by_key(|member| (member.cluster.creation_timestamp().map(|time| time.0), member.id.clone()));
    let mut taken: Vec<(HostName, ClusterId)> = Vec::new();
    let mut domains = BTreeMap::new();
    for member in by_age {
        let cluster_policy = policy.cluster_policy(&member.id, &member.cluster);
        let wanted = cluster_domain(&*policy.module, &cluster_policy.module.context)
            .map_err(|failure| failure.to_string());
        let domain = wanted.and_then(|domain| {
            let overlaps =
                |(other, _): &&(HostName, ClusterId)| domain.is_within(other) || other.is_within(&domain);
            match taken.iter().find(overlaps) {
                Some((_, by)) => Err(NoDomain::Taken { domain, by: by.clone() }.to_string()),
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
