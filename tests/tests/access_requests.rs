//! Clusters into which the service gets by openMCP's AccessRequests, on real servers. What openMCP's operator and the provider
//! of the clusters do is done here by hand.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::time::Duration;

use anyhow::Context as _;
use openmcp_dns_tests::conditions::wait_condition;
use openmcp_dns_tests::dns::Answer;
use openmcp_dns_tests::kinds::{Reference, apply, apply_crds, documents};
use openmcp_dns_tests::landscape::Landscape;
use openmcp_dns_tests::manifests::{
    CLUSTERS, POLICY, accept, cluster, cluster_dns_reference, cluster_reference, dns_policy, namespace, route,
};
use openmcp_dns_tests::openmcp::access_request_crd;
use openmcp_dns_tests::programs::repository;
use openmcp_dns_tests::service::{Service, run};
use openmcp_dns_tests::two_clusters::{bindings, installed};
use openmcp_dns_tests::wait::wait_until;
use serde_json::{Value, json};

const LATER: Duration = Duration::from_secs(90);

const API: &str = "clusters.openmcp.cloud/v1alpha1";

/// As openMCP's own DNS service calls the request for workload01.
const NAME: &str = "dnscluster--workload01--cluster";

/// Of the provider.
const FINALIZER: &str = "clusters.openmcp.cloud/finalizer";

/// Where a provider has its accounts in a cluster.
const ACCOUNTS: &str = "accessrequests";

fn request(name: &str) -> Reference<'_> {
    Reference { api_version: API, kind: "AccessRequest", namespace: CLUSTERS, name }
}

/// What a provider does in the cluster: an account with exactly the rights that were asked for, and a token of it.
async fn account(landscape: &Landscape, asked: &Value, name: &str) -> anyhow::Result<String> {
    let cluster = &landscape.workload01;
    let client = cluster.client();
    apply(&client, &namespace(ACCOUNTS)).await?;
    let metadata = json!({"name": name, "namespace": ACCOUNTS});
    apply(&client, &json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})).await?;
    let rbac = "rbac.authorization.k8s.io/v1";
    for permission in asked["spec"]["token"]["permissions"].as_array().context("no permissions")? {
        let (prefix, mut metadata) = match permission["namespace"].as_str() {
            Some(namespace) => ("", json!({"name": name, "namespace": namespace})),
            None => ("Cluster", json!({"name": name})),
        };
        metadata["labels"] = json!({"access": name});
        let role = format!("{prefix}Role");
        let rules = &permission["rules"];
        apply(&client, &json!({"apiVersion": rbac, "kind": role, "metadata": metadata, "rules": rules}))
            .await?;
        let binding = json!({
            "apiVersion": rbac, "kind": format!("{role}Binding"), "metadata": metadata,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": role, "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": ACCOUNTS}],
        });
        apply(&client, &binding).await?;
    }
    cluster.api.kubeconfig_of(ACCOUNTS, name).await
}

/// What `deploy` gives on the platform cluster.
fn own_rights() -> anyhow::Result<Vec<Value>> {
    let requests = std::fs::read_to_string(repository("deploy/access-requests.yaml"))?;
    Ok([installed()?, documents(&requests)?].concat())
}

/// On the platform cluster, an account with what `deploy` gives, and nothing more.
async fn own_account(landscape: &Landscape) -> anyhow::Result<String> {
    for object in own_rights()? {
        apply(&landscape.platform.client(), &object).await?;
    }
    landscape.platform.api.kubeconfig_of("openmcp-dns", "openmcp-dns").await
}

async fn give(landscape: &Landscape, kubeconfig: &str) -> anyhow::Result<()> {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": format!("{NAME}.kubeconfig"), "namespace": CLUSTERS},
        "stringData": {"kubeconfig": kubeconfig},
    });
    apply(&landscape.platform.client(), &secret).await
}

async fn asked(landscape: &Landscape, name: &str) -> Value {
    let platform = landscape.platform.client();
    wait_until("access is asked for", LATER, async || {
        Ok(request(name).get(&platform).await?.ok_or_else(|| "no AccessRequest".to_owned()))
    })
    .await
    .unwrap()
}

/// Waits until a request asks for no role that exists already, and gives it.
async fn narrowed(landscape: &Landscape, name: &str) -> Value {
    let platform = landscape.platform.client();
    wait_until("it asks for no more than it needs", LATER, async || {
        let object = request(name).get(&platform).await?.unwrap_or_default();
        let token = &object["spec"]["token"];
        let is_narrow = token["roleRefs"].is_null() && token["permissions"].is_array();
        Ok(if is_narrow { Ok(object) } else { Err(token.to_string()) })
    })
    .await
    .unwrap()
}

/// As openMCP's own DNS service leaves it behind: granted, for everything.
async fn left_behind(landscape: &Landscape, name: &str, cluster: &str) -> Value {
    let platform = landscape.platform.client();
    let labels =
        json!({"openmcp.cloud/managed-by": "dns.DNSCluster", "openmcp.cloud/managed-purpose": cluster});
    let object = json!({
        "apiVersion": API, "kind": "AccessRequest",
        "metadata": {"name": name, "namespace": CLUSTERS, "labels": labels,
            "finalizers": ["clusters.openmcp.cloud/clusteraccess"]},
        "spec": {
            "clusterRef": {"name": cluster, "namespace": CLUSTERS},
            "token": {"roleRefs": [{"kind": "ClusterRole", "name": "cluster-admin"}]},
        },
    });
    apply(&platform, &object).await.unwrap();
    say(landscape, name, json!({"phase": "Granted", "secretRef": {"name": "none"}})).await;
    request(name).get(&platform).await.unwrap().unwrap()
}

async fn say(landscape: &Landscape, name: &str, mut status: Value) {
    let platform = landscape.platform.client();
    let now = request(name).get(&platform).await.unwrap().unwrap();
    status["observedGeneration"] = now["metadata"]["generation"].clone();
    request(name).merge_status(&platform, &status).await.unwrap();
}

/// The name of a new route is answered.
async fn resolves(landscape: &Landscape, name: &str) {
    let client = landscape.workload01.client();
    let host = format!("{name}.workload01.openmcp.cluster");
    apply(&client, &route(name, &[&host])).await.unwrap();
    accept(&client, name).await.unwrap();
    landscape.central.udp.wait_a(&host, &Answer::of(["172.18.201.1"]), LATER).await.unwrap();
}

/// A `Cluster` that was deleted is released. The time is what others may hold it for, and some more.
async fn is_gone(platform: &kube::Client, name: &str) {
    wait_until(&format!("Cluster {name} is gone"), LATER, async || {
        let object = cluster_reference(name).get(platform).await?;
        Ok(object.map_or(Ok(()), |object| Err(object["metadata"].to_string())))
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_served_with_what_an_access_request_grants() {
    let mut landscape = Landscape::start_with_gateway("172.18.201.1").await.unwrap();
    let platform = landscape.platform.client();
    apply_crds(&platform, &[access_request_crd().unwrap()]).await.unwrap();
    for cluster in ["workload01", "workload02"] {
        let name = format!("{cluster}-kubeconfig");
        let secret = Reference { api_version: "v1", kind: "Secret", namespace: CLUSTERS, name: &name };
        secret.delete(&platform).await.unwrap();
    }
    let other = "dnscluster--workload02--cluster";
    let upstream = left_behind(&landscape, other, "workload02").await;
    let own = own_account(&landscape).await.unwrap();
    let provider = ["--provider-name=dns".to_owned()];
    let mut service = Service::start_as(&landscape, "openmcp-dns", &own, &provider).unwrap();
    let status = cluster_dns_reference("workload01");

    // As openMCP's own service asks, but for the rights.
    let object = asked(&landscape, NAME).await;
    let metadata = &object["metadata"];
    assert_eq!(metadata["labels"]["openmcp.cloud/managed-by"], "dns.DNSCluster", "{metadata}");
    assert_eq!(metadata["labels"]["openmcp.cloud/managed-purpose"], "workload01", "{metadata}");
    assert_eq!(metadata["finalizers"], json!(["clusters.openmcp.cloud/clusteraccess"]));
    assert_eq!(object["spec"]["clusterRef"], json!({"name": "workload01", "namespace": CLUSTERS}));
    assert!(object["spec"]["token"]["roleRefs"].is_null(), "{object}");
    let said =
        wait_condition(&platform, status, "Reachable", "Unknown", "AccessPending", LATER).await.unwrap();
    assert!(said.contains(NAME) && said.contains("not been looked at"), "{said}");
    // None for whom there is a kubeconfig, or for the platform itself.
    assert!(request("dnscluster--platform--cluster").get(&platform).await.unwrap().is_none());

    // The provider's part.
    let finalizers = json!(["clusters.openmcp.cloud/clusteraccess", FINALIZER]);
    request(NAME).merge(&platform, &json!({"metadata": {"finalizers": finalizers}})).await.unwrap();
    let first = account(&landscape, &object, "first").await.unwrap();
    give(&landscape, &first).await.unwrap();
    let secret = json!({"name": format!("{NAME}.kubeconfig")});
    say(&landscape, NAME, json!({"phase": "Granted", "secretRef": secret})).await;
    wait_condition(&platform, status, "Reachable", "True", "Succeeded", LATER).await.unwrap();
    wait_condition(&platform, status, "Forwarded", "True", "Succeeded", LATER).await.unwrap();
    resolves(&landscape, "granted").await;

    // The token is rotated in place: only the Secret says so. The old one is good for nothing any more.
    let second = account(&landscape, &object, "second").await.unwrap();
    give(&landscape, &second).await.unwrap();
    let old = Reference { api_version: "v1", kind: "ServiceAccount", namespace: ACCOUNTS, name: "first" };
    old.delete(&landscape.workload01.client()).await.unwrap();
    resolves(&landscape, "rotated").await;

    // That of openMCP's own service is taken over, with less rights. It is denied, and that is told.
    let taken = narrowed(&landscape, other).await;
    assert_eq!(taken["metadata"]["uid"], upstream["metadata"]["uid"]);
    let condition = json!([{"type": "Granted", "status": "False", "reason": "NotAllowed",
        "message": "not in this landscape", "lastTransitionTime": "2026-01-01T00:00:00Z"}]);
    say(&landscape, other, json!({"phase": "Denied", "conditions": condition})).await;
    let denied = cluster_dns_reference("workload02");
    let said = wait_condition(&platform, denied, "Reachable", "False", "AccessDenied", LATER).await.unwrap();
    assert!(said.contains("is denied (not in this landscape)"), "{said}");

    // Rights that somebody has widened are narrowed.
    let wide = json!({"spec": {"token": {"roleRefs": [{"kind": "ClusterRole", "name": "cluster-admin"}]}}});
    request(NAME).merge(&platform, &wide).await.unwrap();
    narrowed(&landscape, NAME).await;

    say(&landscape, NAME, json!({"phase": "Granted"})).await;
    wait_condition(&platform, status, "Reachable", "True", "Succeeded", LATER).await.unwrap();

    // Who comes without the service gets in by the request, too.
    let admin = landscape.folder().join("admin.kubeconfig").display().to_string();
    std::fs::write(&admin, landscape.platform.api.kubeconfig()).unwrap();
    let (well, said) = uninstall(&admin, &["--dry-run", "--skip-unreachable"]).unwrap();
    let block = format!("forward block for openmcp.cluster in the DNS of cluster {CLUSTERS}/workload01");
    assert!(well && said.contains(&block) && said.contains("workload02 is in the way"), "{said}");

    // A Cluster that leaves: its provider still finds it when the access is given back, and then it goes.
    cluster_reference("workload01").delete(&platform).await.unwrap();
    wait_until("the request is given back", LATER, async || {
        let object = request(NAME).get(&platform).await?.context("the provider has not let it go")?;
        let is_left = object["metadata"]["deletionTimestamp"].is_string()
            && object["metadata"]["finalizers"] == json!([FINALIZER]);
        Ok(if is_left { Ok(()) } else { Err(object["metadata"].to_string()) })
    })
    .await
    .unwrap();
    let held = cluster_reference("workload01").get(&platform).await.unwrap();
    assert!(held.is_some(), "the provider needs the Cluster");
    request(NAME).merge(&platform, &json!({"metadata": {"finalizers": null}})).await.unwrap();
    is_gone(&platform, "workload01").await;

    // One of the same name that comes at once is another one: nothing of the first one's access is its own.
    apply(&platform, &cluster("workload01", "workload", landscape.workload01.dns.udp.address()))
        .await
        .unwrap();
    let anew = asked(&landscape, NAME).await;
    assert_ne!(anew["metadata"]["uid"], object["metadata"]["uid"]);
    wait_condition(&platform, status, "Reachable", "Unknown", "AccessPending", LATER).await.unwrap();

    // Its API server dies for good, and policy and annotation that say its zone are gone: it is released all the same, and
    // nothing of it is published any more.
    let third = account(&landscape, &anew, "third").await.unwrap();
    give(&landscape, &third).await.unwrap();
    say(&landscape, NAME, json!({"phase": "Granted", "secretRef": secret})).await;
    wait_condition(&platform, status, "Recorded", "True", "Succeeded", LATER).await.unwrap();
    let published = "granted.workload01.openmcp.cluster";
    landscape.central.udp.wait_a(published, &Answer::of(["172.18.201.1"]), LATER).await.unwrap();
    landscape.workload01.api.stop();
    POLICY.delete(&platform).await.unwrap();
    wait_condition(&platform, status, "Annotated", "False", "NoPolicy", LATER).await.unwrap();
    let none = json!({"metadata": {"annotations": {"dns.openmcp.cloud/zone": null}}});
    cluster_reference("workload01").merge(&platform, &none).await.unwrap();
    cluster_reference("workload01").delete(&platform).await.unwrap();
    is_gone(&platform, "workload01").await;
    assert_eq!(request(NAME).get(&platform).await.unwrap(), None);
    landscape.central.udp.wait_a(published, &Answer::NoSuchName, LATER).await.unwrap();

    // So is one that is denied.
    apply(&platform, &dns_policy()).await.unwrap();
    apply(&platform, &cluster("workload01", "workload", landscape.workload01.dns.udp.address()))
        .await
        .unwrap();
    asked(&landscape, NAME).await;
    say(&landscape, NAME, json!({"phase": "Denied", "conditions": condition})).await;
    wait_condition(&platform, status, "Reachable", "False", "AccessDenied", LATER).await.unwrap();
    cluster_reference("workload01").delete(&platform).await.unwrap();
    is_gone(&platform, "workload01").await;
    assert_eq!(request(NAME).get(&platform).await.unwrap(), None);
    service.stop().await.unwrap();

    // Nothing was asked that these accounts may not, nor what others than the lists give: the rights are all that is needed.
    let on_platform = bindings(&own_rights().unwrap());
    for (api, user, bindings) in [
        (&landscape.platform.api, "openmcp-dns:openmcp-dns", on_platform),
        (&landscape.workload01.api, "accessrequests:first", ["first".to_owned()].into()),
        (&landscape.workload01.api, "accessrequests:second", ["second".to_owned()].into()),
        (&landscape.workload01.api, "accessrequests:third", ["third".to_owned()].into()),
    ] {
        let audited = api.audited(&format!("system:serviceaccount:{user}")).unwrap();
        audited.is_within(&bindings).with_context(|| user.to_owned()).unwrap();
    }

    // Without the service: the request goes before our finalizer, whoever has denied it.
    let both = json!(["clusters.openmcp.cloud/clusteraccess", FINALIZER]);
    request(other).merge(&platform, &json!({"metadata": {"finalizers": both}})).await.unwrap();
    let going = tokio::task::spawn_blocking(move || uninstall(&admin, &["--skip-unreachable"]));
    wait_until("the request is withdrawn", LATER, async || {
        let object = request(other).get(&platform).await?.context("the provider has not let it go")?;
        let is_left = object["metadata"]["deletionTimestamp"].is_string()
            && object["metadata"]["finalizers"] == json!([FINALIZER]);
        Ok(if is_left { Ok(()) } else { Err(object["metadata"].to_string()) })
    })
    .await
    .unwrap();
    let held = cluster_reference("workload02").get(&platform).await.unwrap().unwrap();
    assert!(held["metadata"]["finalizers"].is_array(), "the provider needs the Cluster");
    request(other).merge(&platform, &json!({"metadata": {"finalizers": null}})).await.unwrap();
    let (well, said) = going.await.unwrap().unwrap();
    assert!(well && said.contains("ClusterDNS, AccessRequest and finalizer of Cluster"), "{said}");
    let released = cluster_reference("workload02").get(&platform).await.unwrap().unwrap();
    assert!(released["metadata"]["finalizers"].is_null(), "{released}");
}

/// Runs `openmcp-dns uninstall`; gives whether it ended well, and all that it said.
fn uninstall(kubeconfig: &str, more: &[&str]) -> anyhow::Result<(bool, String)> {
    // Nobody lets a namespace go here that is deleted.
    let arguments = ["uninstall", "--namespace=default", "--kubeconfig", kubeconfig];
    let output = run(&[&arguments, more].concat())?;
    let text =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    Ok((output.status.success(), text))
}
