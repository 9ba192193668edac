//! Clusters: which folder belongs to which `Cluster`, and which policies there are.

use std::collections::BTreeMap;

use openmcp_dns_api::{Cluster, with_gateway_layout};
use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::objects::{Change, Objects};

use super::files::Files;
use super::manifest::Object;
use crate::{Landscape, Member, Problem};

/// The folder with the `Cluster` resources and the `DNSPolicy`.
pub const PLATFORM: &str = "platform";

/// Puts together what the files say. The clusters are in the order of their folders' names; one without a
/// folder has no objects.
pub fn landscape(files: &Files) -> Landscape {
    let mut landscape = Landscape { problems: files.problems().clone(), ..Landscape::default() };
    let mut clusters: BTreeMap<&str, Member> = BTreeMap::new();
    let mut gateways = Vec::new();
    let mut problem = |place: &str, problem: Problem| {
        landscape.problems.entry(place.to_owned()).or_default().push(problem);
    };
    for ((folder, id), placed) in files.objects() {
        let line = Some(placed.manifest.raw.line);
        if id.kind.is_of_platform() && folder != PLATFORM {
            let message = format!("{id} is passed over: it is read from the folder {PLATFORM} only");
            problem(&placed.file, Problem::warning(line, message, format!("move it to {PLATFORM}/")));
            continue;
        }
        match &placed.manifest.object {
            Object::Cluster(cluster) => {
                if let Some(other) = clusters.get(&*id.name) {
                    let message = format!(
                        "{id} is passed over: Cluster/{} has the same name, and a folder belongs to one cluster",
                        other.id
                    );
                    problem(&placed.file, Problem::warning(line, message, "rename or remove one of them"));
                    continue;
                }
                if !files.folders().contains(&id.name) {
                    let message = format!("{id} has no folder, so nothing is known of its objects");
                    let hint = format!("create the folder {}/ with the cluster's manifests", id.name);
                    problem(&placed.file, Problem::warning(line, message, hint));
                }
                clusters.insert(&id.name, member(&id.namespace, &id.name, cluster, files));
            }
            Object::Policy(policy) => landscape.policies.push((**policy).clone()),
            Object::Gateways(config) => gateways.push(&**config),
            Object::Watched(_) => {}
        }
    }
    let homeless =
        files.folders().iter().filter(|folder| !clusters.contains_key(&***folder) && *folder != PLATFORM);
    for folder in homeless {
        let message = format!("the folder is passed over: there is no Cluster named {folder}");
        let hint = format!("add a Cluster resource of that name to {PLATFORM}/, or rename the folder");
        problem(folder, Problem::warning(None, message, hint));
    }
    let written = std::mem::take(&mut landscape.policies).into_iter();
    landscape.policies =
        written.map(|policy| with_gateway_layout(policy, gateways.iter().copied())).collect();
    landscape.clusters = clusters.into_values().collect();
    landscape
}

fn member(namespace: &str, name: &str, cluster: &Cluster, files: &Files) -> Member {
    let mut objects = Objects::default();
    for ((folder, _), placed) in files.objects() {
        if let Object::Watched(object) = &placed.manifest.object
            && folder == name
        {
            objects.apply(Change::Set(object.clone()));
        }
    }
    Member { id: ClusterId::new(namespace, name), cluster: cluster.clone(), objects: Ok(objects) }
}

#[cfg(test)]
mod tests {
    use super::super::scan::{Contents, Scan};
    use super::*;

    fn read(files: &[(&str, &str)]) -> Landscape {
        let mut scan = Scan::default();
        for (name, text) in files {
            scan.folders.insert(name.split('/').next().unwrap().to_owned());
            scan.files.insert((*name).to_owned(), Contents::Bytes(text.as_bytes().to_vec()));
        }
        let mut all = Files::default();
        all.update(scan);
        landscape(&all)
    }

    fn cluster(namespace: &str, name: &str) -> String {
        format!(
            "---\napiVersion: clusters.openmcp.cloud/v1alpha1\nkind: Cluster\n\
             metadata: {{name: {name}, namespace: {namespace}}}\nspec: {{profile: p, tenancy: Shared}}\n"
        )
    }

    const POLICY: &str = "---\napiVersion: dns.openmcp.cloud/v1alpha1\nkind: DNSPolicy\nmetadata: {name: p}\nspec: {baseDomain: a.b}\n";

    #[test]
    fn a_folder_belongs_to_the_cluster_of_its_name() {
        let text = format!("{}{}{POLICY}", cluster("system", "platform"), cluster("system", "w1"));
        let landscape = read(&[("platform/all.yaml", &text), ("w1/a.yaml", "# nothing\n")]);
        assert_eq!(landscape.problems, BTreeMap::new());
        let ids: Vec<&ClusterId> = landscape.clusters.iter().map(|member| &member.id).collect();
        assert_eq!(ids, [&ClusterId::new("system", "platform"), &ClusterId::new("system", "w1")]);
        assert_eq!(landscape.policies[0].spec.base_domain, "a.b");
    }

    #[test]
    fn what_does_not_fit_together_is_named() {
        let clusters = format!("{}{}", cluster("a", "w1"), cluster("b", "w1"));
        let second = POLICY.replace("name: p", "name: q");
        let landscape = read(&[
            ("platform/clusters.yaml", &clusters),
            ("platform/policy.yaml", &format!("{POLICY}{second}")),
            ("w2/a.yaml", &cluster("a", "w2")),
        ]);
        assert_eq!(landscape.clusters.len(), 1);
        assert_eq!(landscape.clusters[0].objects.as_ref().unwrap().sources().len(), 0);
        assert_eq!(
            landscape.policies.iter().map(kube::ResourceExt::name_any).collect::<Vec<_>>(),
            ["p", "q"]
        );
        let messages: Vec<String> = landscape
            .problems
            .iter()
            .flat_map(|(place, problems)| {
                problems.iter().map(move |problem| format!("{place}: {}", problem.message))
            })
            .collect();
        let expected = [
            "platform/clusters.yaml: Cluster/a/w1 has no folder",
            "platform/clusters.yaml: Cluster/b/w1 is passed over: Cluster/a/w1 has the same name",
            "w2: the folder is passed over: there is no Cluster named w2",
            "w2/a.yaml: Cluster/a/w2 is passed over: it is read from the folder platform only",
        ];
        assert_eq!(messages.len(), expected.len(), "{messages:#?}");
        for (message, expected) in messages.iter().zip(expected) {
            assert!(message.starts_with(expected), "{message}");
        }
    }
}
