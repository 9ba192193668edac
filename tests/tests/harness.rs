//! The servers themselves, without the service: what the end-to-end test stands on.

use std::time::Duration;

use openmcp_dns_tests::cluster_dns::OWN_NAME;
use openmcp_dns_tests::dns::Answer;
use openmcp_dns_tests::kinds::apply_crds;
use openmcp_dns_tests::landscape::{Landscape, gateway_api_crds};
use openmcp_dns_tests::manifests::{accept, gateway, give_addresses, route};
use openmcp_dns_tests::{kinds, wait};

/// CoreDNS reads its Corefile every two seconds.
const RELOAD: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn the_servers_work_together_and_leave_nothing_behind() {
    let landscape = Landscape::start().await.unwrap();

    // The store's records are what the central DNS answers.
    let name = "put-by-hand.openmcp.cluster";
    landscape.store.put("/skydns/cluster/openmcp/put-by-hand/1", r#"{"host":"10.1.2.3"}"#).await.unwrap();
    landscape.central.udp.wait_a(name, &Answer::of(["10.1.2.3"]), RELOAD).await.unwrap();

    // A cluster's DNS knows its own names, over both transports, and no other.
    let dns = &landscape.workload02.dns;
    let own = Answer::of([dns.own_address.as_str()]);
    assert_eq!((dns.udp.a(OWN_NAME).await, dns.tcp.a(OWN_NAME).await), (own.clone(), own));
    assert_eq!(dns.udp.a(name).await, Answer::NoSuchName);

    // What the ConfigMap says is what CoreDNS does.
    let zone = format!(
        "openmcp.cluster:{} {{\n    bind 127.0.0.1\n    forward . {}\n}}\n",
        dns.udp.address().port(),
        landscape.central.udp.address()
    );
    dns.write_corefile(&format!("{zone}{}", dns.installed)).await.unwrap();
    dns.tcp.wait_a(name, &Answer::of(["10.1.2.3"]), RELOAD).await.unwrap();

    // The API servers serve the example.
    let client = landscape.workload01.client();
    apply_crds(&client, &gateway_api_crds().unwrap()).await.unwrap();
    kinds::apply(&client, &gateway()).await.unwrap();
    kinds::apply(&client, &route("example-route", &["svc-abc123.workload01.openmcp.cluster"])).await.unwrap();
    give_addresses(&client, &["172.18.201.1"]).await.unwrap();
    accept(&client, "example-route").await.unwrap();

    let folder = landscape.folder().to_owned();
    drop(landscape);
    assert!(!folder.exists(), "{} is left", folder.display());
    wait::wait_until("all servers are gone", RELOAD, async || {
        let left = processes_with(folder.to_str().unwrap())?;
        Ok(if left.is_empty() { Ok(()) } else { Err(left.join("\n")) })
    })
    .await
    .unwrap();
}

/// Command lines of running processes that name a folder.
fn processes_with(folder: &str) -> std::io::Result<Vec<String>> {
    let lines = std::fs::read_dir("/proc")?
        .flatten()
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    Ok(lines.filter(|line| line.contains(folder)).collect())
}
