//! Which version of a kind does a cluster serve?

use kube::core::{ApiResource, GroupVersionKind, Version};
use openmcp_dns_core::kinds::Kind;

/// The most stable version in which a cluster serves a kind, or `None` when it serves none.
///
/// Every object of a kind can be read in each of its served versions, so one is enough.
///
/// # Errors
/// When the API server does not answer.
pub(super) async fn served(client: &kube::Client, kind: Kind) -> Result<Option<ApiResource>, kube::Error> {
    let group = kind.group();
    if group.is_empty() {
        return Ok(Some(resource(kind, kind.version())));
    }
    let groups = client.list_api_groups().await?;
    let Some(found) = groups.groups.into_iter().find(|candidate| candidate.name == group) else {
        return Ok(None);
    };
    let mut versions: Vec<String> = found.versions.into_iter().map(|version| version.version).collect();
    versions.sort_by_cached_key(|version| std::cmp::Reverse(Version::parse(version).priority()));
    for version in versions {
        let resources = client.list_api_group_resources(&format!("{group}/{version}")).await?;
        if resources.resources.iter().any(|resource| resource.name == kind.plural()) {
            return Ok(Some(resource(kind, &version)));
        }
    }
    Ok(None)
}

fn resource(kind: Kind, version: &str) -> ApiResource {
    let kind_of_version = GroupVersionKind::gvk(kind.group(), version, kind.as_str());
    ApiResource::from_gvk_with_plural(&kind_of_version, kind.plural())
}
