//! `export`, `restore` and `withdraw` on a real etcd and a real API server.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;
use std::process::Command;

use openmcp_dns_tests::api_server::ApiServer;
use openmcp_dns_tests::coredns::serve_zone_file;
use openmcp_dns_tests::dns::Answer;
use openmcp_dns_tests::etcd::{Durability, Etcd};
use openmcp_dns_tests::kinds::{apply, apply_crds};
use openmcp_dns_tests::manifests::{
    CLUSTERS, ZONE, cluster, cluster_dns_reference, cluster_reference, namespace,
};
use openmcp_dns_tests::programs::Provided;
use openmcp_dns_tests::service::{output_of, run};
use openmcp_dns_tests::steps::show;
use serde_json::json;

/// One value as the service writes it, and where.
fn record(cluster: &str, name: &str, address: &str) -> String {
    json!({
        "name": format!("{name}.{cluster}.{ZONE}"), "type": "A", "value": address, "ttl": 60,
        "owner": format!("{ZONE}/{CLUSTERS}/{cluster}"), "source": format!("HTTPRoute/default/{name}"),
    })
    .to_string()
}

fn file(folder: &Path, lines: &[String]) -> String {
    let file = folder.join("records.jsonl");
    std::fs::write(&file, lines.join("\n")).unwrap();
    file.display().to_string()
}

/// Each line as a value: the order of its fields says nothing.
fn values(lines: &str) -> Vec<serde_json::Value> {
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_exported_is_restored_byte_by_byte_and_only_once() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    let etcd = Etcd::start("etcd", Durability::Unsynced, folder.path(), &logs).await.unwrap();
    let endpoint = etcd.endpoint.as_str();
    let restore = |file: &str, more: &[&str]| {
        let arguments = ["restore", file, "--etcd", endpoint, "--without-platform"];
        run(&[&arguments, more].concat()).unwrap()
    };
    // More than one transaction takes.
    let mut lines: Vec<String> = (0..300)
        .map(|number| record("workload01", &format!("n{number:03}"), &format!("10.0.{}.1", number % 250)))
        .collect();
    lines.push(record("workload02", "shop", "10.9.0.1"));
    let kept = file(folder.path(), &lines);

    // A dry run writes nothing, and says all.
    let output = restore(&kept, &["--dry-run"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        String::from_utf8_lossy(&output.stdout).lines().filter(|line| line.starts_with("add ")).count(),
        301
    );
    assert!(etcd.below("/skydns").await.unwrap().is_empty());

    assert!(restore(&kept, &[]).status.success());
    let first = etcd.below("/skydns").await.unwrap();
    assert_eq!(first.len(), 301);
    let exported = output_of(&["export", "--etcd", endpoint]).unwrap();
    assert_eq!(values(&exported), values(&lines.join("\n")));

    // A second time nothing is written; what others have written meanwhile stays, and is no part of an export.
    let revision = etcd.revision().await.unwrap();
    assert!(restore(&kept, &[]).status.success());
    assert_eq!(etcd.revision().await.unwrap(), revision);
    etcd.put("/skydns/cluster/openmcp/workload02/shop/3dc2be40", r#"{"host":"10.9.0.9"}"#).await.unwrap();
    assert_eq!(output_of(&["export", "--etcd", endpoint]).unwrap(), exported);

    // All is lost but that: the very bytes come back, and where something else stands, nothing is done.
    for key in first.keys() {
        etcd.delete(key).await.unwrap();
    }
    std::fs::write(&kept, exported).unwrap();
    let output = restore(&kept, &[]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("leave shop.workload02.openmcp.cluster: something else stands there"), "{said}");
    let second = etcd.below("/skydns/cluster/openmcp/workload01").await.unwrap();
    assert_eq!(second.len(), 300);
    for (key, stored) in second {
        assert_eq!(stored.value, first[&key].value, "{key}");
    }
    assert_eq!(etcd.below("/skydns/cluster/openmcp/workload02").await.unwrap().len(), 1);

    // A broken line is named, with its field, and nothing is written.
    lines[7] = lines[7].replace("10.0.7.1", "10.0.7");
    let revision = etcd.revision().await.unwrap();
    let output = restore(&file(folder.path(), &lines), &[]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        !output.status.success() && said.contains("line 8: value: \"10.0.7\" is not an IPv4 address"),
        "{said}"
    );
    assert_eq!(etcd.revision().await.unwrap(), revision);
}

/// What the CronJobs of the central DNS run, with the endpoint of a test's etcd, and no certificates.
fn snapshot_arguments(endpoint: &str, folder: &Path, file: &Path) -> Vec<String> {
    let config = folder.join("config.yaml");
    let wanted = json!({
        "apiVersion": "dns.openmcp.cloud/v1alpha1",
        "kind": "DNSServiceConfig",
        "metadata": {"name": "openmcp-dns"},
        "spec": {"etcd": {"snapshots": {"claimName": "backups"}}},
    });
    std::fs::write(&config, wanted.to_string()).unwrap();
    let printed = output_of(&["manifests", "--config", &config.display().to_string()]).unwrap();
    let objects: Vec<serde_json::Value> = serde_saphyr::from_multiple(&printed).unwrap();
    let job = objects.iter().find(|object| object["kind"] == "CronJob").unwrap();
    let container = &job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0];
    let arguments = container["args"].as_array().unwrap().iter().map(|value| value.as_str().unwrap());
    let as_here = |argument: &str| match argument {
        argument if argument.starts_with("--endpoints=") => Some(format!("--endpoints={endpoint}")),
        argument if argument.starts_with("--") => None,
        argument if argument.ends_with(".db") => Some(file.display().to_string()),
        argument => Some(argument.to_owned()),
    };
    arguments.filter_map(as_here).collect()
}

fn succeeds(program: Provided, arguments: &[String]) {
    let output = Command::new(program.path().unwrap()).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program:?} {arguments:?}: {output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn records_come_back_from_a_snapshot_of_etcd() {
    if let Err(missing) = Provided::Etcdutl.path() {
        show(&format!("skipped: {missing:#}"));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    let mut etcd = Etcd::start("etcd", Durability::Unsynced, folder.path(), &logs).await.unwrap();
    let (endpoint, lines) = (etcd.endpoint.clone(), [record("workload01", "svc", "10.0.0.1")]);
    let kept = file(folder.path(), &lines);
    output_of(&["restore", &kept, "--etcd", &endpoint, "--without-platform"]).unwrap();

    let snapshot = folder.path().join("day.db");
    // The second takes the place of the first.
    for _ in 0..2 {
        succeeds(Provided::Etcdctl, &snapshot_arguments(&endpoint, folder.path(), &snapshot));
    }
    let restored = folder.path().join("restored");
    let paths = [&snapshot, &restored].map(|path| path.display().to_string());
    let [snapshot, data] = &paths;
    succeeds(Provided::Etcdutl, &["snapshot", "restore", snapshot, "--data-dir", data].map(str::to_owned));
    for key in etcd.below("/skydns").await.unwrap().into_keys() {
        etcd.delete(&key).await.unwrap();
    }
    etcd.restore(&restored).await.unwrap();
    assert_eq!(values(&output_of(&["export", "--etcd", &endpoint]).unwrap()), values(&lines.join("\n")));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exported_zone_file_is_served_by_another_dns_server() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    let etcd = Etcd::start("etcd", Durability::Unsynced, folder.path(), &logs).await.unwrap();
    let lines = [
        record("workload01", "svc", "10.0.0.1"),
        record("workload01", "svc", "10.0.0.2"),
        record("workload01", "alias", "svc.workload01.openmcp.cluster").replace("\"A\"", "\"CNAME\""),
    ];
    let kept = file(folder.path(), &lines);
    output_of(&["restore", &kept, "--etcd", &etcd.endpoint, "--without-platform"]).unwrap();
    let zone =
        output_of(&["export", "--etcd", &etcd.endpoint, "--format", "zone", "--base-domain", ZONE]).unwrap();
    let file = folder.path().join("db.zone");
    std::fs::write(&file, zone).unwrap();
    let (dns, _server) = serve_zone_file(ZONE, &file, &logs).await.unwrap();
    for name in ["svc", "alias"] {
        assert_eq!(dns.a(&format!("{name}.workload01.{ZONE}")).await, Answer::of(["10.0.0.1", "10.0.0.2"]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_of_living_clusters_are_neither_restored_nor_withdrawn() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    let etcd = Etcd::start("etcd", Durability::Unsynced, folder.path(), &logs).await.unwrap();
    let server = ApiServer::start("platform", "10.113.0.0/16", folder.path(), &logs).await.unwrap();
    let client = server.client();
    let kubeconfig = folder.path().join("platform.yaml");
    std::fs::write(&kubeconfig, server.kubeconfig()).unwrap();
    let kubeconfig = kubeconfig.display().to_string();
    apply_crds(&client, &[output_of(&["crds", "--with-cluster"]).unwrap()]).await.unwrap();
    apply(&client, &namespace(CLUSTERS)).await.unwrap();
    for (name, reachable) in [("workload01", "True"), ("workload02", "False")] {
        apply(&client, &cluster(name, "workload", "127.0.0.1:53".parse().unwrap())).await.unwrap();
        let reference = cluster_dns_reference(name);
        apply(
            &client,
            &json!({"apiVersion": reference.api_version, "kind": reference.kind, "spec": {},
                "metadata": {"name": name, "namespace": CLUSTERS}}),
        )
        .await
        .unwrap();
        let condition = json!({"type": "Reachable", "status": reachable, "reason": "Succeeded", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z"});
        reference.merge_status(&client, &json!({"conditions": [condition]})).await.unwrap();
    }
    let lines = ["workload01", "workload02", "gone"].map(|cluster| record(cluster, "svc", "10.0.0.1"));
    let kept = file(folder.path(), &lines);

    // The service reaches one of the clusters; another one it does not; and one does not exist any more.
    let said = output_of(&["restore", &kept, "--etcd", &etcd.endpoint, "--kubeconfig", &kubeconfig]).unwrap();
    assert!(said.contains("leave 1 names of openmcp-clusters/workload01 to the service"), "{said}");
    let here =
        async |cluster: &str| etcd.below(&format!("/skydns/cluster/openmcp/{cluster}/")).await.unwrap().len();
    assert_eq!((here("workload01").await, here("workload02").await, here("gone").await), (0, 1, 1));

    // Withdrawn is only what no Cluster stands for, and only by the token of what was shown.
    let withdraw = |cluster: &str, more: &[&str]| {
        let owner = format!("{ZONE}/{CLUSTERS}/{cluster}");
        let arguments = ["withdraw", &owner, "--etcd", &etcd.endpoint, "--kubeconfig", &kubeconfig];
        let output = run(&[&arguments, more].concat()).unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap(),
        )
    };
    let (code, said) = withdraw("workload02", &[]);
    assert!(code == Some(1) && said.contains("exists, with uid"), "{said}");
    let (code, said) = withdraw("gone", &[]);
    assert!(code == Some(1) && said.contains("svc.gone.openmcp.cluster A 10.0.0.1"), "{said}");
    let token = said.split("--confirm ").nth(1).unwrap().trim().to_owned();
    let (code, said) = withdraw("gone", &["--confirm", "0000000000000000"]);
    assert!(code == Some(1) && said.contains("confirms another deletion"), "{said}");
    assert_eq!(here("gone").await, 1);
    let (code, said) = withdraw("gone", &["--confirm", &token]);
    assert!(code == Some(0) && said.contains("1 names are withdrawn"), "{said}");
    assert_eq!((here("workload02").await, here("gone").await), (1, 0));
    assert_eq!(withdraw("gone", &[]).0, Some(0));

    // A Cluster that went without the service is one that no Cluster stands for.
    cluster_reference("workload02").delete(&client).await.unwrap();
    let (code, said) = withdraw("workload02", &[]);
    assert!(code == Some(1) && said.contains("svc.workload02.openmcp.cluster"), "{said}");
}
