//! The clusters' own DNS: our block in their Corefile, and nothing else.

use openmcp_dns_tests::cluster_dns::{ClusterDns, OWN_NAME};
use openmcp_dns_tests::conditions::wait_condition;
use openmcp_dns_tests::dns::Answer;
use openmcp_dns_tests::manifests::cluster_dns_reference;
use openmcp_dns_tests::wait::wait_until;

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
