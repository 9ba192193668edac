//! The clusters' own DNS: our block in their Corefile, and nothing else.

use anyhow::Context as _;
use openmcp_dns_tests::cluster_dns::{ClusterDns, OWN_NAME};
use openmcp_dns_tests::conditions::wait_condition;
use openmcp_dns_tests::dns::Answer;
use openmcp_dns_tests::kinds::{Reference, apply};
use openmcp_dns_tests::manifests::{self, cluster_dns_reference};
use openmcp_dns_tests::wait::wait_until;
use serde_json::{Value, json};

use crate::{LATER, SEED, SOON, World};

pub(crate) async fn nothing_but_our_block_is_new_in_the_corefile(world: &World) -> anyhow::Result<()> {
    for cluster in world.landscape.clusters() {
        let dns = &cluster.dns;
        let corefile = dns.corefile().await?;
        assert_eq!(without_our_block(&corefile).as_deref(), Some(dns.installed.as_str()), "{corefile}");
        let own = Answer::of([dns.own_address.as_str()]);
        dns.udp.wait_a(OWN_NAME, &own, SOON).await?;
        dns.tcp.wait_a(OWN_NAME, &own, SOON).await?;
    }
    Ok(())
}

pub(crate) async fn a_block_that_somebody_removed_comes_back(world: &World) -> anyhow::Result<()> {
    let dns = &world.landscape.workload02.dns;
    dns.write_corefile(&dns.installed).await?;
    wait_for_our_block(dns).await?;
    dns.udp.wait_a(SEED, &Answer::of(["172.18.201.2"]), LATER).await?;
    world.wait_all_good().await?;
    Ok(())
}

pub(crate) async fn a_corefile_that_is_not_understood_is_left_alone(world: &World) -> anyhow::Result<()> {
    let dns = &world.landscape.workload02.dns;
    // One brace too few: CoreDNS keeps the configuration that it has.
    let broken = format!("{}example.org:{} {{\n    errors\n", dns.installed, dns.udp.address().port());
    dns.write_corefile(&broken).await?;
    let reference = cluster_dns_reference("workload02");
    let message =
        wait_condition(&world.platform(), reference, "Forwarded", "False", "NotUnderstood", SOON).await?;
    assert!(message.contains("kube-system/coredns"), "{message}");
    assert_eq!(dns.corefile().await?, broken);
    // The other clusters go on, and this one's names as well.
    let landscape = &world.landscape;
    landscape.workload01.dns.udp.wait_a(SEED, &Answer::of(["172.18.201.2"]), SOON).await?;
    assert_eq!(
        landscape.central.udp.a("shop.workload02.openmcp.cluster").await,
        Answer::of(["172.18.202.9"])
    );

    dns.write_corefile(&dns.installed).await?;
    wait_for_our_block(dns).await?;
    world.wait_all_good().await?;
    Ok(())
}

/// The Corefile begins to import files of another ConfigMap, as that of k3s and many clouds does: our block moves there, and CoreDNS
/// answers by it.
pub(crate) async fn a_file_that_the_corefile_imports_is_served(world: &World) -> anyhow::Result<()> {
    let (cluster, dns) = (&world.landscape.workload02, &world.landscape.workload02.dns);
    let client = cluster.client();
    let pods = dns_pods(dns)?;
    for object in &pods {
        apply(&client, object).await?;
    }
    // Who answers this has read the new text, in which nothing forwards the zone.
    let (ip, port) = (dns.udp.address().ip(), dns.udp.address().port());
    let marker = format!(
        "marker.example:{port} {{\n    bind {ip}\n    template IN A {{\n        answer \"{{{{ .Name }}}} 1 IN A 10.9.9.9\"\n    \
         }}\n}}\n"
    );
    let importing = format!("{}{marker}import {}/*.server\n", dns.installed, dns.custom.display());
    dns.write_corefile(&importing).await?;
    dns.udp.wait_a("marker.example", &Answer::of(["10.9.9.9"]), LATER).await?;
    wait_until("our file is where the Corefile imports it from", LATER, async || {
        let files = std::fs::read_dir(&dns.custom)?.count();
        Ok(if files > 0 { Ok(()) } else { Err(format!("{} is empty", dns.custom.display())) })
    })
    .await?;
    // CoreDNS takes the hash of its configuration after it has read it: a file that came in between is read with the next change only, and
    // only lines above a block make one.
    let importing = format!("# written once more\n{importing}");
    dns.write_corefile(&importing).await?;
    world.publish("imported", &["imported.workload01.openmcp.cluster"]).await?;
    dns.udp.wait_a("imported.workload01.openmcp.cluster", &Answer::of(["172.18.201.2"]), LATER).await?;
    assert_eq!(dns.corefile().await?, importing);
    let platform = world.platform();
    let report = cluster_dns_reference("workload02").get(&platform).await?.unwrap_or_default();
    assert_eq!(report["status"]["forwarding"]["strategy"], "importedFile", "{report:#}");
    world.wait_all_good().await?;

    for object in &pods {
        Reference::of(object).delete(&client).await?;
    }
    dns.write_corefile(&dns.installed).await?;
    wait_for_our_block(dns).await?;
    let custom =
        Reference { api_version: "v1", kind: "ConfigMap", namespace: "kube-system", name: "coredns-custom" };
    assert_eq!(custom.get(&client).await?, None, "it was made for our key alone");
    manifests::route_reference("imported").delete(&world.landscape.workload01.client()).await?;
    world.wait_all_good().await?;
    Ok(())
}

/// The Service and the Deployment that say what is read.
fn dns_pods(dns: &ClusterDns) -> anyhow::Result<[Value; 2]> {
    let label = json!({"k8s-app": "kube-dns"});
    let metadata = |name: &str| json!({"namespace": "kube-system", "name": name, "labels": label});
    let folder = dns.file.parent().context("the Corefile lies in a folder")?;
    let file = dns.file.file_name().and_then(|name| name.to_str()).context("the Corefile has a name")?;
    let container = json!({
        "name": "coredns", "image": "coredns", "args": ["-conf", dns.file],
        "volumeMounts": [{"name": "config", "mountPath": folder}, {"name": "custom", "mountPath": dns.custom}],
    });
    let volumes = json!([
        {"name": "config", "configMap": {"name": "coredns", "items": [{"key": "Corefile", "path": file}]}},
        {"name": "custom", "configMap": {"name": "coredns-custom", "optional": true}},
    ]);
    let spec = json!({
        "selector": {"matchLabels": label},
        "template": {"metadata": {"labels": label}, "spec": {"containers": [container], "volumes": volumes}},
    });
    let port = json!({"name": "dns", "port": 53, "protocol": "UDP"});
    Ok([
        json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata("kube-dns"),
            "spec": {"selector": label, "ports": [port]}}),
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata("coredns"), "spec": spec}),
    ])
}

async fn wait_for_our_block(dns: &ClusterDns) -> anyhow::Result<()> {
    wait_until("our block is back in the Corefile", LATER, async || {
        let corefile = dns.corefile().await?;
        let rest = without_our_block(&corefile);
        Ok(if rest.as_deref() == Some(dns.installed.as_str()) { Ok(()) } else { Err(corefile) })
    })
    .await
}

/// The text without the one block between our markers; `None` when there is not exactly one.
fn without_our_block(corefile: &str) -> Option<String> {
    let (before, rest) = corefile.split_once("# BEGIN openmcp-dns managed")?;
    let (block, after) = rest.split_once("# END openmcp-dns managed\n")?;
    let ours = block.contains("openmcp.cluster") && block.contains("forward . ");
    (ours && !after.contains("# BEGIN openmcp-dns managed")).then(|| format!("{before}{after}"))
}
