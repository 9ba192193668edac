//! What a decision is about: the host names that objects ask for.

use openmcp_dns_core::cluster::SourceRef;
use openmcp_dns_core::details::{AskedClaim, Detail};
use openmcp_dns_core::kinds::{Kind, SourceRules, Watched};
use openmcp_dns_core::labels::Labels;
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::objects::{Change, Objects};
use openmcp_dns_core::resolve::{Claim, Resolution};

/// What objects ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// The claims that can be decided on.
    pub asked: Vec<AskedClaim>,
    /// Host names that lead nowhere, each with its object and the reason.
    pub unresolved: Vec<String>,
}

/// The claim on a host name, in which `{domain}` stands for the domain of the cluster.
#[must_use]
pub fn of_host(host: &str, targets: &[String], domain: &HostName) -> AskedClaim {
    let source = SourceRef::new(Kind::HttpRoute, "default", "command-line");
    let host_name = host.replace("{domain}", domain.as_str());
    let claim = Claim { host_name, targets: sorted(targets), ttl_seconds: None };
    AskedClaim::new(source, Labels::default(), claim)
}

/// The claims of all routes and ingresses that these rules let in, for a module that asks for these details. Where
/// `targets` are given, they take the place of what the status of a Gateway or Ingress says.
#[must_use]
pub fn of_objects(
    objects: impl IntoIterator<Item = Watched>,
    targets: &[String],
    rules: &SourceRules,
    wanted: &[Detail],
) -> Claims {
    let mut all = Objects::default();
    for object in objects {
        all.apply(Change::Set(object));
    }
    let mut claims = Claims::default();
    for source in all.sources() {
        let labels = all.labels(&source).cloned().unwrap_or_default();
        let details = all.details(&source, rules, wanted);
        let Resolution { wanted, unresolved } = all.resolve(&source, rules).unwrap_or_default();
        let mut ask = |claim: Claim| {
            let details = details.as_ref().map(|details| details.of(&claim.host_name));
            let asked = AskedClaim::new(source.clone(), labels.clone(), claim);
            claims.asked.push(AskedClaim { details, ..asked });
        };
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
        let claims = of_objects([route.clone()], &[], &SourceRules::default(), &[]);
        assert!(claims.asked.is_empty() && claims.unresolved[0].starts_with("a.example of HTTPRoute/n/r: "));
        let targets = ["10.0.0.2", "10.0.0.1", "10.0.0.2"].map(str::to_owned);
        let claims = of_objects([route], &targets, &SourceRules::default(), &[]);
        assert_eq!(claims.asked[0].claim.targets, ["10.0.0.1", "10.0.0.2"]);
        assert_eq!(claims.unresolved, [""; 0]);
    }
}
