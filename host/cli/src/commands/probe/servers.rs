//! Which DNS servers are asked.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context as _;
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};

use super::super::platform::platform;
use crate::terminal::hint::{Hint as _, hinted};
use crate::terminal::output::note;
use openmcp_dns_api::{CLUSTER_DNS_ANNOTATION, ClusterDNS};
use openmcp_dns_service::address::parse_server;

/// A DNS server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::commands) struct Asked {
    /// Its address.
    pub(in crate::commands) address: SocketAddr,
    /// The cluster whose own DNS it is; `None` for a server that was named.
    pub(in crate::commands) cluster: Option<String>,
}

/// The servers that were named.
pub(in crate::commands) fn given(servers: Vec<SocketAddr>) -> Vec<Asked> {
    let mut asked: Vec<Asked> = Vec::new();
    for address in servers {
        if asked.iter().all(|known| known.address != address) {
            asked.push(Asked { address, cluster: None });
        }
    }
    asked
}

/// The own DNS of each cluster, as the `ClusterDNS` objects on the platform cluster have it.
pub(in crate::commands) async fn of_clusters(kubeconfig: Option<&Path>) -> anyhow::Result<Vec<Asked>> {
    let client = platform(kubeconfig).await?;
    let api: Api<ClusterDNS> = Api::all(client);
    let hint = "check --kubeconfig, and that openmcp-dns runs on the platform cluster";
    let list = api
        .list(&ListParams::default())
        .await
        .context("failed to list the ClusterDNS objects of the platform cluster")
        .hint(hint)?;
    if list.items.is_empty() {
        return Err(hinted(
            "there is no ClusterDNS on the platform cluster, so no cluster's DNS is known",
            hint,
        ));
    }
    let (asked, notes) = read(&list.items);
    for text in notes {
        note(&text);
    }
    Ok(asked)
}

/// The addresses in the objects, and what is to be said of those that have none.
fn read(objects: &[ClusterDNS]) -> (Vec<Asked>, Vec<String>) {
    let (mut asked, mut notes) = (Vec::new(), Vec::new());
    for object in objects {
        let cluster = format!("{}/{}", object.namespace().unwrap_or_default(), object.name_any());
        let text = object.status.as_ref().map_or("", |status| status.cluster_dns_address.as_str());
        match parse_server(text) {
            Ok(address) => asked.push(Asked { address, cluster: Some(cluster) }),
            Err(_) if text.is_empty() => notes.push(format!(
                "cluster {cluster} is not asked: the address of its DNS is not known\n\
                 hint: set the annotation {CLUSTER_DNS_ANNOTATION} on its Cluster"
            )),
            Err(error) => {
                notes.push(format!("cluster {cluster} is not asked: status.clusterDnsAddress: {error}"))
            }
        }
    }
    (asked, notes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster_dns(name: &str, address: &str) -> ClusterDNS {
        let json = serde_json::json!({
            "apiVersion": "dns.openmcp.cloud/v1alpha1",
            "kind": "ClusterDNS",
            "metadata": { "name": name, "namespace": "system" },
            "spec": {},
            "status": { "clusterDnsAddress": address }
        });
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn clusters_without_an_address_are_named_and_the_others_asked() {
        let objects =
            [cluster_dns("w1", "10.0.0.10"), cluster_dns("w2", ""), cluster_dns("w3", "dns.example")];
        let (asked, notes) = read(&objects);
        assert_eq!(
            asked,
            [Asked { address: "10.0.0.10:53".parse().unwrap(), cluster: Some("system/w1".into()) }]
        );
        assert_eq!(notes.len(), 2);
        assert!(notes[0].contains("system/w2") && notes[0].contains("hint: "), "{}", notes[0]);
        assert!(notes[1].contains("system/w3") && notes[1].contains("dns.example"), "{}", notes[1]);
    }

    #[test]
    fn a_server_that_is_named_twice_is_asked_once() {
        let address: SocketAddr = "127.0.0.1:53".parse().unwrap();
        assert_eq!(given(vec![address, address]).len(), 1);
    }
}
