//! What external-dns can read of what a cluster serves.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use openmcp_dns_core::deployment::AgentSource;

use crate::api_client::served_plurals;

/// The group and version in which external-dns reads Gateways.
const GATEWAYS: (&str, &str, &str) = ("gateway.networking.k8s.io", "v1", "gateways");

/// All sources that the cluster serves. One that it does not serve would end the agent.
///
/// # Errors
/// When the API server does not answer.
pub(super) async fn served(client: &kube::Client) -> Result<Vec<AgentSource>, kube::Error> {
    // By group and version, each asked for once.
    let mut plurals: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    for (group, version, _) in AgentSource::ALL.map(AgentSource::resource).into_iter().chain([GATEWAYS]) {
        if let Entry::Vacant(vacant) = plurals.entry((group, version)) {
            vacant.insert(served_plurals(client, &format!("{group}/{version}")).await?);
        }
    }
    let serves = |(group, version, plural): (&str, &str, &str)| {
        plurals.get(&(group, version)).is_some_and(|plurals| plurals.iter().any(|served| served == plural))
    };
    let is_served =
        |source: &AgentSource| serves(source.resource()) && (!source.needs_gateways() || serves(GATEWAYS));
    Ok(AgentSource::ALL.into_iter().filter(is_served).collect())
}
