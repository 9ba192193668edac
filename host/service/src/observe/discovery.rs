//! Which version of a kind does a cluster serve?

use kube::core::{ApiResource, GroupVersionKind, Version};
use openmcp_dns_core::objects::WatchedKind;

/// Group and plural of a kind.
const fn names(kind: WatchedKind) -> (&'static str, &'static str) {
    match kind {
        WatchedKind::Gateway => ("gateway.networking.k8s.io", "gateways"),
        WatchedKind::HttpRoute => ("gateway.networking.k8s.io", "httproutes"),
        WatchedKind::Ingress => ("networking.k8s.io", "ingresses"),
        WatchedKind::Namespace => ("", "namespaces"),
    }
}

/// The most stable version in which a cluster serves a kind, or `None` when it serves none.
///
/// Every object of a kind can be read in each of its served versions, so one is enough.
///
/// # Errors
/// When the API server does not answer.
pub(super) async fn served(
    client: &kube::Client,
    kind: WatchedKind,
) -> Result<Option<ApiResource>, kube::Error> {
    let (group, plural) = names(kind);
    if group.is_empty() {
        return Ok(Some(resource(group, "v1", kind, plural)));
    }
    let groups = client.list_api_groups().await?;
    let Some(found) = groups.groups.into_iter().find(|candidate| candidate.name == group) else {
        return Ok(None);
    };
    let mut versions: Vec<String> = found.versions.into_iter().map(|version| version.version).collect();
    versions.sort_by_cached_key(|version| std::cmp::Reverse(Version::parse(version).priority()));
    for version in versions {
        let resources = client.list_api_group_resources(&format!("{group}/{version}")).await?;
        if resources.resources.iter().any(|resource| resource.name == plural) {
            return Ok(Some(resource(group, &version, kind, plural)));
        }
    }
    Ok(None)
}

fn resource(group: &str, version: &str, kind: WatchedKind, plural: &str) -> ApiResource {
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind.as_str()), plural)
}
