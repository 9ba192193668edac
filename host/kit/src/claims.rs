//! What a decision is about: the host names that objects ask for.

use openmcp_dns_core::cluster::SourceRef;
use openmcp_dns_core::kinds::{Kind, SourceRules, Watched};
use openmcp_dns_core::labels::Labels;
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::objects::{Change, Objects};
use openmcp_dns_core::resolve::{Claim, Resolution};
use openmcp_dns_policy::vectors::ClaimOf;

/// One host name that one object asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The object.
    pub source: SourceRef,
    /// Its labels.
    pub labels: Labels,
    /// What it asks for.
    pub claim: Claim,
}

/// What objects ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// The claims that can be decided on.
    pub asked: Vec<Asked>,
    /// Host names that lead nowhere, each with its object and the reason.
    pub unresolved: Vec<String>,
}

/// The claim that a vector has, in a cluster of this domain.
#[must_use]
pub fn of_vector(vector: ClaimOf, domain: &HostName) -> Asked {
    let host_name = vector.host_name_in(domain);
    let ClaimOf { source, labels, targets, .. } = vector;
    Asked { source, labels, claim: Claim { host_name, targets, ttl_seconds: None } }
}

/// The claim on a host name, in which `{domain}` stands for the domain of the cluster.
#[must_use]
pub fn of_host(host: &str, targets: &[String], domain: &HostName) -> Asked {
    let source = SourceRef::new(Kind::HttpRoute, "default", "command-line");
    let host_name = host.replace("{domain}", domain.as_str());
    Asked {
        source,
        labels: Labels::default(),
        claim: Claim { host_name, targets: sorted(targets), ttl_seconds: None },
    }
}

/// The claims of all routes and ingresses. Where `targets` are given, they take the place of what the
/// status of a Gateway or Ingress says.
#[must_use]
pub fn of_objects(objects: impl IntoIterator<Item = Watched>, targets: &[String]) -> Claims {
    let mut all = Objects::default();
    for object in objects {
        all.apply(Change::Set(object));
    }
    let mut claims = Claims::default();
    for source in all.sources() {
        let labels = all.labels(&source).cloned().unwrap_or_default();
        let Resolution { wanted, unresolved } =
            all.resolve(&source, &SourceRules::default()).unwrap_or_default();
        let mut ask =
            |claim| claims.asked.push(Asked { source: source.clone(), labels: labels.clone(), claim });
        for claim in wanted {
            ask(if targets.is_empty() { claim } else { Claim { targets: sorted(targets), ..claim } });
        }
        for unresolved in unresolved {
            if targets.is_empty() || unresolved.host_name.is_empty() {
                claims
                    .unresolved
                    .push(format!("{} of {source}: {}", unresolved.host_name, unresolved.reason));
            } else {
                ask(Claim { host_name: unresolved.host_name, targets: sorted(targets), ttl_seconds: None });
            }
        }
    }
    claims
}

fn sorted(targets: &[String]) -> Vec<String> {
    let mut targets = targets.to_vec();
    targets.sort();
    targets.dedup();
    targets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_that_leads_nowhere_is_asked_about_only_with_given_targets() {
        let route = serde_json::json!({
            "metadata": { "name": "r", "namespace": "n" },
            "spec": { "hostnames": ["a.example"], "parentRefs": [{ "name": "g" }] },
        });
        let route = Watched::from_json(Kind::HttpRoute, route).unwrap();
        let claims = of_objects([route.clone()], &[]);
        assert!(claims.asked.is_empty() && claims.unresolved[0].starts_with("a.example of HTTPRoute/n/r: "));
        let targets = ["10.0.0.2", "10.0.0.1", "10.0.0.2"].map(str::to_owned);
        let claims = of_objects([route], &targets);
        assert_eq!(claims.asked[0].claim.targets, ["10.0.0.1", "10.0.0.2"]);
        assert_eq!(claims.unresolved, [""; 0]);
    }
}
