//! Wanted: which objects the files of a landscape put into which API server.

use std::collections::BTreeMap;

use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_kube_memory::Resource;
use openmcp_dns_landscape::folder::{Files, Raw};
use serde_json::json;

use super::mirror::{CLUSTER, Key, Wanted};

/// The ConfigMap that CoreDNS reads in clusters of kubeadm and kind, as kubeadm writes it, so that the
/// service has what it edits.
const COREFILE: &str = "\
.:53 {
    errors
    health {
       lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus :9153
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    cache 30 {
       disable success cluster.local
       disable denial cluster.local
    }
    loop
    reload
    loadbalance
}
";

/// The objects of a folder of kinds that its server serves. Others are of no concern to anybody here.
pub(super) fn of_folder(files: &Files, folder: &str, served: &[Resource]) -> BTreeMap<Key, Wanted> {
    let mut wanted = BTreeMap::new();
    for (file, raw) in
        files.raw().filter(|(file, _)| file.split_once('/').is_some_and(|(of, _)| of == folder))
    {
        if let Some((key, api_version)) = served_as(raw, served) {
            // Of an object that stands in two files, the one in the first file counts.
            wanted.entry(key).or_insert_with(|| Wanted::of_file(api_version, raw.text(), file, raw.line));
        }
    }
    wanted.entry(Key::new("ConfigMap", "kube-system", "coredns")).or_insert_with(|| {
        Wanted::ours(&json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "namespace": "kube-system", "name": "coredns" },
            "data": { "Corefile": COREFILE },
        }))
    });
    wanted
}

/// Where a server has the object, and in which version; `None` where it does not serve its kind.
fn served_as(raw: &Raw, served: &[Resource]) -> Option<(Key, String)> {
    let [api_version, kind, namespace, name] = raw.identity();
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let resource = served.iter().find(|served| served.group == group && served.kind == kind)?;
    let namespace = match (resource.namespaced, namespace) {
        (false, _) => "",
        // As kubectl does.
        (true, "") => "default",
        (true, namespace) => namespace,
    };
    (!name.is_empty()).then(|| (Key::new(kind, namespace, name), resource.api_version()))
}

/// Leaves out the clusters that are none of the landscape's.
pub(super) fn keep_clusters(wanted: &mut BTreeMap<Key, Wanted>, clusters: &[&ClusterId]) {
    wanted.retain(|key, _| {
        key.kind != CLUSTER || clusters.iter().any(|id| id.namespace == key.namespace && id.name == key.name)
    });
}
