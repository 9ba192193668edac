//! A service that has nothing to do writes nothing: neither to an API server nor to etcd, but the Lease, who leads, and
//! the canary.
//!
//! Time is told by what it does in any case: it looks at things again and again, and changes the canary.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;
use openmcp_dns_tests::kinds::apply;
use openmcp_dns_tests::proxy::Asked;
use openmcp_dns_tests::steps::show;
use openmcp_dns_tests::wait::wait_until;
use serde_json::json;

use crate::side::{PUBLISHED, Side, is_of_the_lead};

/// For a landscape to come to rest, and some rest.
const REST: Duration = Duration::from_secs(240);

/// How often everything is looked at during the rest.
const LOOKS: usize = 6;

/// How often the canary changes during the rest.
const CANARIES: usize = 2;

/// Looked at every few seconds: whether both clusters live.
const OF_CLUSTERS: [(&str, &str); 2] = [("platform", "/api"), ("workload01", "/api")];

/// And what is deployed for the central DNS.
const DEPLOYED: (&str, &str) =
    ("platform", "/apis/apps/v1/namespaces/openmcp-dns/statefulsets/openmcp-dns-etcd");

fn is_canary(asked: &Asked) -> bool {
    asked.server == "etcd" && asked.what.contains("/dns/canary/")
}

/// What is counted since the last write.
#[derive(Default)]
struct Since {
    writes: usize,
    canaries: usize,
    reads: BTreeMap<(String, String), usize>,
}

/// Waits until nothing has been written during a rest. Gives how often the Lease was.
async fn comes_to_rest(side: &Side, canaries: usize, looks: &[(&str, &str)]) -> anyhow::Result<usize> {
    let mut since = Since::default();
    wait_until("nothing is written any more", REST, async || {
        let all = side.proxy.writes();
        let (of_the_lead, others): (Vec<_>, Vec<_>) = all.into_iter().partition(is_of_the_lead);
        let (changed, others): (Vec<_>, Vec<_>) = others.into_iter().partition(is_canary);
        let mut reads = BTreeMap::new();
        for (asked, count) in side.proxy.reads() {
            *reads.entry((asked.server, asked.what)).or_default() += count;
        }
        if others.len() != since.writes || since.reads.is_empty() {
            since = Since { writes: others.len(), canaries: changed.len(), reads: reads.clone() };
        }
        let mut missing = Vec::new();
        if changed.len() < since.canaries + canaries {
            missing.push(format!("{} canaries", changed.len() - since.canaries));
        }
        for (server, path) in looks {
            let key = ((*server).to_owned(), (*path).to_owned());
            let of = |reads: &BTreeMap<_, _>| reads.get(&key).copied().unwrap_or_default();
            let looked = of(&reads) - of(&since.reads);
            if looked < LOOKS {
                missing.push(format!("{server}: {path} was read {looked} times"));
            }
        }
        let last = others.last().map(ToString::to_string).unwrap_or_default();
        Ok(if missing.is_empty() {
            Ok(of_the_lead.len())
        } else {
            Err(format!("after {last}, the last of {} writes: {}", others.len(), missing.join("; ")))
        })
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_at_rest_writes_nothing_but_the_lead_and_the_canary() -> anyhow::Result<()> {
    let side = Box::pin(Side::start()).await?;
    side.add_clusters().await?;
    let leads = ["--leader-elect=true".to_owned(), "--lease-seconds=8".to_owned()];

    // The central DNS is deployed, and its pods never start: it is looked at every few seconds.
    let service = side.live(&leads, false)?;
    let log = || format!("{}\nwhat the service wrote last:", service.log_tail());
    let looks = [OF_CLUSTERS.as_slice(), &[DEPLOYED]].concat();
    let renewed = comes_to_rest(&side, 0, &looks).await.with_context(log)?;
    show(&format!("at rest while it deploys; {renewed} writes of the lead"));
    service.terminate(REST).await?;

    // It exists already: names are recorded, and asked for.
    let external = json!({
        "apiVersion": "dns.openmcp.cloud/v1alpha1", "kind": "DNSServiceConfig", "metadata": {"name": "openmcp-dns"},
        "spec": {
            "dns": {"provider": "external", "addresses": [side.asked(), PUBLISHED]},
            "etcd": {"endpoints": [format!("http://{}", side.etcd)]},
        },
    });
    apply(&side.world.platform.client(), &external).await?;
    let service = side.live(&leads, false)?;
    let log = || format!("{}\nwhat the service wrote last:", service.log_tail());
    let renewed = comes_to_rest(&side, CANARIES, &OF_CLUSTERS).await.with_context(log)?;
    show(&format!("at rest; {renewed} writes of the lead"));
    anyhow::ensure!(side.world.etcd.below("/skydns/cluster/openmcp/workload01/shop/").await?.len() == 1);
    Ok(())
}
