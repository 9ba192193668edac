//! Policies as they are meant: what a DNSPolicy leaves open, the configuration of openMCP's gateway service may say.

use std::collections::BTreeMap;

use kube::ResourceExt as _;

use crate::watch::Update;
use openmcp_dns_api::{
    Cluster, DNSPolicy, GatewayDomain, GatewayServiceConfig, gateway_domain, with_gateway_layout,
};

/// The policies as they are written, and what else says how they are meant. Neither is known before its list has been read:
/// a domain that is made anew for want of a configuration takes a cluster's names with it.
#[derive(Default)]
pub(super) struct Meant {
    written: Option<BTreeMap<String, DNSPolicy>>,
    gateways: Option<BTreeMap<String, GatewayServiceConfig>>,
}

impl Meant {
    /// Takes in policies as they are written; gives them as they are meant, `None` while that is not known.
    pub(super) fn policies_seen(&mut self, update: Update<DNSPolicy>) -> Option<Update<DNSPolicy>> {
        keep(&mut self.written, &update);
        let gateways = self.gateways.as_ref()?;
        Some(update.map(|policy| with_gateway_layout(policy, gateways.values())))
    }

    /// Takes in configurations of the gateway service; gives all policies as they are meant then, `None` while they are not
    /// known.
    pub(super) fn gateways_seen(
        &mut self,
        update: &Update<GatewayServiceConfig>,
    ) -> Option<Update<DNSPolicy>> {
        keep(&mut self.gateways, update);
        let (written, gateways) = (self.written.as_ref()?, self.gateways.as_ref()?);
        let meant = written.values().map(|policy| with_gateway_layout(policy.clone(), gateways.values()));
        Some(Update::All(meant.collect()))
    }

    /// What the gateway service says of a cluster's domain.
    pub(super) fn gateway_domain(&self, cluster: &Cluster) -> Option<GatewayDomain> {
        gateway_domain(cluster, self.gateways.iter().flat_map(BTreeMap::values))
    }
}

/// Keeps what a watch of a kind without namespaces reports.
fn keep<K: kube::Resource + Clone>(known: &mut Option<BTreeMap<String, K>>, update: &Update<K>) {
    match update {
        Update::All(all) => {
            *known = Some(all.iter().map(|object| (object.name_any(), object.clone())).collect());
        }
        Update::Set(object) => {
            known.as_mut().map(|known| known.insert(object.name_any(), (**object).clone()));
        }
        Update::Removed(object) => {
            known.as_mut().map(|known| known.remove(&object.name_any()));
        }
        Update::Trouble(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn policy(name: &str) -> DNSPolicy {
        DNSPolicy::new(name, serde_json::from_value(json!({ "baseDomain": "openmcp.cluster" })).unwrap())
    }

    fn gateway(base_domain: &str) -> GatewayServiceConfig {
        let spec = json!({ "clusters": [{ "selector": {} }], "dns": { "baseDomain": base_domain } });
        GatewayServiceConfig::new("gateway", serde_json::from_value(spec).unwrap())
    }

    /// Names of the policies, with a mark where the layout is the gateway service's.
    fn said(update: Option<Update<DNSPolicy>>) -> Option<Vec<String>> {
        let policies = match update? {
            Update::All(all) => all,
            Update::Set(one) | Update::Removed(one) => vec![*one],
            Update::Trouble(_) => Vec::new(),
        };
        let name = |policy: &DNSPolicy| {
            let mark = if policy.spec.configuration.is_some() { "*" } else { "" };
            format!("{}{mark}", policy.name_any())
        };
        Some(policies.iter().map(name).collect())
    }

    #[test]
    fn no_policy_is_known_before_the_configurations_of_gateways_are_and_all_follow_each_of_their_changes() {
        let mut meant = Meant::default();
        assert_eq!(said(meant.policies_seen(Update::All(vec![policy("a")]))), None);
        assert_eq!(said(meant.policies_seen(Update::Set(Box::new(policy("b"))))), None);
        let all = |names: [&str; 2]| Some(names.map(str::to_owned).to_vec());
        assert_eq!(said(meant.gateways_seen(&Update::All(Vec::new()))), all(["a", "b"]));
        assert_eq!(
            said(meant.gateways_seen(&Update::Set(Box::new(gateway("openmcp.cluster"))))),
            all(["a*", "b*"])
        );
        assert_eq!(
            said(meant.policies_seen(Update::Set(Box::new(policy("c"))))),
            Some(vec!["c*".to_owned()])
        );
        assert_eq!(
            meant.gateway_domain(&Cluster::new("w1", Default::default())).unwrap().domain,
            "w1..openmcp.cluster"
        );
        meant.policies_seen(Update::Removed(Box::new(policy("c"))));
        assert_eq!(
            said(meant.gateways_seen(&Update::Removed(Box::new(gateway("openmcp.cluster"))))),
            all(["a", "b"])
        );
        assert!(meant.gateway_domain(&Cluster::new("w1", Default::default())).is_none());
    }

    #[test]
    fn configurations_that_come_first_wait_for_the_policies() {
        let mut meant = Meant::default();
        assert_eq!(said(meant.gateways_seen(&Update::All(vec![gateway("openmcp.cluster")]))), None);
        assert_eq!(said(meant.policies_seen(Update::All(vec![policy("a")]))), Some(vec!["a*".to_owned()]));
    }
}
