//! Policy modules of the landscape: from everywhere, swapped while the demo runs, on trial and taken back.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use support::{Running, copy_of_the_example, ingress};

/// A name that the module deny-prefix denies, and the standard module does not.
const DENIED: &str = "deny-me.workload01.openmcp.cluster";

/// The module of a policy in this repository.
macro_rules! module {
    ($name:literal) => {
        concat!(env!("CARGO_MANIFEST_DIR"), "/../../policies/", $name, "/", $name, ".wasm")
    };
}
const STANDARD: &str = module!("standard");
const DENY_PREFIX: &str = module!("deny-prefix");

/// A landscape with a name that the one module publishes and the other denies.
fn landscape() -> tempfile::TempDir {
    let landscape = copy_of_the_example();
    fs::write(landscape.path().join("workload01/deny.yaml"), ingress(DENIED)).unwrap();
    landscape
}

/// Writes the policy: the fields of its spec beside the base domain.
fn write_policy(landscape: &Path, spec: &str) {
    let policy = format!(
        "apiVersion: dns.openmcp.cloud/v1alpha1\nkind: DNSPolicy\nmetadata: {{name: landscape}}\n\
         spec: {{baseDomain: openmcp.cluster, {spec}}}\n"
    );
    fs::write(landscape.join("platform/policy.yaml"), policy).unwrap();
}

fn output(command: &str, file: &str) -> String {
    let output = Command::new("sh").args(["-c", command, "sh", file]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn sha256(file: &str) -> String {
    output("sha256sum \"$1\" | cut -d' ' -f1", file)
}

/// Waits until this module decides, and the name has come or gone with it.
fn decides(demo: &mut Running, module: &str, how: &str) {
    demo.all(&[
        ("module", &|event| event["description"].as_str().unwrap().starts_with(module)),
        ("answered", &|event| event["name"] == DENIED && event["how"] == how),
    ]);
    let answer = if how == "added" { "172.18.201.77" } else { "NXDOMAIN" };
    assert_eq!(demo.ask(DENIED), [answer]);
}

#[test]
fn a_module_in_a_config_map_is_swapped_while_the_demo_runs() {
    let landscape = landscape();
    let write = |module: &str| {
        let data = output("base64 \"$1\" | tr -d '\\n'", module);
        let config_map = format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: policy, namespace: dns}}\n\
             binaryData: {{module.wasm: {data}}}\n"
        );
        fs::write(landscape.path().join("platform/module.yaml"), config_map).unwrap();
        let source = "configMap: {name: policy, namespace: dns}";
        write_policy(landscape.path(), &format!("module: {{{source}, sha256: {}}}", sha256(module)));
    };
    write(STANDARD);
    let mut demo = Running::start(landscape.path());
    assert_eq!(demo.ask(DENIED), ["172.18.201.77"]);
    write(DENY_PREFIX);
    decides(&mut demo, "deny-prefix", "removed");
    write(STANDARD);
    decides(&mut demo, "standard", "added");
    demo.end("-TERM");
}

#[test]
fn a_module_is_tried_taken_into_use_and_taken_back() {
    let landscape = landscape();
    fs::copy(DENY_PREFIX, landscape.path().join("next.wasm")).unwrap();
    let mut demo = Running::start(landscape.path());
    write_policy(landscape.path(), "module: {file: {path: next.wasm}}, mode: Monitor");
    let candidate = demo.event("candidate", |event| event["differing"] == 1);
    let difference = &candidate["differences"][0];
    assert_eq!((&difference["hostName"], &difference["change"]), (&DENIED.into(), &"newly denied".into()));
    assert_eq!(demo.ask(DENIED), ["172.18.201.77"]);

    write_policy(landscape.path(), "module: {file: {path: next.wasm}}, mode: Enforce");
    decides(&mut demo, "deny-prefix", "removed");

    write_policy(landscape.path(), "module: {file: {path: next.wasm}}, mode: Rollback");
    decides(&mut demo, "standard", "added");
    demo.end("-TERM");
}

#[test]
fn a_module_in_a_file_is_loaded_anew_when_the_file_changes() {
    let landscape = landscape();
    let file = landscape.path().join("policy.wasm");
    fs::copy(STANDARD, &file).unwrap();
    write_policy(landscape.path(), "module: {file: {path: policy.wasm}}");
    let mut demo = Running::start(landscape.path());
    // What is no module changes nothing.
    fs::write(&file, "nonsense").unwrap();
    let problem = demo.event("problem", |event| event["file"] == "platform/policy.yaml");
    assert!(problem["message"].as_str().unwrap().contains("goes on deciding"), "{problem}");
    assert_eq!(demo.ask(DENIED), ["172.18.201.77"]);
    fs::copy(DENY_PREFIX, &file).unwrap();
    decides(&mut demo, "deny-prefix", "removed");
    demo.end("-TERM");
}

#[test]
fn a_module_comes_from_a_web_server() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let module = fs::read(DENY_PREFIX).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
            while lines.next().is_some_and(|line| !line.is_empty()) {}
            let head =
                format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", module.len());
            // Whoever has gone away comes back.
            let _ = (&stream).write_all(&[head.as_bytes(), &module].concat());
        }
    });
    let landscape = landscape();
    let mut demo = Running::start_with(landscape.path(), &["--insecure-registry", &address.to_string()]);
    let source = format!("http: {{url: 'http://{address}/policy.wasm'}}");
    write_policy(landscape.path(), &format!("module: {{{source}, sha256: {}}}", sha256(DENY_PREFIX)));
    decides(&mut demo, "deny-prefix", "removed");
    demo.end("-TERM");
}

#[test]
fn a_module_that_is_given_decides_instead_of_that_of_the_landscape() {
    let landscape = landscape();
    let demo = Running::start_with(landscape.path(), &["--policy", DENY_PREFIX]);
    let module = &demo.started["policies"][0]["module"]["description"];
    assert!(module.as_str().unwrap().starts_with("deny-prefix"), "{module}");
    assert_eq!(demo.ask(DENIED), ["NXDOMAIN"]);
    demo.end("-TERM");
}
