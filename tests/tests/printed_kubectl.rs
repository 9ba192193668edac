//! Every line for kubectl and helm that a page prints is taken by the real kubectl, with a real API server that holds what it names,
//! and by the real helm.
//!
//! What needs a node (`exec`, `port-forward`) is only parsed here.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../../host/cli/tests/support/pages.rs"]
mod pages;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context as _, bail};
use kube::Client;
use openmcp_dns_tests::api_server::ApiServer;
use openmcp_dns_tests::kinds::{Reference, apply, apply_crds};
use openmcp_dns_tests::landscape::{gateway_api_crds, manifests_of};
use openmcp_dns_tests::manifests::{self, ZONE, dns_policy, namespace};
use openmcp_dns_tests::openmcp::platform_service_crd;
use openmcp_dns_tests::programs::{Provided, repository};
use pages::{Printed, begins_with, in_blocks_of_code, root};
use serde_json::{Value, json};

const PROGRAMS: [&str; 2] = ["kubectl", "helm"];

/// The namespace of the `Cluster` in the pages.
const SYSTEM: &str = "openmcp-system";

/// Words of a line that needs a node, or ends only when it is ended.
const PARSED_ONLY: [&str; 3] = [" exec ", " port-forward ", " --watch "];

/// What stands for something, and for what.
const FILLED_IN: [(&str, &str); 9] = [
    ("-n NAMESPACE", "-n openmcp-system"),
    ("clusterdns -n openmcp-system CLUSTER", "clusterdns -n openmcp-system workload01"),
    ("httproute NAME", "httproute shop"),
    ("pod POD", "pod central-0"),
    ("openmcp-dns-agent-…", "openmcp-dns-agent-workload01"),
    ("<token of the status>", "4f1c"),
    ("helm install openmcp-dns", "helm template openmcp-dns"),
    ("helm upgrade openmcp-dns ...", "helm template openmcp-dns deploy/chart"),
    ("kubectl delete", "kubectl delete --dry-run=server"),
];

/// The lines of all pages, in blocks of code and in the text, as somebody types them.
fn printed() -> BTreeSet<Printed> {
    let mut all = in_blocks_of_code(&PROGRAMS);
    for (page, text) in pages::pages().into_iter().filter(|(page, _)| page.starts_with("docs/")) {
        let quoted = pages::in_backticks(&text);
        let whole = |command: &&str| {
            let command = *command;
            begins_with(command, &PROGRAMS)
                && command.split_whitespace().count() > 2
                && !command.contains("...")
        };
        all.extend(
            quoted
                .filter(whole)
                .map(|command| Printed { command: command.replace('\n', " "), page: page.clone() }),
        );
    }
    all
}

fn filled_in(command: &str) -> String {
    FILLED_IN.into_iter().fold(command.to_owned(), |command, (from, to)| command.replace(from, to))
}

/// A folder that holds the files which the lines name, and a kubeconfig with the contexts that they name.
fn folder(server: &ApiServer) -> anyhow::Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    let at = |path: &str| folder.path().join(path);
    for name in ["deploy", "examples", "policies"] {
        symlink(root().join(name), at(name))?;
    }
    fs::create_dir(at("my-policy"))?;
    symlink(root().join("policies/deny-prefix/deny-prefix.wasm"), at("my-policy/my-policy.wasm"))?;
    symlink(root().join("examples/first-policy.yaml"), at("dnspolicy.yaml"))?;
    fs::write(at("records.jsonl"), "")?;
    let mut kubeconfig: Value = serde_saphyr::from_str(&server.kubeconfig())?;
    let contexts = kubeconfig["contexts"].as_array_mut().context("a kubeconfig has contexts")?;
    for name in ["PLATFORM", "CLUSTER"] {
        let mut context = contexts.first().context("a kubeconfig has a context")?.clone();
        context["name"] = json!(name);
        contexts.push(context);
    }
    fs::write(at("kubeconfig"), kubeconfig.to_string())?;
    Ok(folder)
}

/// What the lines name.
async fn give(client: &Client) -> anyhow::Result<()> {
    let crds = fs::read_dir(repository("crds"))?.map(|entry| Ok(fs::read_to_string(entry?.path())?));
    let mut crds = crds.collect::<anyhow::Result<Vec<String>>>()?;
    crds.extend(gateway_api_crds()?);
    crds.extend(manifests_of(Provided::OpenReports)?);
    crds.push(platform_service_crd()?);
    apply_crds(client, &crds).await?;
    for name in [SYSTEM, "openmcp-dns", "openmcp-dns-agent"] {
        apply(client, &namespace(name)).await?;
    }
    apply(client, &dns_policy()).await?;
    let ready = json!({
        "type": "Ready", "status": "True", "reason": "Succeeded", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z",
    });
    let cluster_dns = json!({
        "apiVersion": "dns.openmcp.cloud/v1alpha1", "kind": "ClusterDNS",
        "metadata": { "namespace": SYSTEM, "name": "workload01" }, "spec": {},
    });
    apply(client, &cluster_dns).await?;
    let status = json!({ "conditions": [ready], "observedGeneration": 1 });
    Reference::of(&cluster_dns).merge_status(client, &status).await?;
    let route = manifests::route("shop", &[&format!("shop.workload01.{ZONE}")]);
    apply(client, &route).await?;
    let mut accepted = manifests::accepted();
    accepted["parents"][0]["controllerName"] = json!("dns.openmcp.cloud/openmcp-dns");
    accepted["parents"][0]["conditions"][0]["type"] = json!("Resolvable");
    Reference::of(&route).merge_status(client, &accepted).await?;
    let config = json!({
        "apiVersion": "dns.openmcp.cloud/v1alpha1", "kind": "DNSServiceConfig", "metadata": { "name": "dns" }, "spec": {},
    });
    apply(client, &config).await?;
    let service = json!({
        "apiVersion": "openmcp.cloud/v1alpha1", "kind": "PlatformService", "metadata": { "name": "dns" },
        "spec": { "image": "registry.example/openmcp-dns:0.1.0" },
    });
    apply(client, &service).await?;
    let agent = json!({ "apiVersion": "v1", "kind": "List", "items": [namespace("openmcp-dns-agent")] });
    for object in [
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "namespace": "openmcp-dns", "name": "openmcp-dns-agent-workload01" },
            "stringData": { "agent.json": agent.to_string() },
        }),
        json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": { "namespace": "openmcp-dns", "name": "central-0" },
            "spec": { "serviceAccountName": "default", "automountServiceAccountToken": false,
                      "containers": [{ "name": "coredns", "image": "coredns" }] },
        }),
        json!({
            "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "namespace": "openmcp-dns", "name": "default" },
        }),
        json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "namespace": "kube-system", "name": "coredns" },
            "data": { "Corefile": ". {\n}\n" },
        }),
        json!({
            "apiVersion": "openreports.io/v1alpha1", "kind": "Report",
            "metadata": { "namespace": "default", "name": "openmcp-dns" },
            "results": [{ "policy": "landscape", "result": "fail", "message": "no", "resources": [{ "kind": "HTTPRoute", "name": "shop" }] }],
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": { "name": "openmcp-dns-agent" },
            "rules": [],
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": { "name": "openmcp-dns-agent" },
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "openmcp-dns-agent" },
        }),
    ] {
        apply(client, &object).await?;
    }
    Ok(())
}

fn in_bash(folder: &Path, text: &str) -> anyhow::Result<Output> {
    let programs = [Provided::Kubectl.path()?, Provided::Helm.path()?];
    let folders =
        programs.iter().filter_map(|program| program.parent()).map(|folder| folder.display().to_string());
    let path: Vec<String> = folders.chain(std::env::var("PATH")).collect();
    // The page says what the program makes of it elsewhere.
    let text = format!("openmcp-dns() {{ cat /dev/null; }}; set -o pipefail; {text}");
    let output = Command::new("bash")
        .args(["--norc", "-c", &text])
        .current_dir(folder)
        .env("PATH", path.join(":"))
        .env("HOME", folder)
        .env("KUBECONFIG", folder.join("kubeconfig"))
        .output()?;
    Ok(output)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_printed_line_for_kubectl_and_helm_is_taken() -> anyhow::Result<()> {
    for program in [Provided::Kubectl, Provided::Helm] {
        if let Err(error) = program.path() {
            eprintln!("what pages print for it is not tested: {error:#}");
            return Ok(());
        }
    }
    let servers = tempfile::tempdir()?;
    let server = ApiServer::start("platform", "10.113.0.0/16", servers.path(), servers.path()).await?;
    let folder = folder(&server)?;
    give(&server.client()).await?;

    let printed = printed();
    assert!(printed.len() > 25, "the lines of the pages are not found any more: {printed:#?}");
    let mut wrong = Vec::new();
    for Printed { command, page } in printed {
        let mut line = filled_in(&command);
        if PARSED_ONLY.iter().any(|word| line.contains(word)) {
            line = line.split(" -- ").next().unwrap().split('#').next().unwrap().to_owned() + " --help";
        }
        let output = in_bash(folder.path(), &line)?;
        if !output.status.success() {
            wrong.push(format!("{page}: {command}: {}", String::from_utf8_lossy(&output.stderr)));
        }
    }
    if !wrong.is_empty() {
        bail!("{wrong:#?}");
    }
    Ok(())
}
