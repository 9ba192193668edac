//! Another version of the service was here before: its CRDs, its objects, and what it has written down.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::Api;
use kube::api::ListParams;
use openmcp_dns_tests::conditions::wait_condition;
use openmcp_dns_tests::kinds::{Reference, apply, apply_crds};
use openmcp_dns_tests::manifests::POLICY;
use openmcp_dns_tests::wait::wait_until;
use serde_json::{Value, json};

use crate::platform::{NAMESPACE, Platform, SOON, config, crds};

const CONFIG: Reference<'static> = Reference {
    api_version: "dns.openmcp.cloud/v1alpha1",
    kind: "DNSServiceConfig",
    namespace: "",
    name: "openmcp-dns",
};

/// A CRD of ours as it could have been: with less in it.
fn earlier_crd(kind: &str, plural: &str, spec: &Value, status: &Value) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.dns.openmcp.cloud")},
        "spec": {
            "group": "dns.openmcp.cloud",
            "names": {"kind": kind, "plural": plural, "singular": kind.to_lowercase()},
            "scope": "Cluster",
            "versions": [{
                "name": "v1alpha1",
                "served": true,
                "storage": true,
                "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {
                    "type": "object",
                    "properties": {"spec": spec, "status": status},
                }},
            }],
        },
    })
}

/// The schema of an object with these fields.
fn fields(properties: &Value) -> Value {
    json!({"type": "object", "properties": properties})
}

/// The schema of conditions.
fn conditions() -> Value {
    let text = json!({"type": "string"});
    let condition = fields(&json!({
        "type": text, "status": text, "reason": text, "message": text, "lastTransitionTime": text,
        "observedGeneration": {"type": "integer"},
    }));
    json!({"type": "array", "items": condition})
}

/// As at the first commits of either kind.
fn earlier_crds() -> Vec<String> {
    let text = json!({"type": "string"});
    let number = json!({"type": "integer"});
    let free = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let status = fields(&json!({"observedGeneration": number, "conditions": conditions()}));
    let policy = fields(&json!({
        "baseDomain": text,
        "module": fields(&json!({"builtIn": text, "sha256": text})),
        "configuration": free,
        "deletionGuard": fields(&json!({"maxPercent": number})),
    }));
    let service = fields(&json!({
        "dns": fields(&json!({"replicas": number, "image": text})),
        "etcd": fields(&json!({"members": number})),
    }));
    [
        earlier_crd("DNSPolicy", "dnspolicies", &policy, &status),
        earlier_crd("DNSServiceConfig", "dnsserviceconfigs", &service, &status),
    ]
    .map(|crd| crd.to_string())
    .to_vec()
}

/// Whether all of `part` stands in `whole`.
fn assert_kept(whole: &Value, part: &Value) {
    assert!(openmcp_dns_core::deployment::covers(whole, part), "{part}\nis not in\n{whole}");
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_of_earlier_crds_lose_nothing_and_earlier_crds_are_no_obstacle() -> anyhow::Result<()> {
    let mut platform = Platform::prepare("10.118.0.0/16", None).await?;
    let client = platform.client();
    // Those that are not there yet come with the upgrade.
    apply_crds(&client, &earlier_crds()).await?;
    let policy = json!({
        "apiVersion": POLICY.api_version, "kind": POLICY.kind, "metadata": {"name": POLICY.name},
        "spec": {
            "baseDomain": "openmcp.cluster",
            "module": {"builtIn": "standard"},
            "configuration": {"ttlSeconds": 45},
            "deletionGuard": {"maxPercent": 12},
        },
    });
    let service =
        config(json!({"dns": {"replicas": 3, "image": "mirror/coredns:1"}, "etcd": {"members": 3}}));
    let old = json!({"observedGeneration": 1, "conditions": [{
        "type": "Ready", "status": "True", "reason": "Succeeded", "message": "as before",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }]});
    for (object, reference) in [(&policy, POLICY), (&service, CONFIG)] {
        apply(&client, object).await?;
        reference.merge_status(&client, &old).await?;
    }

    // The new service, before anybody has applied its CRDs: it does its work.
    platform.run().await?;
    wait_until("the central DNS is deployed as the older object says", SOON, async || {
        let deployment = Reference {
            api_version: "apps/v1",
            kind: "Deployment",
            namespace: NAMESPACE,
            name: "openmcp-dns-central",
        };
        let spec = deployment.get(&client).await?.unwrap_or_default()["spec"].clone();
        let image = &spec["template"]["spec"]["containers"][0]["image"];
        Ok(if spec["replicas"] == 3 && image == "mirror/coredns:1" { Ok(()) } else { Err(platform.log()) })
    })
    .await?;

    // With them, it says how all stands, and nothing is lost.
    apply_crds(&client, &crds()?).await?;
    wait_condition(&client, POLICY, "Ready", "True", "Succeeded", SOON).await?;
    wait_condition(&client, CONFIG, "Deployed", "Unknown", "InProgress", SOON).await?;
    for (object, reference) in [(&policy, POLICY), (&service, CONFIG)] {
        let found = reference.get(&client).await?.unwrap_or_default();
        assert_kept(&found["spec"], &object["spec"]);
    }
    // A condition that stays as it was keeps its time.
    let found = POLICY.get(&client).await?.unwrap_or_default();
    assert_eq!(found["status"]["conditions"][0]["lastTransitionTime"], "2026-01-01T00:00:00Z", "{found}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_much_later_version_nothing_is_touched_and_after_an_earlier_one_all_is_done()
-> anyhow::Result<()> {
    let mut platform = Platform::prepare("10.119.0.0/16", None).await?;
    let client = platform.client();
    let maps: Api<ConfigMap> = platform.api();
    let led = async |version: &str| {
        let map = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "openmcp-dns-version", "namespace": NAMESPACE}, "data": {"version": version},
        });
        apply(&client, &map).await
    };
    let secrets: Api<Secret> = platform.api();
    let names = async || {
        let (maps, secrets) =
            (maps.list(&ListParams::default()).await?, secrets.list(&ListParams::default()).await?);
        let maps = maps.into_iter().filter_map(|object| object.metadata.name);
        let secrets = secrets.into_iter().filter_map(|object| object.metadata.name);
        anyhow::Ok(maps.chain(secrets).collect::<BTreeSet<_>>())
    };

    led("9.4.0").await?;
    let before = names().await?;
    platform.run().await?;
    let (code, log) = platform.ended().await?;
    assert!(code == Some(1) && log.contains("version 9.4 has led here"), "{code:?}\n{log}");
    assert_eq!(names().await?, before);
    assert!(CONFIG.get(&client).await?.is_none());

    // Whatever was left out in between.
    led("0.0.1").await?;
    platform.run().await?;
    platform.deployed("Unknown", "0 of 2 DNS pods are ready").await?;
    let led = maps.get("openmcp-dns-version").await?.data.unwrap_or_default();
    assert_eq!(led["version"], env!("CARGO_PKG_VERSION"));
    Ok(())
}
