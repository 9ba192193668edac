//! The service, started as openMCP's operator starts a platform service.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};
use openmcp_dns_tests::api_server::ApiServer;
use openmcp_dns_tests::http::get;
use openmcp_dns_tests::kinds::{Reference, apply, apply_crds};
use openmcp_dns_tests::manifests::namespace;
use openmcp_dns_tests::ports::free_address;
use openmcp_dns_tests::process::Process;
use openmcp_dns_tests::programs::openmcp_dns;
use openmcp_dns_tests::service::{output_of, run};
use openmcp_dns_tests::wait::wait_until;

const SOON: Duration = Duration::from_secs(60);

/// What the operator passes to both commands, and what a later one might.
const OPERATOR: [&str; 4] =
    ["--environment=dev", "--verbosity=INFO", "--provider-name=dns", "--not-yet-known=1"];

/// Name and version of each of our CRDs that openMCP's CRD manager would find.
async fn installed(crds: &Api<CustomResourceDefinition>) -> Vec<(String, Option<String>)> {
    let listed = crds.list(&ListParams::default().labels("openmcp.cloud/cluster=platform")).await.unwrap();
    listed.items.iter().map(|crd| (crd.name_any(), crd.resource_version())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_starts_the_service_with_nothing_else_there() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    let api = ApiServer::start("platform", "10.96.0.0/16", folder.path(), &logs).await.unwrap();
    let client = api.client();
    // The operator's own kinds, and its namespace.
    let all = output_of(&["crds", "--with-cluster"]).unwrap();
    let clusters = all.split("---\n").filter(|text| text.contains("clusters.clusters.openmcp.cloud"));
    apply_crds(&client, &clusters.map(str::to_owned).collect::<Vec<_>>()).await.unwrap();
    apply(&client, &namespace("openmcp-system")).await.unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    std::fs::write(&kubeconfig, api.kubeconfig()).unwrap();
    let kubeconfig = format!("--kubeconfig={}", kubeconfig.display());

    let init = || run(&[["init"].as_slice(), &OPERATOR, &[&kubeconfig]].concat()).unwrap();
    let output = init();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("--not-yet-known=1"), "{said}");
    let crds = Api::all(client.clone());
    let first = installed(&crds).await;
    assert_eq!(first.len(), 3, "{first:?}");
    assert!(init().status.success());
    assert_eq!(installed(&crds).await, first, "a second time changes nothing");

    let metrics = free_address().unwrap();
    let bind = format!("--metrics-bind-address=:{}", metrics.port());
    let more = ["--leader-elect=true", &bind, "--metrics-secure=false", &kubeconfig];
    let environment = [
        ("POD_NAME", "ps-dns-0"),
        ("POD_NAMESPACE", "openmcp-system"),
        ("POD_IP", "10.0.0.1"),
        ("POD_SERVICE_ACCOUNT_NAME", "ps-dns"),
    ];
    let arguments = [["run"].as_slice(), &OPERATOR, &more].concat();
    let service =
        Process::start("openmcp-dns", &openmcp_dns().unwrap(), arguments, &environment, &logs).unwrap();
    wait_until("it lives", SOON, async || {
        Ok(match get(metrics, "/healthz").await {
            Ok((200, _)) => Ok(()),
            other => Err(format!("{other:?}")),
        })
    })
    .await
    .unwrap();
    // Its configuration has the name of the PlatformService; nobody has written one, so it says so in one of its own.
    let config = Reference {
        api_version: "dns.openmcp.cloud/v1alpha1",
        kind: "DNSServiceConfig",
        namespace: "",
        name: "dns",
    };
    wait_until("its configuration has a condition", SOON, async || {
        let object = config.get(&client).await?;
        let conditions = object.as_ref().map(|object| object["status"]["conditions"].clone());
        Ok(match conditions {
            Some(conditions) if conditions.is_array() => Ok(()),
            other => Err(format!("{other:?}")),
        })
    })
    .await
    .unwrap();
    let ended = service.terminate(SOON).await.unwrap();
    assert!(ended.success(), "{ended}");
}
