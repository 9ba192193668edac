//! Cases with known answers, with their objects on a real API server: what it makes of them, what is listed there, and
//! what is resolved. The same cases without a server: `openmcp-dns conformance`.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeSet;
use std::path::PathBuf;

use kube::Client;
use openmcp_dns_core::kinds::Watched;
use openmcp_dns_kit::conformance::{Case, Outcome, Report, SourceCase, read};
use openmcp_dns_service::observe;
use openmcp_dns_tests::api_server::ApiServer;
use openmcp_dns_tests::kinds::{Reference, apply, apply_crds};
use openmcp_dns_tests::landscape::manifests_of;
use openmcp_dns_tests::manifests::namespace;
use openmcp_dns_tests::programs::{Provided, repository};
use serde_json::{Value, json};

/// Our own cases, and those of external-dns where they are.
fn cases() -> Vec<Case> {
    let mut cases = read(&repository("host/kit/tests/conformance")).unwrap();
    match std::env::var_os("OPENMCP_DNS_CONFORMANCE") {
        Some(folder) => {
            let folder: PathBuf = repository("").join(folder).join("external-dns");
            cases.extend(read(&folder).unwrap());
        }
        None => println!("skipped the cases of external-dns: OPENMCP_DNS_CONFORMANCE names no folder"),
    }
    cases
}

#[tokio::test(flavor = "multi_thread")]
async fn cases_come_out_on_an_api_server_as_they_do_without_one() {
    let folder = tempfile::tempdir().unwrap();
    let server = ApiServer::start("conformance", "10.96.0.0/16", folder.path(), folder.path()).await.unwrap();
    let client = server.client();
    apply_crds(&client, &manifests_of(Provided::GatewayApiExperimental).unwrap()).await.unwrap();
    let (mut report, mut other) = (Report::default(), Vec::new());
    for case in cases() {
        let Some(source) = case.source() else { continue };
        let expected = case.run();
        if matches!(expected, Outcome::Skipped(_)) {
            report.add(&case, expected);
            continue;
        }
        let listed = on_server(&client, source).await;
        clear(&client, source).await;
        let came = match listed {
            Ok(objects) => source.judge(objects),
            Err(why) => Outcome::Skipped(why),
        };
        if came != expected {
            other.push(format!("{}: {came:?} instead of {expected:?}", case.id));
        }
        report.add(&case, came);
    }
    println!("{:?}", report.total);
    assert!(other.is_empty(), "{other:#?}");
    assert!(report.total.passed > 0, "{report:?}");
}

/// Creates the objects of a case with their status, and reads back all that is there. An API server takes no object in a
/// namespace that does not exist, so those that a case leaves out are there, without labels.
async fn on_server(client: &Client, case: &SourceCase) -> Result<Vec<Watched>, String> {
    let namespaces = case.input.iter().map(|object| Reference::of(object).namespace);
    let created = case.input.iter().filter(|object| object["kind"] == "Namespace");
    let created: BTreeSet<&str> = created.map(|object| Reference::of(object).name).collect();
    let missing: BTreeSet<&str> =
        namespaces.filter(|name| !name.is_empty() && !created.contains(name)).collect();
    for name in missing {
        apply(client, &namespace(name)).await.unwrap();
    }
    for object in &case.input {
        for object in writes(object) {
            apply(client, &object).await.map_err(|error| format!("{error:#}"))?;
            if let Some(status) = object.get("status") {
                let written = Reference::of(&object).merge_status(client, status).await;
                written.map_err(|error| format!("{error:#}"))?;
            }
        }
    }
    observe::list(client).await.map_err(|error| openmcp_dns_core::chain(&error))
}

/// Takes away what the case has created; namespaces stay, since nobody here would finish their deletion.
async fn clear(client: &Client, case: &SourceCase) {
    for object in case.input.iter().filter(|object| object["kind"] != "Namespace") {
        let reference = Reference::of(object);
        if reference.get(client).await.unwrap().is_some() {
            reference.delete(client).await.unwrap();
        }
    }
}

/// What is written to bring an object about, with what an API server asks for and nobody resolves.
fn writes(object: &Value) -> Vec<Value> {
    let mut object = object.clone();
    if object["kind"] == "Gateway" || object["kind"] == "ListenerSet" {
        let listeners = object["spec"]["listeners"].as_array_mut().into_iter().flatten();
        for listener in listeners.filter(|listener| listener["protocol"] == "TLS") {
            listener["tls"] = json!({ "mode": "Passthrough" });
        }
    }
    // Host names must be in the newest version only, which is the one that is read.
    if object["kind"] == "TLSRoute" && object["spec"]["hostnames"].is_null() {
        object["apiVersion"] = "gateway.networking.k8s.io/v1alpha2".into();
    }
    if object["kind"] != "Ingress" {
        return vec![object];
    }
    if object["spec"].is_null() {
        object["spec"] = json!({});
    }
    object["spec"]["defaultBackend"] = json!({ "service": { "name": "any", "port": { "number": 80 } } });
    // The older way to name a class is let in beside the newer one, but not from the first.
    let mut first = object.clone();
    if let Some(annotations) = first["metadata"]["annotations"].as_object_mut() {
        annotations.remove("kubernetes.io/ingress.class");
    }
    if first == object { vec![object] } else { vec![first, object] }
}
