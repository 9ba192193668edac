//! The decision log of the running service: `openmcp-dns history`, `openmcp-dns explain --log` and `openmcp-dns policy
//! replay`.

use std::path::PathBuf;

use anyhow::Context as _;
use openmcp_dns_tests::dns::Answer;
use openmcp_dns_tests::landscape::Landscape;
use openmcp_dns_tests::manifests::{cluster_dns_reference, route_reference};
use openmcp_dns_tests::programs::repository;
use openmcp_dns_tests::service::run;
use openmcp_dns_tests::wait::wait_until;
use serde_json::{Value, json};

use crate::policy::{active_digest, put_deny_prefix, use_built_in, use_config_map, wait_active};
use crate::{SOON, World};

const NAME: &str = "deny-logged.workload01.openmcp.cluster";

/// Where the service keeps its log.
pub(crate) fn log(landscape: &Landscape) -> PathBuf {
    landscape.folder().join("decisions")
}

pub(crate) async fn what_was_decided_on_a_name_is_told_and_asked_of_another_module(
    world: &mut World,
) -> anyhow::Result<()> {
    let standard = active_digest(world).await?;
    let recorded = Answer::of(["172.18.201.2"]);
    let kept = "logged-as-well.workload01.openmcp.cluster";
    world.publish("logged", &[NAME, kept]).await?;
    world.landscape.central.udp.wait_a(kept, &recorded, SOON).await?;
    world.landscape.central.udp.wait_a(NAME, &recorded, SOON).await?;
    // Another module denies it, and the first one takes it back.
    let digest = put_deny_prefix(world, "logged").await?;
    use_config_map(world, "logged", &digest).await?;
    wait_active(world, &digest).await?;
    let_go(world).await?;
    use_built_in(world, &standard).await?;
    world.landscape.central.udp.wait_a(NAME, &recorded, SOON).await?;
    let told = ["published", "A 172.18.201.2", "denied", "", "published", "A 172.18.201.2"];
    let events = said(world, &told).await?;
    assert_eq!(events[0]["modules"][0]["digest"], standard.as_str(), "{events:#?}");
    assert_eq!(events[2]["modules"][0]["digest"], digest.as_str(), "{events:#?}");
    assert_eq!(events[2]["answer"]["code"], "prefix-denied", "{events:#?}");
    let revision = |at: usize| events[at]["revision"].as_i64();
    assert!(revision(1) < revision(3) && revision(3) < revision(5), "{events:#?}");
    let key = "/skydns/cluster/openmcp/workload01/deny-logged/";
    let stored = world.stored().await?;
    let stored = stored.iter().find(|(found, _)| found.starts_with(key)).context("it is stored")?;
    assert_eq!(Some(stored.1.changed_at), revision(5));

    // The other module would deny it again, and the one that decides decides as it did.
    let deny_prefix = repository("policies/deny-prefix/deny-prefix.wasm").display().to_string();
    let (code, replayed) = replay(world, &deny_prefix)?;
    // Other steps have left questions with a configuration that this module does not take.
    assert_ne!(code, 0, "{replayed:#}");
    let denied = replayed["differences"].as_array().context("differences")?;
    let denied =
        denied.iter().find(|differing| differing["hostName"] == NAME).context(replayed.to_string())?;
    assert_eq!(denied["difference"], "newly denied");
    let (_, replayed) = replay(world, "standard")?;
    let differences = replayed["differences"].as_array().context("differences")?;
    assert!(differences.iter().all(|differing| differing["hostName"] != NAME), "{replayed:#}");

    // A restart notes nothing of it, and the end of its route comes after.
    world.service.stop().await?;
    world.service.resume()?;
    world.wait_all_good().await?;
    route_reference("logged").delete(&world.landscape.workload01.client()).await?;
    let_go(world).await?;
    said(world, &[&told[..], &[""]].concat()).await?;
    Ok(())
}

/// Waits until the name is withdrawn, and confirms that where it is held: much has been deleted in the steps before.
async fn let_go(world: &World) -> anyhow::Result<()> {
    let (platform, reference) = (world.platform(), cluster_dns_reference("workload01"));
    wait_until("the name is withdrawn", SOON, async || {
        let answer = world.landscape.central.udp.a(NAME).await;
        if answer == Answer::NoSuchName {
            return Ok(Ok(()));
        }
        let object = reference.get(&platform).await?.unwrap_or_default();
        if let Some(token) = object.pointer("/status/heldDeletion/token").and_then(Value::as_str) {
            let annotations = json!({ "dns.openmcp.cloud/confirm-deletion": token });
            reference.merge(&platform, &json!({ "metadata": { "annotations": annotations } })).await?;
        }
        Ok(Err(format!("{answer:?}")))
    })
    .await
}

/// Waits until the history of the name is this: verdicts and records, one after another. A watch may or may not show its
/// route before that is accepted, and what goes before a restarted service has listed it is noted as recorded only.
async fn said(world: &World, expected: &[&str]) -> anyhow::Result<Vec<Value>> {
    let log = log(&world.landscape).display().to_string();
    wait_until(&format!("the history is {expected:?}"), SOON, async || {
        let output = run(&["history", NAME, "--log", &log, "--output", "json"])?;
        let history: Value = serde_json::from_slice(&output.stdout)
            .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
        let mut events = history["events"].as_array().cloned().unwrap_or_default();
        let passing = ["unresolved", "withdrawn"].map(Value::from);
        events.retain(|event| !passing.contains(&event["answer"]["verdict"]));
        let said: Vec<String> = events
            .iter()
            .map(|event| match event["records"].as_array().filter(|_| event["event"] == "recorded") {
                Some(records) => records.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
                None => event["answer"]["verdict"].as_str().unwrap_or("missing").to_owned(),
            })
            .collect();
        Ok(if said == expected { Ok(events) } else { Err(format!("{said:?}")) })
    })
    .await
}

/// The exit code, and what is printed for programs.
fn replay(world: &World, module: &str) -> anyhow::Result<(i32, Value)> {
    let log = log(&world.landscape).display().to_string();
    let output = run(&["policy", "replay", &log, module, "--output", "json"])?;
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let document = serde_json::from_slice(&output.stdout).with_context(|| errors.clone())?;
    Ok((output.status.code().context(errors)?, document))
}
