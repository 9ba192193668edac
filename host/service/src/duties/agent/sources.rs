//! What external-dns can read of what a cluster serves.

use openmcp_dns_core::deployment::AgentSource;

/// The group and version in which external-dns reads Gateways.
const GATEWAYS: (&str, &str, &str) = ("gateway.networking.k8s.io", "v1", "gateways");

/// All sources that the cluster serves. One that it does not serve would end the agent.
///
/// # Errors
/// When the API server does not answer.
pub(super) async fn served(client: &kube::Client) -> Result<Vec<AgentSource>, kube::Error> {
    let has_gateways = serves(client, GATEWAYS).await?;
    let mut served = Vec::new();
    for source in AgentSource::ALL {
        if (has_gateways || !source.needs_gateways()) && serves(client, source.resource()).await? {
            served.push(source);
        }
    }
    Ok(served)
}

async fn serves(
    client: &kube::Client,
    (group, version, plural): (&str, &str, &str),
) -> Result<bool, kube::Error> {
    match client.list_api_group_resources(&format!("{group}/{version}")).await {
        Ok(resources) => Ok(resources.resources.iter().any(|resource| resource.name == plural)),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(false),
        Err(error) => Err(error),
    }
}
