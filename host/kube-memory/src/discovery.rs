//! Which groups and kinds are served.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::path::Path;
use crate::refusal::Refusal;
use crate::resource::Resource;

const VERBS: [&str; 7] = ["create", "delete", "get", "list", "patch", "update", "watch"];
const STATUS_VERBS: [&str; 3] = ["get", "patch", "update"];

pub(crate) fn answer<'r>(
    path: &Path,
    resources: impl Iterator<Item = &'r Resource>,
) -> Result<Value, Refusal> {
    match path {
        Path::Version => Ok(json!({
            "major": "1", "minor": "36", "gitVersion": "v1.36.0+memory", "gitCommit": "", "gitTreeState": "clean",
            "buildDate": "1970-01-01T00:00:00Z", "goVersion": "", "compiler": "", "platform": "memory",
        })),
        Path::CoreVersions => Ok(json!({
            "kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": [],
        })),
        Path::Groups => {
            let groups: Vec<Value> =
                groups(resources).iter().map(|(name, versions)| group(name, versions)).collect();
            Ok(json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups }))
        }
        Path::Group(name) => {
            let groups = groups(resources);
            let versions = groups.get(name.as_str()).ok_or_else(Refusal::no_such_page)?;
            let mut group = group(name, versions);
            group["kind"] = json!("APIGroup");
            group["apiVersion"] = json!("v1");
            Ok(group)
        }
        Path::Resources { group, version } => {
            let served: Vec<&Resource> = resources
                .filter(|resource| resource.group == *group && resource.version == *version)
                .collect();
            let Some(first) = served.first() else { return Err(Refusal::no_such_page()) };
            let group_version = first.api_version();
            let resources: Vec<Value> = served.into_iter().flat_map(rows).collect();
            Ok(json!({
                "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources,
            }))
        }
        Path::Objects(_) => Err(Refusal::no_such_page()),
    }
}

/// Versions by group, without the core group.
fn groups<'r>(resources: impl Iterator<Item = &'r Resource>) -> BTreeMap<&'r str, Vec<&'r str>> {
    let mut groups: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for resource in resources.filter(|resource| !resource.group.is_empty()) {
        let versions = groups.entry(&resource.group).or_default();
        if !versions.contains(&resource.version.as_str()) {
            versions.push(&resource.version);
        }
    }
    groups
}

fn group(name: &str, versions: &[&str]) -> Value {
    let version = |version: &&str| json!({ "groupVersion": format!("{name}/{version}"), "version": version });
    let versions: Vec<Value> = versions.iter().map(version).collect();
    json!({ "name": name, "preferredVersion": versions.first(), "versions": versions })
}

fn rows(resource: &Resource) -> Vec<Value> {
    let Resource { kind, plural, namespaced, .. } = resource;
    let mut rows = vec![json!({
        "name": plural, "singularName": kind.to_lowercase(), "namespaced": namespaced, "kind": kind, "verbs": VERBS,
    })];
    if resource.has_status {
        rows.push(json!({
            "name": format!("{plural}/status"), "singularName": "", "namespaced": namespaced, "kind": kind,
            "verbs": STATUS_VERBS,
        }));
    }
    rows
}
