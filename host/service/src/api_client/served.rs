//! What an API server serves.

/// The plurals of what is served in a group and version, for example `networking.k8s.io/v1`; none where that is not served.
///
/// # Errors
/// When the API server does not answer.
pub async fn served_plurals(client: &kube::Client, group_version: &str) -> Result<Vec<String>, kube::Error> {
    match client.list_api_group_resources(group_version).await {
        Ok(resources) => Ok(resources.resources.into_iter().map(|resource| resource.name).collect()),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}
