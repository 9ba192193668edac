//! Host names of routes and Ingresses, as clients on other clusters see them.

use hickory_resolver::proto::rr::RecordType;
use openmcp_dns_tests::conditions::{wait_all_good, wait_object};
use openmcp_dns_tests::coredns::REVERSE_ZONE;
use openmcp_dns_tests::dns::Answer;
use openmcp_dns_tests::kinds::apply;
use openmcp_dns_tests::manifests::{
    POLICY, cluster_dns_reference, give_addresses, ingress, ingress_reference, route_reference,
};
use openmcp_dns_tests::wait::wait_until;
use serde_json::json;

use crate::{LATER, SEED, SOON, World};

pub(crate) async fn the_example_resolves_on_every_cluster(world: &World) -> anyhow::Result<()> {
    world.publish("example-route", &[SEED]).await?;
    let expected = Answer::of(["172.18.201.1"]);
    let landscape = &world.landscape;
    landscape.central.udp.wait_a(SEED, &expected, SOON).await?;
    landscape.workload02.dns.udp.wait_a(SEED, &expected, LATER).await?;
    landscape.workload02.dns.tcp.wait_a(SEED, &expected, SOON).await?;
    landscape.platform.dns.udp.wait_a(SEED, &expected, LATER).await?;
    landscape.workload01.dns.udp.wait_a(SEED, &expected, LATER).await?;
    // Our own probe has seen it as well.
    let reference = cluster_dns_reference("workload01");
    wait_object(&world.platform(), reference, "one name is published and probed", SOON, |object| {
        let status = &object["status"];
        let probed =
            status["conditions"].as_array()?.iter().find(|condition| condition["type"] == "Probed")?;
        let seen = probed["status"] == "True" && probed["message"].as_str()?.starts_with("1 names");
        (status["published"] == 1 && seen).then_some(())
    })
    .await
}

pub(crate) async fn a_changed_address_is_followed(world: &World) -> anyhow::Result<()> {
    give_addresses(&world.landscape.workload01.client(), &["172.18.201.2"]).await?;
    let expected = Answer::of(["172.18.201.2"]);
    world.landscape.central.udp.wait_a(SEED, &expected, SOON).await?;
    world.landscape.workload02.dns.udp.wait_a(SEED, &expected, LATER).await
}

pub(crate) async fn a_second_host_name_of_a_route_resolves(world: &World) -> anyhow::Result<()> {
    let second = "second.workload01.openmcp.cluster";
    let hosts = json!({ "spec": { "hostnames": [SEED, second] } });
    route_reference("example-route").merge(&world.landscape.workload01.client(), &hosts).await?;
    let expected = Answer::of(["172.18.201.2"]);
    world.landscape.workload02.dns.udp.wait_a(second, &expected, SOON).await?;
    assert_eq!(world.landscape.central.udp.a(SEED).await, expected);
    Ok(())
}

pub(crate) async fn an_ingress_resolves(world: &World) -> anyhow::Result<()> {
    let (client, name) = (world.landscape.workload02.client(), "shop.workload02.openmcp.cluster");
    apply(&client, &ingress("shop", name)).await?;
    // The Ingress controller's part.
    let status = json!({ "loadBalancer": { "ingress": [{ "ip": "172.18.202.9" }] } });
    ingress_reference("shop").merge_status(&client, &status).await?;
    let dns = &world.landscape.workload01.dns;
    dns.udp.wait_a(name, &Answer::of(["172.18.202.9"]), SOON).await
}

pub(crate) async fn the_port_of_a_listener_is_looked_up_where_the_policy_wants_it(
    world: &World,
) -> anyhow::Result<()> {
    let (host, service) = ("ports.workload01.openmcp.cluster", "_http._tcp.ports.workload01.openmcp.cluster");
    world.publish("ports", &[host]).await?;
    let srv = |is_wanted: bool| json!({ "spec": { "records": { "srv": is_wanted } } });
    POLICY.merge(&world.platform(), &srv(true)).await?;
    let place = Answer::of([format!("10 100 80 {host}").as_str()]);
    let dns = &world.landscape.workload02.dns;
    dns.udp.wait(service, RecordType::SRV, &place, LATER).await?;
    // CoreDNS's etcd plugin reads what lies below a name with it.
    let addresses = Answer::of(["172.18.201.2"]);
    dns.udp.wait_a(host, &addresses, LATER).await?;
    assert_eq!(world.landscape.central.udp.a(host).await, addresses);
    wait_all_good(&world.platform(), "workload01", LATER).await?;
    POLICY.merge(&world.platform(), &srv(false)).await?;
    world.landscape.central.udp.wait(service, RecordType::SRV, &Answer::NoSuchName, SOON).await?;
    assert_eq!(world.landscape.central.udp.a(host).await, addresses);
    route_reference("ports").delete(&world.landscape.workload01.client()).await?;
    world.landscape.central.udp.wait_a(host, &Answer::NoSuchName, SOON).await
}

pub(crate) async fn an_address_leads_back_to_its_host_name_where_the_policy_lists_its_network(
    world: &World,
) -> anyhow::Result<()> {
    let (host, reverse) = ("0.workload01.openmcp.cluster", "2.201.18.172.in-addr.arpa");
    let landscape = &world.landscape;
    let (central, dns) = (&landscape.central.udp, &landscape.workload02.dns);
    world.publish("zero", &[host]).await?;
    central.wait_a(host, &Answer::of(["172.18.201.2"]), SOON).await?;
    assert_eq!(central.ask(reverse, RecordType::PTR).await, Answer::NoSuchName);
    let networks = |listed: &[&str]| json!({ "spec": { "records": { "ptr": { "networks": listed } } } });
    POLICY.merge(&world.platform(), &networks(&["172.18.201.0/24"])).await?;
    // Of several host names at the address, the first one.
    central.wait(reverse, RecordType::PTR, &Answer::of([host]), SOON).await?;
    dns.udp.wait(reverse, RecordType::PTR, &Answer::of([host]), LATER).await?;
    dns.tcp.wait(reverse, RecordType::PTR, &Answer::of([host]), SOON).await?;
    // The cluster's other reverse names are answered as before, and no address of another network leads back.
    assert_eq!(dns.udp.ask("9.202.18.172.in-addr.arpa", RecordType::PTR).await, Answer::NoSuchName);
    // One cluster after the other: it is a change of many.
    for cluster in landscape.clusters() {
        wait_until("the reverse zone is forwarded", LATER, async || {
            let corefile = cluster.dns.corefile().await?;
            let blocks = corefile.matches(&format!("{REVERSE_ZONE}:")).count();
            Ok(if blocks == 1 { Ok(()) } else { Err(corefile) })
        })
        .await?;
    }
    let report = wait_all_good(&world.platform(), "workload01", LATER).await?;
    assert_eq!(report["reverseZones"], json!([REVERSE_ZONE]), "{report:#}");
    // The next one takes its place.
    route_reference("zero").delete(&landscape.workload01.client()).await?;
    wait_until("the address leads back to another host name", SOON, async || {
        let answer = central.ask(reverse, RecordType::PTR).await;
        let others = matches!(&answer, Answer::Records(hosts) if hosts.len() == 1 && !hosts.contains(host));
        Ok(if others { Ok(()) } else { Err(answer.to_string()) })
    })
    .await?;
    POLICY.merge(&world.platform(), &networks(&[])).await?;
    central.wait(reverse, RecordType::PTR, &Answer::NoSuchName, SOON).await?;
    for cluster in landscape.clusters() {
        wait_until("the reverse zone is no longer forwarded", LATER, async || {
            let corefile = cluster.dns.corefile().await?;
            Ok(if corefile.contains(&format!("{REVERSE_ZONE}:")) { Err(corefile) } else { Ok(()) })
        })
        .await?;
    }
    world.wait_all_good().await?;
    Ok(())
}

pub(crate) async fn a_deleted_route_no_longer_resolves(world: &World) -> anyhow::Result<()> {
    let name = "short-lived.workload01.openmcp.cluster";
    world.publish("short-lived", &[name]).await?;
    let dns = &world.landscape.workload02.dns;
    dns.udp.wait_a(name, &Answer::of(["172.18.201.2"]), SOON).await?;
    route_reference("short-lived").delete(&world.landscape.workload01.client()).await?;
    world.landscape.central.udp.wait_a(name, &Answer::NoSuchName, SOON).await?;
    dns.udp.wait_a(name, &Answer::NoSuchName, LATER).await?;
    assert_ne!(world.landscape.central.udp.a(SEED).await, Answer::NoSuchName);
    Ok(())
}
