//! What is installed, deploy/install.yaml and the chart, on a real API server and by the real helm.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use openmcp_dns_tests::api_server::ApiServer;
use openmcp_dns_tests::kinds::{Reference, apply, documents};
use openmcp_dns_tests::programs::{Provided, repository};
use serde_json::{Value, json};

/// By kind, namespace and name.
type Objects = BTreeMap<(String, String, String), Value>;

fn by_name(objects: Vec<Value>) -> Objects {
    let key = |object: &Value| {
        let Reference { kind, namespace, name, .. } = Reference::of(object);
        (kind.to_owned(), namespace.to_owned(), name.to_owned())
    };
    objects.into_iter().map(|object| (key(&object), object)).collect()
}

fn install_yaml() -> anyhow::Result<Vec<Value>> {
    documents(&std::fs::read_to_string(repository("deploy/install.yaml"))?)
}

/// Whether helm could be had here.
fn has_helm() -> bool {
    let helm = Provided::Helm.path();
    if let Err(error) = &helm {
        eprintln!("the chart is not tested: {error:#}");
    }
    helm.is_ok()
}

/// Runs helm with all that it keeps in a folder.
fn helm(folder: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(Provided::Helm.path()?)
        .args(arguments)
        .env("HOME", folder)
        .env("KUBECONFIG", folder.join("kubeconfig"))
        .env("HELM_CACHE_HOME", folder.join("cache"))
        .env("HELM_CONFIG_HOME", folder.join("config"))
        .env("HELM_DATA_HOME", folder.join("data"))
        .output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "helm {arguments:?} ended with {}: {errors}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}

fn chart() -> String {
    repository("deploy/chart").display().to_string()
}

fn template(folder: &Path, options: &[&str]) -> anyhow::Result<Objects> {
    let chart = chart();
    let mut arguments = vec!["template", "openmcp-dns", &chart];
    arguments.extend(options);
    Ok(by_name(documents(&helm(folder, &arguments)?)?))
}

#[test]
fn the_chart_without_values_is_what_kubectl_applies() -> anyhow::Result<()> {
    if !has_helm() {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let (rendered, plain) = (template(folder.path(), &[])?, by_name(install_yaml()?));
    assert_eq!(rendered.keys().collect::<Vec<_>>(), plain.keys().collect::<Vec<_>>());
    for (key, object) in &plain {
        assert_eq!(&rendered[key], object, "{key:?}");
    }
    Ok(())
}

#[test]
fn every_value_of_the_chart_does_what_it_says_and_wrong_ones_are_refused() -> anyhow::Result<()> {
    if !has_helm() {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let values = json!({
        "namespace": {"name": "dns", "create": false},
        "images": {"controller": "r/a:1", "coreDns": "r/b:2", "etcd": "r/c:3"},
        "imagePullSecrets": [{"name": "registry"}],
        "replicas": 2,
        "arguments": ["--tag-check-seconds=60"],
        "resources": {"requests": {"cpu": "1"}},
        "nodeSelector": {"dns": "yes"},
        "tolerations": [{"key": "dns", "operator": "Exists"}],
        "priorityClassName": "high",
        "accessRequests": true,
    });
    let file = folder.path().join("values.yaml");
    std::fs::write(&file, values.to_string())?;
    let rendered = template(folder.path(), &["--values", file.to_str().unwrap()])?;
    assert!(!rendered.keys().any(|(kind, ..)| kind == "Namespace"), "{:?}", rendered.keys());
    for (kind, namespace, name) in rendered.keys() {
        assert!(["", "dns", "kube-system"].contains(&&**namespace), "{kind} {namespace}/{name}");
    }
    let binding = &rendered[&("ClusterRoleBinding".into(), String::new(), "openmcp-dns".into())];
    assert_eq!(binding["subjects"][0]["namespace"], "dns");
    let requests = ("ClusterRoleBinding".into(), String::new(), "openmcp-dns-access-requests".into());
    assert_eq!(rendered[&requests]["subjects"][0]["namespace"], "dns");
    let deployment = &rendered[&("Deployment".into(), "dns".into(), "openmcp-dns".into())]["spec"];
    let pod = &deployment["template"]["spec"];
    let container = &pod["containers"][0];
    assert_eq!(deployment["replicas"], 2);
    assert_eq!(container["image"], "r/a:1");
    assert_eq!(container["args"], json!(["run", "--tag-check-seconds=60", "--access-requests=true"]));
    let env = container["env"].as_array().context("no environment")?;
    for (name, image) in [("OPENMCP_DNS_COREDNS_IMAGE", "r/b:2"), ("OPENMCP_DNS_ETCD_IMAGE", "r/c:3")] {
        assert!(env.contains(&json!({"name": name, "value": image})), "{env:?}");
    }
    // Helm merges maps.
    assert_eq!(container["resources"]["requests"], json!({"cpu": "1", "memory": "64Mi"}));
    for key in ["imagePullSecrets", "nodeSelector", "tolerations", "priorityClassName"] {
        assert_eq!(pod[key], values[key], "{key}");
    }

    for (wrong, said) in [
        ("replicas=many", "replicas"),
        ("imagePullSecrets[0].nam=x", "imagePullSecrets"),
        ("image=x", "image"),
        ("images.etcd=", "images"),
    ] {
        let error = template(folder.path(), &["--set", wrong]).unwrap_err().to_string();
        assert!(error.contains(said) && error.contains("schema"), "{wrong}: {error}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_api_server_takes_what_kubectl_and_what_helm_bring() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let server = ApiServer::start("platform", "10.112.0.0/16", folder.path(), folder.path()).await?;
    std::fs::write(folder.path().join("kubeconfig"), server.kubeconfig())?;
    let client = server.client();
    let objects = install_yaml()?;
    for object in &objects {
        apply(&client, object).await?;
    }
    // `kubectl apply` keeps what it applied in an annotation, which may have 256 KiB.
    for object in &objects {
        assert!(object.to_string().len() < 200_000, "{:?}", Reference::of(object));
    }

    if !has_helm() {
        return Ok(());
    }
    // The same objects come under Helm without being made anew.
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let uid = namespaces.get("openmcp-dns").await?.metadata.uid;
    let chart = chart();
    helm(folder.path(), &["install", "openmcp-dns", &chart, "--take-ownership", "--force-conflicts"])?;
    assert_eq!(namespaces.get("openmcp-dns").await?.metadata.uid, uid);

    let image = "images.controller=mirror/openmcp-dns:9";
    helm(folder.path(), &["upgrade", "openmcp-dns", &chart, "--set", image, "--force-conflicts"])?;
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), "openmcp-dns");
    let deployment = serde_json::to_value(deployments.get("openmcp-dns").await?)?;
    assert_eq!(deployment["spec"]["template"]["spec"]["containers"][0]["image"], "mirror/openmcp-dns:9");

    // What people have written lives on.
    helm(folder.path(), &["uninstall", "openmcp-dns"])?;
    for object in &objects {
        let left = Reference::of(object).get(&client).await?;
        let is_there = left.is_some_and(|object| object["metadata"]["deletionTimestamp"].is_null());
        assert_eq!(is_there, object["kind"] == "CustomResourceDefinition", "{:?}", Reference::of(object));
    }
    Ok(())
}
