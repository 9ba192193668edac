//! Clusters: which folder belongs to which `Cluster`, and which policy holds.

use std::collections::{BTreeMap, BTreeSet};

use kube::ResourceExt as _;
use openmcp_dns_core::cluster::ClusterId;

use super::files::{Objects, Problems};
use super::manifest::{Kind, Object, Problem};
use openmcp_dns_api::{Cluster, DNSPolicy};

/// The folder with the `Cluster` resources and the `DNSPolicy`.
pub const PLATFORM: &str = "platform";

/// A cluster of the landscape.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// Which cluster.
    pub id: ClusterId,
    /// File with the `Cluster`.
    pub file: String,
    /// The resource.
    pub cluster: Cluster,
    /// Whether there is a folder with the cluster's objects, which has the cluster's name.
    pub has_folder: bool,
}

/// What the platform folder says of the landscape.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Landscape {
    /// The clusters, by the name that their folder has.
    pub members: BTreeMap<String, Member>,
    /// The policy and the file it stands in; `None` for the defaults.
    pub policy: Option<(DNSPolicy, String)>,
    /// What does not fit together, by file or folder.
    pub problems: Problems,
}

/// Reads the platform folder.
pub fn landscape(objects: &Objects, folders: &BTreeSet<String>) -> Landscape {
    let mut landscape = Landscape::default();
    let mut problem = |place: &str, problem: Problem| {
        landscape.problems.entry(place.to_owned()).or_default().push(problem);
    };
    for ((folder, id), placed) in objects {
        let line = Some(placed.manifest.line);
        if matches!(id.kind, Kind::Cluster | Kind::DnsPolicy) && folder != PLATFORM {
            let message = format!("{id} is passed over: it is read from the folder {PLATFORM} only");
            problem(&placed.file, Problem::warning(line, message, format!("move it to {PLATFORM}/")));
            continue;
        }
        match &placed.manifest.object {
            Object::Cluster(cluster) => {
                if let Some(other) = landscape.members.get(&id.name) {
                    let message = format!(
                        "{id} is passed over: Cluster/{} has the same name, and a folder belongs to one cluster",
                        other.id
                    );
                    problem(&placed.file, Problem::warning(line, message, "rename or remove one of them"));
                    continue;
                }
                let member = Member {
                    id: ClusterId::new(&*id.namespace, &*id.name),
                    file: placed.file.clone(),
                    cluster: (**cluster).clone(),
                    has_folder: folders.contains(&id.name),
                };
                if !member.has_folder {
                    let message = format!("{id} has no folder, so nothing is known of its objects");
                    let hint = format!("create the folder {}/ with the cluster's manifests", id.name);
                    problem(&placed.file, Problem::warning(line, message, hint));
                }
                landscape.members.insert(id.name.clone(), member);
            }
            Object::Policy(policy) => match &landscape.policy {
                None => landscape.policy = Some(((**policy).clone(), placed.file.clone())),
                Some((first, _)) => {
                    let message = format!(
                        "{id} is passed over: the demo has one policy, and DNSPolicy/{} is the first by name",
                        first.name_any()
                    );
                    problem(&placed.file, Problem::warning(line, message, "remove one of them"));
                }
            },
            Object::Watched(_) => {}
        }
    }
    let homeless =
        folders.iter().filter(|folder| !landscape.members.contains_key(*folder) && *folder != PLATFORM);
    for folder in homeless {
        let message = format!("the folder is passed over: there is no Cluster named {folder}");
        let hint = format!("add a Cluster resource of that name to {PLATFORM}/, or rename the folder");
        problem(folder, Problem::warning(None, message, hint));
    }
    landscape
}

#[cfg(test)]
mod tests {
    use super::super::files::{Contents, Files, Scan};
    use super::*;

    fn read(files: &[(&str, &str)]) -> Landscape {
        let mut scan = Scan::default();
        for (name, text) in files {
            scan.folders.insert(name.split('/').next().unwrap().to_owned());
            scan.files.insert((*name).to_owned(), Contents::Bytes(text.as_bytes().to_vec()));
        }
        let mut all = Files::default();
        all.update(scan);
        landscape(all.objects(), all.folders())
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
        assert_eq!(landscape.members["w1"].id, ClusterId::new("system", "w1"));
        assert_eq!(landscape.policy.unwrap().0.spec.base_domain, "a.b");
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
        assert_eq!(landscape.members.len(), 1);
        assert!(!landscape.members["w1"].has_folder);
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
            "platform/policy.yaml: DNSPolicy/q is passed over",
            "w2: the folder is passed over: there is no Cluster named w2",
            "w2/a.yaml: Cluster/a/w2 is passed over: it is read from the folder platform only",
        ];
        assert_eq!(messages.len(), expected.len(), "{messages:#?}");
        for (message, expected) in messages.iter().zip(expected) {
            assert!(message.starts_with(expected), "{message}");
        }
    }
}
