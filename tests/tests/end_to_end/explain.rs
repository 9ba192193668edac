//! `openmcp-dns explain` on the running landscape: from the route to the answer of every DNS server.

use anyhow::{Context as _, ensure};
use openmcp_dns_tests::manifests::CLUSTERS;
use openmcp_dns_tests::service::run;
use serde_json::Value;

use crate::{SEED, World};

pub(crate) async fn the_whole_way_of_a_name_is_explained(world: &World) -> anyhow::Result<()> {
    let (code, found) = explain(world, SEED)?;
    assert_eq!(code, 0, "{found:#}");
    assert_eq!(found["nextSteps"], serde_json::json!([]), "{found:#}");
    let claim = &found["claims"][0];
    assert_eq!(claim["cluster"], format!("{CLUSTERS}/workload01"));
    let name = &found["names"][0];
    let key = &name["stored"][0];
    assert_eq!(key["standing"], "asDecided", "{found:#}");
    let stored = world.stored().await?;
    let there = stored.get(key["key"].as_str().unwrap_or_default()).context("the key exists")?;
    assert_eq!(key["revision"], there.changed_at);
    // The central server, and the DNS of each cluster.
    let answers = name["answers"].as_array().cloned().unwrap_or_default();
    let clusters = answers.iter().filter(|answer| answer["cluster"].is_string()).count();
    assert_eq!((answers.len(), clusters), (4, 3), "{found:#}");
    assert!(answers.iter().all(|answer| answer["verdict"] == "ok"), "{found:#}");

    let (code, found) = explain(world, "nobody.workload02.openmcp.cluster")?;
    assert_eq!(code, 1, "{found:#}");
    let next = found["nextSteps"][0].as_str().unwrap_or_default();
    assert!(next.contains("workload02"), "{found:#}");
    Ok(())
}

/// The exit code, and what is printed for programs.
fn explain(world: &World, subject: &str) -> anyhow::Result<(i32, Value)> {
    let kubeconfig = world.service.kubeconfig().display().to_string();
    let (etcd, central) =
        (&world.landscape.store.endpoint, world.landscape.central.udp.address().to_string());
    let output = run(&[
        "explain",
        subject,
        "--kubeconfig",
        &kubeconfig,
        "--etcd",
        etcd,
        "--server",
        &central,
        "--all",
        "--output",
        "json",
    ])?;
    let log = String::from_utf8_lossy(&output.stderr);
    ensure!(!output.stdout.is_empty(), "nothing is printed: {log}");
    Ok((output.status.code().with_context(|| log.into_owned())?, serde_json::from_slice(&output.stdout)?))
}
