//! The service, started as openMCP's operator starts a platform service.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};
use openmcp_dns_api::{Cluster, DNSPolicy};
use openmcp_dns_core::deployment::covers;
use openmcp_dns_tests::api_server::ApiServer;
use openmcp_dns_tests::conditions::find;
use openmcp_dns_tests::http::get;
use openmcp_dns_tests::kinds::{Reference, apply, apply_crds};
use openmcp_dns_tests::manifests::namespace;
use openmcp_dns_tests::openmcp::{cluster_crd, upstream_dns_service_config_crd};
use openmcp_dns_tests::ports::free_address;
use openmcp_dns_tests::process::Process;
use openmcp_dns_tests::programs::openmcp_dns;
use openmcp_dns_tests::service::run;
use openmcp_dns_tests::wait::wait_until;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(60);

/// What the operator passes to both commands, and what a later one might.
const OPERATOR: [&str; 4] =
    ["--environment=dev", "--verbosity=INFO", "--provider-name=dns", "--not-yet-known=1"];

/// Name and version of each of our CRDs that openMCP's CRD manager would find.
async fn installed(crds: &Api<CustomResourceDefinition>) -> Vec<(String, Option<String>)> {
    let listed = crds.list(&ListParams::default().labels("openmcp.cloud/cluster=platform")).await.unwrap();
    let ours = listed.items.iter().filter(|crd| crd.spec.group == "dns.openmcp.cloud");
    ours.map(|crd| (crd.name_any(), crd.resource_version())).collect()
}

/// The operator's own kinds and its namespace come; gives the option by which the service finds the API server.
async fn with_operator(api: &ApiServer, folder: &Path) -> String {
    let client = api.client();
    apply_crds(&client, &[cluster_crd().unwrap()]).await.unwrap();
    apply(&client, &namespace("openmcp-system")).await.unwrap();
    let kubeconfig = folder.join("kubeconfig");
    std::fs::write(&kubeconfig, api.kubeconfig()).unwrap();
    format!("--kubeconfig={}", kubeconfig.display())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_starts_the_service_with_nothing_else_there() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    let api = ApiServer::start("platform", "10.96.0.0/16", folder.path(), &logs).await.unwrap();
    let client = api.client();
    let kubeconfig = with_operator(&api, folder.path()).await;

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

/// The sets of purposes, and the selectors with what they select, of upstream's own tests
/// (`internal/controllers/cluster/testdata/purposeselector`), of which an API server with upstream's schema takes out what is
/// nested.
const PURPOSES: &str = include_str!("../../host/api/tests/purposes.json");

#[tokio::test(flavor = "multi_thread")]
async fn objects_of_openmcps_own_dns_service_apply_and_select_what_they_mean() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    let api = ApiServer::start("platform", "10.96.0.0/16", folder.path(), &logs).await.unwrap();
    let client = api.client();
    let kubeconfig = with_operator(&api, folder.path()).await;
    let (foo, bar) = (json!({ "name": "foo" }), json!({ "name": "bar" }));

    // As upstream's documentation has it, `docs/config/dns-service-config.md`.
    let spec = json!({
        "externalDNSSource": {
            "chartName": "charts/external-dns",
            "git": { "url": "https://github.com/kubernetes-sigs/external-dns", "interval": "1h", "ref": { "tag": "v0.19.0" } },
        },
        "secretsToCopy": { "toTargetCluster": [{ "source": { "name": "route53" }, "target": { "name": "aws" } }] },
        "helmReleaseReconciliationInterval": "1h",
        "externalDNSForPurposes": [{
            "name": "workers",
            "purposeSelector": { "and": [{ "not": { "and": [foo, bar] } }, { "or": [foo, bar] }] },
            "helmValues": { "provider": { "name": "aws" }, "sources": ["service"] },
        }],
    });
    let object = json!({
        "apiVersion": "dns.openmcp.cloud/v1alpha1", "kind": "DNSServiceConfig", "metadata": { "name": "dns" }, "spec": spec,
    });
    // Its definition becomes ours, and its objects stay.
    let upstream = upstream_dns_service_config_crd().unwrap();
    if let Some(upstream) = &upstream {
        apply_crds(&client, std::slice::from_ref(upstream)).await.unwrap();
        apply(&client, &object).await.unwrap();
    }
    let output = run(&[["init"].as_slice(), &OPERATOR, &[&kubeconfig]].concat()).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let kept = Reference::of(&object).get(&client).await.unwrap();
    assert_eq!(kept.is_some(), upstream.is_some());
    if let Some(kept) = kept {
        // Its own definition has added what it takes where nothing is said.
        assert!(covers(&kept["spec"]["externalDNSSource"], &spec["externalDNSSource"]), "{kept}");
    }

    let policy = |selector: &Value| {
        json!({
            "apiVersion": "dns.openmcp.cloud/v1alpha1", "kind": "DNSPolicy", "metadata": { "name": "landscape" },
            "spec": { "baseDomain": "openmcp.cluster", "clusterSelector": { "purposeSelector": selector } },
        })
    };
    let vectors: Value = serde_json::from_str(PURPOSES).unwrap();
    let sets: BTreeMap<String, Vec<String>> = serde_json::from_value(vectors["sets"].clone()).unwrap();
    let cases = vectors["cases"].as_array().unwrap();
    assert_eq!((sets.len(), cases.len()), (6, 7));
    for case in cases {
        apply(&client, &policy(&case["selector"])).await.unwrap();
        let kept: DNSPolicy = Api::all(client.clone()).get("landscape").await.unwrap();
        let selector = kept.spec.cluster_selector.unwrap();
        let selected = sets.iter().filter(|(_, purposes)| {
            let mut cluster = Cluster::new("c", Default::default());
            cluster.spec.purposes.clone_from(purposes);
            selector.selects(&cluster)
        });
        assert_eq!(selected.map(|(name, _)| &**name).collect::<String>(), case["selects"], "{case}");
    }
    let deep = json!({ "not": { "not": { "not": { "not": foo } } } });
    let refused = format!("{:#}", apply(&client, &policy(&deep)).await.unwrap_err());
    assert!(refused.contains("at most 4 levels"), "{refused}");

    apply(&client, &object).await.unwrap();
    let kept = Reference::of(&object).get(&client).await.unwrap().unwrap();
    for (field, value) in spec.as_object().unwrap() {
        // As above, its own definition may have added something to one of them.
        if field == "externalDNSSource" {
            assert!(covers(&kept["spec"][field], value), "{field}: {kept}");
        } else {
            assert_eq!(kept["spec"][field], *value, "{field}");
        }
    }

    let metrics = format!("--metrics-bind-address={}", free_address().unwrap());
    let environment = [("POD_NAME", "ps-dns-0"), ("POD_NAMESPACE", "openmcp-system")];
    let arguments = [["run"].as_slice(), &OPERATOR, &[&metrics, &kubeconfig]].concat();
    let service =
        Process::start("openmcp-dns", &openmcp_dns().unwrap(), arguments, &environment, &logs).unwrap();
    wait_until("what is not used is said", SOON, async || {
        let object = Reference::of(&object).get(&client).await?.unwrap_or_default();
        let accepted = find(&object, "Accepted").cloned().unwrap_or_default();
        let is_said = accepted["reason"] == "NotUsed"
            && accepted["message"].to_string().contains("externalDNSForPurposes");
        Ok(if is_said { Ok(()) } else { Err(format!("{accepted}")) })
    })
    .await
    .unwrap();

    // What is asked for by an annotation is done once, and the annotation goes.
    let policy = policy(&json!({}));
    for (object, annotation) in
        [(&object, "openmcp.cloud/operation"), (&policy, "dns.openmcp.cloud/operation")]
    {
        let asked = json!({ "metadata": { "annotations": { annotation: "reconcile" } } });
        Reference::of(object).merge(&client, &asked).await.unwrap();
        wait_until("it is looked at anew", SOON, async || {
            let object = Reference::of(object).get(&client).await?.unwrap_or_default();
            let annotations = &object["metadata"]["annotations"];
            Ok(if annotations.get(annotation).is_none() { Ok(()) } else { Err(annotations.to_string()) })
        })
        .await
        .unwrap();
    }
    let ended = service.terminate(SOON).await.unwrap();
    assert!(ended.success(), "{ended}");
}
