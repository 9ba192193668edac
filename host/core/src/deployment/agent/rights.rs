//! What external-dns reads for each of its sources, so that it may read that and nothing else.

use serde_json::{Value, json};

const READ: &[&str] = &["get", "list", "watch"];

const GATEWAY_API: &str = "gateway.networking.k8s.io";

/// Group, resource and verbs.
type Right = (&'static str, &'static str, &'static [&'static str]);

/// As the ClusterRole of external-dns's own chart has them.
fn rights(source: &str) -> Option<Vec<Right>> {
    let core = |resource| ("", resource, READ);
    let route =
        |plural| vec![core("namespaces"), (GATEWAY_API, "gateways", READ), (GATEWAY_API, plural, READ)];
    let services = || vec![core("services"), core("pods"), core("nodes")];
    Some(match source {
        "ingress" => vec![("networking.k8s.io", "ingresses", READ)],
        "gateway-httproute" => route("httproutes"),
        "gateway-grpcroute" => route("grpcroutes"),
        "gateway-tlsroute" => route("tlsroutes"),
        "gateway-tcproute" => route("tcproutes"),
        "gateway-udproute" => route("udproutes"),
        "service" => [services(), vec![("discovery.k8s.io", "endpointslices", READ)]].concat(),
        "pod" => vec![core("pods"), core("nodes")],
        "node" => vec![core("nodes")],
        "crd" => {
            let group = "externaldns.k8s.io";
            vec![(group, "dnsendpoints", READ), (group, "dnsendpoints/status", &["update", "patch"])]
        }
        _ => return None,
    })
}

/// The sources among the flags of external-dns.
pub fn sources_in(flags: &[String]) -> impl Iterator<Item = &str> {
    flags.iter().filter_map(|flag| flag.strip_prefix("--source="))
}

/// Those of which it is not known here what they read: somebody else has to give the rights.
#[must_use]
pub fn without_rights(flags: &[String]) -> Vec<&str> {
    sources_in(flags).filter(|source| rights(source).is_none()).collect()
}

/// The rules of a ClusterRole for these sources: each resource once.
pub(super) fn rules<'s>(sources: impl Iterator<Item = &'s str>) -> Vec<Value> {
    let mut all: Vec<Right> = sources.filter_map(rights).flatten().collect();
    all.sort_unstable();
    all.dedup();
    let rule = |(group, resource, verbs): Right| json!({"apiGroups": [group], "resources": [resource], "verbs": verbs});
    all.into_iter().map(rule).collect()
}

#[cfg(test)]
mod tests {
    use super::super::AgentSource;
    use super::*;

    #[test]
    fn every_source_that_the_service_chooses_has_its_rights() {
        for source in AgentSource::ALL {
            let (group, _, plural) = source.resource();
            let found = rights(source.flag()).unwrap_or_default();
            assert!(found.contains(&(group, plural, READ)), "{source:?}: {found:?}");
            assert_eq!(found.contains(&(GATEWAY_API, "gateways", READ)), source.needs_gateways());
        }
    }

    #[test]
    fn a_source_that_is_not_known_is_told() {
        let flags = ["--source=service", "--source=istio-gateway", "--interval=1m"].map(str::to_owned);
        assert_eq!(without_rights(&flags), ["istio-gateway"]);
    }
}
