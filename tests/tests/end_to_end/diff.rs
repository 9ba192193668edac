//! `openmcp-dns policy diff` on the running landscape: what would change, before it does.

use anyhow::{Context as _, ensure};
use openmcp_dns_tests::dns::Answer;
use openmcp_dns_tests::kinds::apply;
use openmcp_dns_tests::manifests::{CLUSTERS, POLICY, kubeconfig_secret, route_reference};
use openmcp_dns_tests::ports::free_address;
use openmcp_dns_tests::programs::repository;
use openmcp_dns_tests::service::run;
use serde_json::{Value, json};

use crate::{SOON, World};

const DENIED: &str = "deny-planned.workload01.openmcp.cluster";
const ALLOWED: &str = "planned.workload01.openmcp.cluster";

pub(crate) async fn a_diff_shows_which_names_another_module_would_change(
    world: &World,
) -> anyhow::Result<()> {
    world.publish("planned", &[DENIED, ALLOWED]).await?;
    let published = Answer::of(["172.18.201.2"]);
    // Both, for each is written by itself, and nothing may be written from here on.
    for name in [DENIED, ALLOWED] {
        world.landscape.central.udp.wait_a(name, &published, SOON).await?;
    }
    let revision = world.landscape.store.revision().await?;

    // Exactly that name changes, and the wildcard rule and claims of the others are the same.
    let (code, found) = diff(world, "active", &deny_prefix(), &[])?;
    assert_eq!(code, 1, "{found}");
    let differences = found["differences"].as_array().cloned().unwrap_or_default();
    assert_eq!(differences.len(), 1, "{found:#}");
    let difference = &differences[0];
    assert_eq!(difference["hostName"], DENIED);
    assert_eq!(difference["difference"], "newly denied");
    assert_eq!(difference["cluster"], format!("{CLUSTERS}/workload01"));
    assert_eq!(difference["object"], "HTTPRoute/default/planned");
    assert!(difference["new"].to_string().contains("prefix-denied"), "{difference:#}");
    assert_eq!((&found["domains"], &found["notCompared"]), (&json!([]), &json!([])), "{found:#}");
    // SEED, the Ingress and the two planned names at least.
    assert!(found["claims"].as_i64() >= Some(4), "{found:#}");

    // The policy names the standard module.
    let (code, found) = diff(world, "active", "standard", &["--policy", POLICY.name])?;
    assert_eq!((code, &found["same"]), (0, &Value::Bool(true)), "{found:#}");

    // Nothing was changed by looking.
    assert_eq!(world.landscape.store.revision().await?, revision);
    assert_eq!(world.landscape.central.udp.a(DENIED).await, published);
    route_reference("planned").delete(&world.landscape.workload01.client()).await?;
    world.landscape.central.udp.wait_a(DENIED, &Answer::NoSuchName, SOON).await
}

pub(crate) async fn a_diff_names_the_cluster_that_it_could_not_reach(world: &World) -> anyhow::Result<()> {
    let (platform, cluster) = (world.platform(), &world.landscape.workload02);
    let good = cluster.api.kubeconfig();
    let server = good.lines().find(|line| line.contains("server: ")).context("a kubeconfig has a server")?;
    // Nothing listens there.
    let nowhere = good.replace(server, &format!("    server: https://{}", free_address()?));
    apply(&platform, &kubeconfig_secret("workload02", &nowhere)).await?;
    let compared = diff(world, "standard", "standard", &[]);
    apply(&platform, &kubeconfig_secret("workload02", &good)).await?;
    let (code, found) = compared?;
    assert_eq!(code, 2, "{found:#}");
    let missing = found["notCompared"].as_array().cloned().unwrap_or_default();
    assert_eq!(missing.len(), 1, "{found:#}");
    assert_eq!(missing[0]["cluster"], format!("{CLUSTERS}/workload02"));
    assert!(!missing[0]["reason"].as_str().unwrap_or_default().is_empty(), "{found:#}");
    // The others were compared all the same.
    assert!(found["claims"].as_i64() >= Some(1), "{found:#}");
    world.wait_all_good().await?;
    Ok(())
}

fn deny_prefix() -> String {
    repository("policies/deny-prefix/deny-prefix.wasm").display().to_string()
}

/// The exit code, and what is printed for programs.
fn diff(world: &World, old: &str, new: &str, further: &[&str]) -> anyhow::Result<(i32, Value)> {
    let kubeconfig = world.service.kubeconfig().display().to_string();
    let all = ["policy", "diff", old, new, "--kubeconfig", &kubeconfig, "--output", "json"];
    let output = run(&[&all[..], further].concat())?;
    let log = String::from_utf8_lossy(&output.stderr);
    ensure!(!output.stdout.is_empty(), "nothing is printed: {log}");
    Ok((output.status.code().with_context(|| log.into_owned())?, serde_json::from_slice(&output.stdout)?))
}
