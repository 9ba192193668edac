//! The service is killed after every single write that it makes, to API servers and to etcd: the write is done, and its
//! answer never arrives. Whoever is started next goes on, and ends in the state that a service brings about which
//! nobody disturbs.
//!
//! Two landscapes live through the same story. In one of them each life of the service has one write.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use futures::FutureExt as _;
use futures::future::LocalBoxFuture;
use openmcp_dns_tests::manifests::cluster_reference;
use openmcp_dns_tests::proxy::Asked;
use openmcp_dns_tests::steps::show;
use openmcp_dns_tests::two_clusters::{NAMES, give_address};
use openmcp_dns_tests::wait::wait_until;
use serde_json::Value;

use crate::side::{Side, is_of_the_lead, is_status};
use crate::state::{State, difference};

/// How long a part of the story may take, with all its lives.
const PART: Duration = Duration::from_secs(400);

/// So many lives are enough for a part of the story: more say that lives undo what others have done.
const MOST_LIVES: usize = 60;

/// A part of the story: something happens, and what the service makes of it.
struct Part {
    name: &'static str,
    /// Whether the central DNS is deployed; else etcd is there already.
    deploys: bool,
    /// What has come about when all is done.
    reached: fn(&State) -> bool,
}

struct Story {
    undisturbed: Side,
    killed: Side,
}

impl Story {
    /// On the heap: unoptimised, all parts beside each other are too much for a stack.
    fn tell(&self, part: Part) -> LocalBoxFuture<'_, anyhow::Result<()>> {
        self.told(part).boxed_local()
    }

    async fn told(&self, part: Part) -> anyhow::Result<()> {
        let Self { undisturbed, killed } = self;
        let of_undisturbed = undisturbed.proxy.writes().len();
        let arguments = |side: &Side| if part.deploys { Vec::new() } else { side.given_etcd() };
        let goes_on = undisturbed.live(&arguments(undisturbed), false)?;
        let mut behind: Vec<Asked> = Vec::new();
        let ended = async {
            let until = Instant::now() + PART;
            loop {
                let life = killed.live(&arguments(killed), true)?;
                let same = self.are_the_same(&part, until.saturating_duration_since(Instant::now()));
                let closed = tokio::select! {
                    asked = killed.proxy.closed() => Some(asked),
                    // What has made them the same may be on its way back.
                    same = same => same.map(|()| killed.proxy.at_rest())?.await,
                };
                let Some(asked) = closed else { return Ok(()) };
                let log = life.log_tail();
                drop(life);
                behind.push(asked);
                ensure!(behind.len() <= MOST_LIVES, "{}: no end of lives\n{log}", part.name);
            }
        };
        let ended: anyhow::Result<()> = ended.await;
        show(&format!("{}: {} lives\n{}", part.name, behind.len() + 1, lines(&behind)));
        ended.with_context(|| format!("undisturbed:\n{}", goes_on.log_tail()))?;
        // Each write that it takes was the last one of a life. Of a status it depends on the time which are needed.
        let changes = |writes: &[Asked]| writes.iter().flat_map(single).collect::<BTreeSet<_>>();
        let (wanted, had) = (changes(&undisturbed.proxy.writes()[of_undisturbed..]), changes(&behind));
        let without: Vec<&Asked> =
            wanted.difference(&had).filter(|asked| !is_status(asked) && !is_of_the_lead(asked)).collect();
        ensure!(without.is_empty(), "{}: no life ended after {without:?}", part.name);
        Ok(())
    }

    /// Waits until both landscapes are in the same state, the one of the end of this part.
    async fn are_the_same(&self, part: &Part, timeout: Duration) -> anyhow::Result<()> {
        wait_until(&format!("{}: both are the same", part.name), timeout, async || {
            let (left, right) = tokio::try_join!(self.undisturbed.state(), self.killed.state())?;
            Ok(match difference(&left, &right) {
                Some(differs) => Err(differs),
                None if (part.reached)(&left) => Ok(()),
                None => Err(format!("both are {left:#?}")),
            })
        })
        .await
    }
}

fn lines(writes: &[Asked]) -> String {
    writes.iter().map(|asked| format!("  {asked}\n")).collect()
}

/// The changes of single keys: what is written in one transaction, may be written in two as well.
fn single(asked: &Asked) -> Vec<Asked> {
    if asked.server != "etcd" {
        return vec![asked.clone()];
    }
    let words: Vec<&str> = asked.what.split(' ').collect();
    words.chunks(2).map(|words| Asked { what: words.join(" "), ..asked.clone() }).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_killed_after_a_write_is_followed_by_one_that_ends_in_the_same_state() -> anyhow::Result<()>
{
    let (undisturbed, killed) = tokio::try_join!(Box::pin(Side::start()), Box::pin(Side::start()))?;
    let story = Story { undisturbed, killed };
    let both = || [&story.undisturbed, &story.killed];

    story
        .tell(Part {
            name: "the central DNS is deployed",
            deploys: true,
            reached: |state| {
                let all = [
                    "StatefulSet openmcp-dns/openmcp-dns-etcd",
                    "Deployment openmcp-dns/openmcp-dns-central",
                ];
                all.into_iter().all(|name| state.contains_key(name))
                    && condition(
                        state,
                        "DNSServiceConfig /openmcp-dns",
                        "Deployed",
                        "0 of 2 DNS pods are ready",
                    )
            },
        })
        .await?;

    for side in both() {
        side.add_clusters().await?;
    }
    story
        .tell(Part {
            name: "clusters appear",
            deploys: false,
            reached: |state| {
                NAMES.into_iter().all(|name| is_marked(state, name) && is_forwarded(state, name))
                    && has_record(state, "10.0.0.7")
            },
        })
        .await?;

    for side in both() {
        give_address(&side.world.workload.client(), "shop", "10.0.0.8").await?;
        side.world.ingress("cart", "cart.workload01.openmcp.cluster").await?;
        give_address(&side.world.workload.client(), "cart", "10.0.0.9").await?;
    }
    story
        .tell(Part {
            name: "an address changes, and a name comes",
            deploys: false,
            reached: |state| {
                has_record(state, "10.0.0.8")
                    && has_record(state, "10.0.0.9")
                    && !has_record(state, "10.0.0.7")
            },
        })
        .await?;

    for side in both() {
        cluster_reference(NAMES[1]).delete(&side.world.platform.client()).await?;
    }
    story
        .tell(Part {
            name: "a cluster is deleted",
            deploys: false,
            reached: |state| {
                !state.contains_key("Cluster openmcp-clusters/workload01")
                    && !state.contains_key("ClusterDNS openmcp-clusters/workload01")
                    && !is_forwarded(state, NAMES[1])
                    && !has_record(state, "10.0.0.8")
                    && is_forwarded(state, NAMES[0])
            },
        })
        .await
}

fn is_marked(state: &State, cluster: &str) -> bool {
    let object =
        &state.get(&format!("Cluster openmcp-clusters/{cluster}")).unwrap_or(&Value::Null)["metadata"];
    object["annotations"]["dns.openmcp.cloud/base-domain"].is_string() && object["finalizers"].is_array()
}

fn is_forwarded(state: &State, cluster: &str) -> bool {
    let corefile = state.get(&format!("Corefile of {cluster}")).and_then(Value::as_str);
    corefile.is_some_and(|text| text.contains("openmcp.cluster"))
}

fn has_record(state: &State, address: &str) -> bool {
    state.iter().any(|(name, value)| name.starts_with("record ") && value["host"] == address)
}

/// Whether a condition of an object says this.
fn condition(state: &State, object: &str, kind: &str, message: &str) -> bool {
    let conditions = state.get(object).and_then(|object| object["status"]["conditions"].as_array());
    conditions.into_iter().flatten().any(|condition| {
        condition["type"] == kind && condition["message"].as_str().is_some_and(|text| text.contains(message))
    })
}
