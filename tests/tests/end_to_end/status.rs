//! `openmcp-dns status`: how the landscape is, by what its objects say.

use anyhow::{Context as _, ensure};
use openmcp_dns_tests::http::get;
use openmcp_dns_tests::kinds::{Reference, apply};
use openmcp_dns_tests::manifests::POLICY;
use openmcp_dns_tests::service::run;
use serde_json::{Value, json};

use crate::World;

pub(crate) async fn status_says_whether_all_is_well_and_what_is_not(world: &World) -> anyhow::Result<()> {
    let (code, found) = status(world, "60")?;
    assert_eq!((code, &found["findings"]), (0, &json!([])), "{found:#}");
    let clusters = found["clusters"].as_array().cloned().unwrap_or_default();
    assert_eq!(clusters.len(), world.landscape.clusters().len(), "{found:#}");
    let well = |cluster: &Value| cluster["conditions"]["Forwarded"] == "True" && cluster["domain"] != "";
    assert!(clusters.iter().all(well), "{found:#}");

    // The live page says the same.
    let (code, page) = get(world.service.page(), "/").await?;
    let page = page.replace("<wbr>", "");
    let ready = format!("{0} of {0}</dd>", clusters.len());
    ensure!(code == 200 && page.contains(&ready), "{page}");
    for cluster in &clusters {
        ensure!(page.contains(cluster["domain"].as_str().unwrap_or_default()), "{page}");
    }

    let broken = json!({
        "apiVersion": POLICY.api_version,
        "kind": POLICY.kind,
        "metadata": { "name": "broken" },
        "spec": {
            "baseDomain": "other.example",
            "module": {
                "configMap": { "namespace": "default", "name": "missing", "key": "module" },
                "sha256": "0".repeat(64),
            },
        },
    });
    apply(&world.platform(), &broken).await?;
    let (code, found) = status(world, "0")?;
    assert_eq!(code, 1, "{found:#}");
    let findings = found["findings"].as_array().cloned().unwrap_or_default();
    assert!(findings.iter().any(|finding| finding["object"] == "DNSPolicy/broken"), "{found:#}");
    Reference { name: "broken", ..POLICY }.delete(&world.platform()).await?;
    let (code, found) = status(world, "60")?;
    assert_eq!(code, 0, "{found:#}");

    // A cluster that has none of the kinds.
    let kubeconfig = world.landscape.folder().join("status.kubeconfig");
    std::fs::write(&kubeconfig, world.landscape.workload01.api.kubeconfig())?;
    let output = run(&["status", "--kubeconfig", &kubeconfig.display().to_string()])?;
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{log}");
    assert!(log.contains("hint: name a kubeconfig of the platform cluster"), "{log}");
    Ok(())
}

/// The exit code, and what is printed for programs.
fn status(world: &World, wait: &str) -> anyhow::Result<(i32, Value)> {
    let kubeconfig = world.service.kubeconfig().display().to_string();
    let output = run(&["status", "--kubeconfig", &kubeconfig, "--wait", wait, "--output", "json"])?;
    let log = String::from_utf8_lossy(&output.stderr);
    ensure!(!output.stdout.is_empty(), "nothing is printed: {log}");
    Ok((output.status.code().with_context(|| log.into_owned())?, serde_json::from_slice(&output.stdout)?))
}
