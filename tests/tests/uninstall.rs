//! `openmcp-dns uninstall` on two real API servers: the whole way back. What kubelet and the controllers of a cluster
//! would do, the test does: it ends the service, and lets a namespace go.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Namespace, PersistentVolumeClaim};
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Client};
use openmcp_dns_core::deployment::covers;
use openmcp_dns_tests::kinds::{Reference, apply, apply_crds, documents};
use openmcp_dns_tests::landscape::manifests_of;
use openmcp_dns_tests::manifests::{cluster, cluster_dns_reference, cluster_reference};
use openmcp_dns_tests::process::Process;
use openmcp_dns_tests::programs::{Provided, openmcp_dns};
use openmcp_dns_tests::service::{output_of, run};
use openmcp_dns_tests::two_clusters::{NAMES, TwoClusters, corefile, corefile_of, installed};
use openmcp_dns_tests::wait::wait_until;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(60);

const NAMESPACE: &str = "openmcp-dns";

struct World(TwoClusters);

impl World {
    async fn start() -> Self {
        let world = TwoClusters::start().await.unwrap();
        world.install().await.unwrap();
        world.add_clusters(&world.workload.kubeconfig()).await.unwrap();
        Self(world)
    }

    /// The service, as long as the value lives.
    fn serve(&self, more: &[&str]) -> Process {
        let arguments = [
            "run",
            "--kubeconfig",
            &self.kubeconfig(),
            "--platform-cluster=openmcp-clusters/platform",
            "--state",
            &self.0.folder().join("state").display().to_string(),
        ]
        .map(ToOwned::to_owned)
        .into_iter()
        .chain(more.iter().map(|argument| (*argument).to_owned()));
        let logs = self.0.folder();
        Process::start("openmcp-dns", &openmcp_dns().unwrap(), arguments, &[("NO_COLOR", "1")], logs).unwrap()
    }

    fn kubeconfig(&self) -> String {
        self.0.write("kubeconfig.yaml", &self.0.platform.kubeconfig()).unwrap()
    }

    /// Runs the command; gives whether it ended well, and all that it said.
    fn uninstall(&self, more: &[&str]) -> (bool, String) {
        let kubeconfig = self.kubeconfig();
        let arguments = [
            "uninstall",
            "--kubeconfig",
            &kubeconfig,
            "--platform-cluster=openmcp-clusters/platform",
            "--etcd",
            &self.0.etcd.endpoint,
        ];
        let output = run(&[&arguments, more].concat()).unwrap();
        let text = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
        (output.status.success(), text)
    }

    /// What the clusters' DNS reads, the marks on the `Cluster` objects, and what lies in the namespace: with versions,
    /// so that a write that changes nothing shows, too.
    async fn state(&self) -> BTreeMap<String, Value> {
        let mut state = BTreeMap::new();
        for (client, name) in self.0.clients().iter().zip(NAMES) {
            state.insert(format!("corefile of {name}"), json!(corefile_of(client).await.unwrap()));
            let object = cluster_reference(name).get(&self.0.platform.client()).await.unwrap().unwrap();
            state.insert(format!("cluster {name}"), object);
        }
        for reference in ours(&self.0.platform.client()).await {
            state.insert(reference, Value::Null);
        }
        state
    }
}

/// All objects in the service's namespace, of whatever kind it could make.
async fn ours(platform: &Client) -> Vec<String> {
    let mut found = Vec::new();
    for (api_version, kind) in [
        ("v1", "Service"),
        ("v1", "ConfigMap"),
        ("v1", "Secret"),
        ("v1", "ServiceAccount"),
        ("v1", "PersistentVolumeClaim"),
        ("apps/v1", "Deployment"),
        ("apps/v1", "StatefulSet"),
        ("policy/v1", "PodDisruptionBudget"),
        ("batch/v1", "CronJob"),
        ("networking.k8s.io/v1", "NetworkPolicy"),
        ("coordination.k8s.io/v1", "Lease"),
        ("rbac.authorization.k8s.io/v1", "Role"),
        ("rbac.authorization.k8s.io/v1", "RoleBinding"),
    ] {
        let api = Reference { api_version, kind, namespace: NAMESPACE, name: "" }.api(platform).unwrap();
        for object in api.list_metadata(&ListParams::default()).await.unwrap() {
            let version = object.metadata.resource_version.unwrap_or_default();
            found.push(format!("{kind} {} {version}", object.metadata.name.unwrap_or_default()));
        }
    }
    found
}

/// Reports in a cluster: one of ours, and one of the same name that is somebody else's.
async fn reports(client: &Client) -> [Value; 2] {
    apply_crds(client, &manifests_of(Provided::OpenReports).unwrap()).await.unwrap();
    let report = |namespace: &str, manager: &str| {
        json!({
            "apiVersion": "openreports.io/v1alpha1", "kind": "Report", "source": manager,
            "metadata": {
                "namespace": namespace, "name": "openmcp-dns", "labels": { "app.kubernetes.io/managed-by": manager },
            },
        })
    };
    let reports = [report("default", "openmcp-dns"), report("kube-system", "another")];
    for report in &reports {
        apply(client, report).await.unwrap();
    }
    reports
}

/// What controllers do, as long as it is polled: a volume claim that nobody uses goes, and so does an empty namespace.
async fn let_them_go(platform: Client) {
    let namespaces: Api<Namespace> = Api::all(platform.clone());
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(platform.clone(), NAMESPACE);
    loop {
        for claim in claims.list(&ListParams::default()).await.unwrap() {
            if claim.metadata.deletion_timestamp.is_some() {
                let free = Patch::Merge(json!({"metadata": {"finalizers": null}}));
                let name = claim.metadata.name.unwrap();
                claims.patch(&name, &PatchParams::default(), &free).await.unwrap();
            }
        }
        for mut namespace in namespaces.list(&ListParams::default()).await.unwrap() {
            if namespace.metadata.deletion_timestamp.is_none() {
                continue;
            }
            let name = namespace.metadata.name.clone().unwrap();
            assert_eq!(ours(&platform).await, [""; 0], "the namespace {name} goes before what lies in it");
            namespace.spec =
                Some(json!({"finalizers": []})).map(|spec| serde_json::from_value(spec).unwrap());
            let body = serde_json::to_vec(&namespace).unwrap();
            let request = kube::core::Request::new("/api/v1/namespaces")
                .replace_subresource("finalize", &name, &Default::default(), body)
                .unwrap();
            // It may be gone by itself meanwhile.
            let _: Result<Value, _> = platform.request(request).await;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_ours_is_left() {
    let mut world = World::start().await;
    let platform = world.0.platform.client();

    // The central DNS is deployed; and since no pod of it runs here, the records go to another etcd.
    let deploying = world.serve(&[]);
    wait_until("the central DNS is deployed", SOON, async || {
        let objects = ours(&platform).await;
        let all = [
            "StatefulSet openmcp-dns-etcd",
            "Deployment openmcp-dns-central",
            "Secret openmcp-dns-etcd-writer",
        ];
        let is_there = |wanted: &str| objects.iter().any(|object| object.starts_with(wanted));
        Ok(if all.into_iter().all(is_there) {
            Ok(())
        } else {
            Err(format!("{objects:?}\n{}", deploying.log_tail()))
        })
    })
    .await
    .unwrap();
    // It is what `openmcp-dns manifests` says without a cluster, but for the digest of the certificate.
    let manifests = output_of(&["manifests", "--no-default-storage-class"]).unwrap();
    for mut wanted in documents(&manifests).unwrap() {
        let live = Reference::of(&wanted).get(&platform).await.unwrap().unwrap_or_default();
        for metadata in ["/metadata", "/spec/template/metadata"] {
            wanted
                .pointer_mut(metadata)
                .and_then(Value::as_object_mut)
                .map(|fields| fields.remove("annotations"));
        }
        assert!(covers(&live, &wanted), "{wanted}\n{live}");
    }
    drop(deploying);
    // The StatefulSet controller's part.
    let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data-openmcp-dns-etcd-0", "namespace": NAMESPACE,
            "labels": {"app.kubernetes.io/name": "openmcp-dns", "app.kubernetes.io/component": "etcd"}},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
    apply(&platform, &claim).await.unwrap();
    let etcd = format!("--etcd={}", world.0.etcd.endpoint);
    let service = world.serve(&[&etcd, "--dns-server=127.0.0.1:1"]);
    wait_until("both clusters forward, and the record is there", SOON, async || {
        let mut marked = true;
        for (client, name) in world.0.clients().iter().zip(NAMES) {
            let object = cluster_reference(name).get(&platform).await?.unwrap_or_default();
            marked &= corefile_of(client).await?.contains("openmcp.cluster")
                && object["metadata"]["annotations"]["dns.openmcp.cloud/base-domain"].is_string()
                && !object["metadata"]["finalizers"].is_null()
                && cluster_dns_reference(name).get(&platform).await?.is_some();
        }
        let records = world.0.etcd.below("/skydns/cluster").await?.len();
        Ok(if marked && records == 1 {
            Ok(())
        } else {
            Err(format!("{records} records\n{}", service.log_tail()))
        })
    })
    .await
    .unwrap();
    // Kubelet's part, when the Deployment has no replicas any more.
    service.terminate(SOON).await.unwrap();
    // Somebody has led who could not say that it is over.
    let led = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": {"name": "openmcp-dns", "namespace": NAMESPACE},
        "spec": {"holderIdentity": "openmcp-dns-0_1", "leaseDurationSeconds": 2}});
    apply(&platform, &led).await.unwrap();

    // What the policy did not want here, and may have wanted once.
    let workload = world.0.workload.client();
    let [ours_there, theirs] = reports(&workload).await;

    // A dry run says all of it, in its order, and changes nothing.
    let before = world.state().await;
    let (well, said) = world.uninstall(&["--dry-run"]);
    assert!(well, "{said}");
    let at = |text: &str| said.find(text).unwrap_or_else(|| panic!("{text}\n{said}"));
    assert!(
        at("forward block for openmcp.cluster in the DNS of cluster openmcp-clusters/workload01")
            < at("annotations")
    );
    assert!(at("reports in 1 namespaces of cluster openmcp-clusters/workload01") < at("annotations"));
    assert!(at("of Cluster openmcp-clusters/platform") < at("Deployment openmcp-dns/openmcp-dns-central"));
    assert!(
        at("Deployment openmcp-dns/openmcp-dns-central") < at("StatefulSet openmcp-dns/openmcp-dns-etcd")
    );
    assert!(at("PersistentVolumeClaim") < at("ClusterRole openmcp-dns"));
    assert_eq!(world.state().await, before);

    // A cluster that is away is named, and nothing is done.
    world.0.workload.stop();
    let (well, said) = world.uninstall(&[]);
    assert!(!well && said.contains("cluster openmcp-clusters/workload01 is in the way"), "{said}");
    world.0.workload.resume().await.unwrap();
    assert_eq!(world.state().await, before);

    // The whole way back.
    let going = tokio::spawn(let_them_go(platform.clone()));
    let (well, said) = tokio::task::block_in_place(|| world.uninstall(&[]));
    assert!(well, "{said}");
    for (client, name) in world.0.clients().iter().zip(NAMES) {
        assert_eq!(corefile_of(client).await.unwrap(), corefile().unwrap(), "{name}");
        let object = cluster_reference(name).get(&platform).await.unwrap().unwrap();
        let annotations = object["metadata"]["annotations"].as_object().unwrap();
        assert_eq!(annotations.keys().collect::<Vec<_>>(), ["dns.openmcp.cloud/cluster-dns-address"]);
        assert!(object["metadata"]["finalizers"].is_null(), "{object}");
        assert!(cluster_dns_reference(name).get(&platform).await.unwrap().is_none());
    }
    assert_eq!(Reference::of(&ours_there).get(&workload).await.unwrap(), None);
    assert!(Reference::of(&theirs).get(&workload).await.unwrap().is_some());
    for prefix in ["/skydns", "openmcp-dns"] {
        assert_eq!(world.0.etcd.below(prefix).await.unwrap(), BTreeMap::new(), "{prefix}");
    }
    assert_eq!(ours(&platform).await, [""; 0]);
    let left = async || {
        let mut left = Vec::new();
        for object in installed().unwrap() {
            let reference = Reference::of(&object);
            if reference.get(&platform).await.unwrap().is_some() {
                left.push(reference.kind.to_owned());
            }
        }
        left
    };
    assert_eq!(left().await, ["CustomResourceDefinition"; 3]);

    // A second time there is nothing to do but what is asked for now.
    let (well, said) = tokio::task::block_in_place(|| world.uninstall(&["--crds"]));
    assert!(well && said.lines().filter(|line| line.starts_with("removed ")).count() == 3, "{said}");
    assert_eq!(left().await, [""; 0]);
    going.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_is_gone_for_good_is_gone_without() {
    let mut world = World::start().await;
    let platform = world.0.platform.client();
    let mut object = cluster("workload01", "workload", "127.0.0.1:1".parse().unwrap());
    object["metadata"]["finalizers"] = json!(["platformservice.openmcp.cloud/dns", "example.com/theirs"]);
    apply(&platform, &object).await.unwrap();
    world.0.workload.stop();
    let going = tokio::spawn(let_them_go(platform.clone()));
    let (well, said) = tokio::task::block_in_place(|| world.uninstall(&["--skip-unreachable"]));
    assert!(well && said.contains("cluster openmcp-clusters/workload01 is in the way"), "{said}");
    let object = cluster_reference("workload01").get(&platform).await.unwrap().unwrap();
    assert_eq!(object["metadata"]["finalizers"], json!(["example.com/theirs"]));
    going.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_still_leads_is_waited_for() {
    let world = World::start().await;
    let platform = world.0.platform.client();
    let etcd = format!("--etcd={}", world.0.etcd.endpoint);
    let namespace = format!("--namespace={NAMESPACE}");
    let service = world.serve(&[&etcd, "--dns-server=127.0.0.1:1", "--leader-elect", &namespace]);
    let held = async |name: &str| {
        let object = cluster_reference(name).get(&platform).await.unwrap().unwrap();
        !object["metadata"]["finalizers"].is_null()
    };
    wait_until("it holds the clusters", SOON, async || {
        Ok(if held(NAMES[0]).await && held(NAMES[1]).await { Ok(()) } else { Err(service.log_tail()) })
    })
    .await
    .unwrap();
    let going = tokio::spawn(let_them_go(platform.clone()));
    let mut uninstall = {
        let kubeconfig = world.kubeconfig();
        let arguments =
            ["uninstall", "--kubeconfig", &kubeconfig, "--platform-cluster=openmcp-clusters/platform"];
        Process::start("uninstall", &openmcp_dns().unwrap(), arguments, &[], world.0.folder()).unwrap()
    };
    // Who did not wait would have taken the marks from the clusters while the Deployment is stopped.
    let deployment =
        Reference { api_version: "apps/v1", kind: "Deployment", namespace: NAMESPACE, name: "openmcp-dns" };
    wait_until("the Deployment is stopped", SOON, async || {
        let object = deployment.get(&platform).await?.unwrap_or_default();
        Ok(if object["spec"]["replicas"] == 0 { Ok(()) } else { Err(object["spec"].to_string()) })
    })
    .await
    .unwrap();
    service.terminate(SOON).await.unwrap();
    let status = wait_until("it is removed", SOON, async || {
        Ok(uninstall.ended()?.ok_or_else(|| uninstall.log_tail()))
    })
    .await
    .unwrap();
    assert!(status.success(), "{}", uninstall.log_tail());
    assert!(!held(NAMES[0]).await && !held(NAMES[1]).await);
    assert_eq!(ours(&platform).await, [""; 0]);
    going.abort();
}
