//! `openmcp-dns policy` as authors run it: what each command says, and how it ends.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// A command that has ended.
#[derive(Debug)]
struct Done {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Done {
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// It ended with 2, and said why and what to do, and nothing on stdout.
    #[track_caller]
    fn gave_up_because(&self, why: &str) {
        assert_eq!(self.code, 2, "{self:?}");
        assert_eq!(self.stdout, "", "{self:?}");
        assert!(self.stderr.contains(why), "{why}: {self:?}");
        assert!(self.stderr.contains("\nhint: "), "{self:?}");
        assert!(!self.stderr.contains("panicked"), "{self:?}");
    }
}

/// Runs `openmcp-dns policy` in the repository, so that paths are those that people type.
fn policy(arguments: &[&str]) -> Done {
    let mut command = Command::new(env!("CARGO_BIN_EXE_openmcp-dns"));
    let output =
        command.arg("policy").args(arguments).current_dir(ROOT).env_remove("RUST_LOG").output().unwrap();
    Done {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

const DENY_PREFIX: &str = "policies/deny-prefix/deny-prefix.wasm";

/// A folder with files that are no modules, each with the reason for which it is refused.
fn bad_modules() -> (tempfile::TempDir, Vec<(PathBuf, &'static str)>) {
    let folder = tempfile::tempdir().unwrap();
    let standard = std::fs::read(Path::new(ROOT).join("policies/standard/standard.wasm")).unwrap();
    let wasi = wat::parse_str("(component (import \"wasi:cli/environment@0.2.0\" (instance)))").unwrap();
    let other = wat::parse_str("(component)").unwrap();
    let bad: [(&str, &[u8], &str); 7] = [
        ("empty.wasm", b"", "an empty file"),
        ("text.wasm", b"(component)", "this is text"),
        ("core.wasm", b"\0asm\x01\0\0\0", "a core WebAssembly module"),
        ("compiled.cwasm", b"\x7fELF\x02\x01\x01", "compiled machine code (.cwasm)"),
        ("wasi.wasm", &wasi, "imports wasi:cli/environment@0.2.0"),
        ("other.wasm", &other, "it must export openmcp:dns-policy/policy@0.1.0"),
        ("cut.wasm", &standard[..standard.len() / 2], "damaged"),
    ];
    let files = bad.map(|(name, bytes, why)| {
        let file = folder.path().join(name);
        std::fs::write(&file, bytes).unwrap();
        (file, why)
    });
    (folder, files.into())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn inspect_says_what_a_module_is_and_what_it_was_built_from() {
    let done = policy(&["inspect", "standard", "--output", "json"]);
    assert_eq!(done.code, 0, "{done:?}");
    let report = done.json();
    assert_eq!(report["name"], "standard");
    assert_eq!(report["contract_versions"][0], "0.1.0");
    assert_eq!(report["imports"].as_array().unwrap().len(), 0);
    assert_eq!(report["admitted"], true);
    assert_eq!(report["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(report["annotations"]["openmcp:source-sha256"].as_str().unwrap().len(), 64);
    let done = policy(&["inspect", DENY_PREFIX]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.stdout.contains("\nadmitted      yes\n"), "{done:?}");
}

#[test]
fn inspect_names_the_reason_of_a_refusal_and_the_next_step() {
    let (_folder, bad) = bad_modules();
    for (file, why) in bad {
        let done = policy(&["inspect", text(&file)]);
        assert_eq!(done.code, 1, "{done:?}");
        assert!(done.stdout.contains("\nadmitted      no, "), "{done:?}");
        assert!(done.stdout.contains(why) && done.stdout.contains("\nnext step "), "{why}: {done:?}");
        let report = policy(&["inspect", text(&file), "--output", "json"]).json();
        assert_eq!(report["admitted"], false);
        assert!(report["message"].as_str().unwrap().contains(why), "{report}");
    }
    let done = policy(&["inspect", DENY_PREFIX, "--config", "{\"prefix\": \"a\"}"]);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.stdout.contains("ConfigurationRefused"), "{done:?}");
}

#[test]
fn what_is_no_module_ends_every_command_with_a_hint() {
    let (_folder, bad) = bad_modules();
    for (file, why) in &bad {
        policy(&["test", text(file)]).gave_up_because(why);
    }
    let (file, why) = &bad[4];
    policy(&["run", text(file), "--host", "a", "--target", "10.0.0.1"]).gave_up_because(why);
    policy(&["bench", text(file)]).gave_up_because(why);
    policy(&["diff", "standard", text(file), "examples/landscape"]).gave_up_because(why);
    let missing = "/does/not/exist.wasm";
    for arguments in [
        &["inspect", missing][..],
        &["test", missing],
        &["run", missing, "--host", "a", "--target", "10.0.0.1"],
        &["bench", missing],
        &["diff", "standard", missing, "examples/landscape"],
    ] {
        policy(arguments).gave_up_because("failed to read the module /does/not/exist.wasm");
    }
    policy(&["inspect", "policies/standard"]).gave_up_because("is a folder, not a module");
}

#[test]
fn a_configuration_that_cannot_be_used_ends_every_command_with_a_hint() {
    for (config, why) in [
        ("{", "no JSON"),
        ("[1]", "no JSON object"),
        ("/does/not/exist.yaml", "failed to read the configuration"),
        ("{\"unknown\": 1}", "there is no such field"),
    ] {
        policy(&["run", "standard", "--host", "a", "--target", "10.0.0.1", "--config", config])
            .gave_up_because(why);
        policy(&["bench", "standard", "--config", config]).gave_up_because(why);
        policy(&["diff", "standard", "standard", "examples/landscape", "--config", config])
            .gave_up_because(why);
        if why != "there is no such field" {
            policy(&["test", "standard", "--config", config]).gave_up_because(why);
            policy(&["inspect", "standard", "--config", config]).gave_up_because(why);
        }
    }
}

#[test]
fn run_allows_a_name_and_says_what_is_recorded_and_what_it_cost() {
    let done = policy(&[
        "run",
        "standard",
        "--host",
        "shop.{domain}",
        "--target",
        "10.0.0.1",
        "--target",
        "fd00::1",
    ]);
    assert_eq!(done.code, 0, "{done:?}");
    for part in
        ["domain    workload01.openmcp.cluster", "verdict   allowed", "60 AAAA fd00::1", "name-records"]
    {
        assert!(done.stdout.contains(part), "{part}: {done:?}");
    }
    let done = policy(&[
        "run",
        "standard",
        "--host",
        "shop.{domain}",
        "--target",
        "10.0.0.1",
        "--base-domain",
        "example.org",
        "--cluster",
        "blue",
        "--config",
        "{\"ttlSeconds\": 30}",
        "--output",
        "json",
    ]);
    assert_eq!(done.code, 0, "{done:?}");
    let report = done.json();
    assert_eq!(report["domain"], "blue.example.org");
    assert_eq!(report["decisions"][0]["records"][0]["ttl_seconds"], 30);
    assert_eq!(report["questions"].as_array().unwrap().len(), 3);
    assert!(report["questions"][0]["fuel"].as_u64().unwrap() > 0);
}

#[test]
fn run_says_who_denied_a_name() {
    let done = policy(&["run", DENY_PREFIX, "--host", "deny-a.{domain}", "--target", "10.0.0.1"]);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.stdout.contains("denied by the module: prefix-denied"), "{done:?}");
    let done = policy(&["run", DENY_PREFIX, "--host", "a.example.com", "--target", "10.0.0.1"]);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.stdout.contains("denied by the host: outside-domain"), "{done:?}");
    let done = policy(&["run", DENY_PREFIX, "--host", "a.{domain}", "--target", "127.0.0.1"]);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.stdout.contains("unreachable-target"), "{done:?}");
}

#[test]
fn run_ends_with_2_when_the_module_does_not_decide() {
    let done =
        policy(&["run", "standard", "--host", "a.{domain}", "--target", "10.0.0.1", "--cluster", "a.b"]);
    assert_eq!(done.code, 2, "{done:?}");
    assert!(done.stdout.contains("domain    none: ") && done.stdout.contains("contains a dot"), "{done:?}");
}

#[test]
fn run_takes_objects_and_claims_and_policies_from_files() {
    let done = policy(&["run", "standard", "--object", "examples/landscape/workload01/example.yaml"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.stdout.contains("-> 172.18.201.1 (HTTPRoute/default/example-route)"), "{done:?}");

    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let route = "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: r}\n\
                 spec: {hostnames: [a.w1.example.org], parentRefs: [{name: g}]}\n";
    std::fs::write(at("route.yaml"), route).unwrap();
    let policy_text = "apiVersion: dns.openmcp.cloud/v1alpha1\nkind: DNSPolicy\nmetadata: {name: p}\nspec:\n  \
                       baseDomain: example.org\n  module: {builtIn: standard}\n  configuration: {ttlSeconds: 42}\n";
    std::fs::write(at("policy.yaml"), policy_text).unwrap();
    std::fs::write(at("claim.yaml"), "hostName: b.{domain}\nkind: Ingress\ntargets: [lb.example.com]\n")
        .unwrap();

    // A route in a repository has no status, and its Gateway is elsewhere.
    let common = ["--policy", &at("policy.yaml"), "--cluster", "w1"];
    let run = |subject: &[&str]| policy(&[&["run", "standard"], subject, &common].concat());
    run(&["--object", &at("route.yaml")]).gave_up_because("Gateway default/g does not exist");
    let done = run(&["--object", &at("route.yaml"), "--target", "10.0.0.9"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.stdout.contains("a.w1.example.org 42 A 10.0.0.9"), "{done:?}");
    let done = run(&["--claim", &at("claim.yaml")]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.stdout.contains("b.w1.example.org 42 CNAME lb.example.com"), "{done:?}");
    assert!(done.stdout.contains("(Ingress/default/shop)"), "{done:?}");

    std::fs::write(at("bad.yaml"), "hostname: b\n").unwrap();
    run(&["--claim", &at("bad.yaml")]).gave_up_because("hostname");
    run(&["--claim", &at("missing.yaml")]).gave_up_because("failed to read the claim");
    run(&["--object", &at("policy.yaml")]).gave_up_because("holds no HTTPRoute or Ingress");
    policy(&["run", "standard", "--host", "a", "--target", "10.0.0.1", "--policy", &at("route.yaml")])
        .gave_up_because("holds no DNSPolicy");
    let done = policy(&["run", "standard"]);
    assert_eq!(done.code, 2, "{done:?}");
    assert!(done.stderr.contains("--host"), "{done:?}");
}

#[test]
fn test_passes_the_modules_of_this_repository() {
    let done = policy(&["test", "standard", "policies/standard/vectors"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.stdout.ends_with(" passed, 0 failed\n"), "{done:?}");
    // The folder beside the module is found.
    let done = policy(&["test", DENY_PREFIX, "--verbose"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.stdout.contains("ok    policies/deny-prefix/vectors/decisions.yaml: "), "{done:?}");
    assert!(done.stdout.contains("ok    contract: "), "{done:?}");
}

#[test]
fn test_shows_what_was_expected_beside_what_was_answered() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.yaml");
    let vectors = "vectors:\n\
        - name: other records\n  claim: {hostName: \"a.{domain}\"}\n  expect: {records: [a.workload01.openmcp.cluster 61 A 10.0.0.1]}\n\
        - name: another domain\n  expect: {domain: w1.openmcp.cluster}\n\
        - name: one that holds\n";
    std::fs::write(&file, vectors).unwrap();
    let done = policy(&["test", "standard", text(&file)]);
    assert_eq!(done.code, 1, "{done:?}");
    for part in [
        "      - a.workload01.openmcp.cluster 61 A 10.0.0.1\n      + a.workload01.openmcp.cluster 60 A 10.0.0.1\n",
        "      expected domain w1.openmcp.cluster\n      got      domain workload01.openmcp.cluster\n",
        " passed, 2 failed\n",
    ] {
        assert!(done.stdout.contains(part), "{part}: {}", done.stdout);
    }
    let done = policy(&["test", "standard", text(&file), "--output", "json"]);
    assert_eq!(done.code, 1, "{done:?}");
    assert_eq!(done.json()["failed"], 2);
}

#[test]
fn vectors_that_cannot_be_read_are_named() {
    let folder = tempfile::tempdir().unwrap();
    policy(&["test", "standard", text(folder.path())]).gave_up_because("there are no vectors in");
    let file = folder.path().join("bad.yaml");
    for (content, why) in [
        ("vectors: [", "bad.yaml"),
        ("vectors: []", "there are no vectors"),
        ("vectors: [{name: a, expects: {}}]", "expects"),
    ] {
        std::fs::write(&file, content).unwrap();
        policy(&["test", "standard", text(folder.path())]).gave_up_because(why);
    }
    policy(&["test", "standard", "/does/not/exist"]).gave_up_because("failed to read the vectors");
}

#[test]
fn bench_measures_each_question_and_all_cores() {
    let done = policy(&["bench", "standard", "--decisions", "50", "--output", "json"]);
    assert_eq!(done.code, 0, "{done:?}");
    let report = done.json();
    assert_eq!(report["fresh_instance_per_question"], true);
    assert_eq!(report["questions"].as_array().unwrap().len(), 3);
    assert_eq!(report["decisions"], 50);
    assert!(report["decisions_per_second"].as_f64().unwrap() > 0.0);
    let done = policy(&["bench", DENY_PREFIX, "--seconds", "0.1"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(
        done.stdout.contains("fresh instance") && done.stdout.contains("decisions per second"),
        "{done:?}"
    );
}

#[test]
fn diff_shows_which_names_and_domains_another_module_or_configuration_changes() {
    let landscape = "examples/landscape";
    let done = policy(&["diff", "standard", "standard", landscape]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.stdout.contains(" decided the same; 3 clusters, 0 with another domain"), "{done:?}");

    let done = policy(&["diff", "standard", "standard", landscape, "--config", "{\"ttlSeconds\": 30}"]);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.stdout.contains(" 30 A ") && done.stdout.contains("other records"), "{done:?}");
    let same = ["--config", "{\"ttlSeconds\": 30}", "--old-config", "{\"ttlSeconds\": 30}"];
    let done = policy(&[&["diff", "standard", "standard", landscape], &same[..]].concat());
    assert_eq!(done.code, 0, "{done:?}");

    let config = "{\"domainTemplate\": \"{cluster}.{namespace}.{base}\"}";
    let done = policy(&["diff", "standard", "standard", landscape, "--config", config, "--output", "json"]);
    assert_eq!(done.code, 1, "{done:?}");
    let report = done.json();
    assert_eq!(report["domains"].as_array().unwrap().len(), 3);
    assert_eq!(report["domains"][0]["new"], "platform.openmcp-system.openmcp.cluster");
    assert!(report["counts"]["newly denied"].as_u64().unwrap() > 0, "{report}");
    // The other way round the same names are newly allowed.
    let back =
        policy(&["diff", "standard", "standard", landscape, "--old-config", config, "--output", "json"])
            .json();
    assert_eq!(back["counts"]["newly allowed"], report["counts"]["newly denied"]);

    // One domain for all: it belongs to the oldest cluster, and the others get none.
    let shared = "{\"domainTemplate\": \"{base}\"}";
    let done = policy(&["diff", "standard", "standard", landscape, "--config", shared]);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.stdout.contains("+ none: openmcp.cluster overlaps with openmcp.cluster"), "{done:?}");
}

#[test]
fn diff_compares_nothing_when_a_part_of_the_landscape_cannot_be_read() {
    policy(&["diff", "standard", "standard", "/does/not/exist"])
        .gave_up_because("failed to read the landscape");
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("platform")).unwrap();
    policy(&["diff", "standard", "standard", text(folder.path())]).gave_up_because("there is no Cluster");
    std::fs::write(folder.path().join("platform/a.yaml"), "kind: [").unwrap();
    policy(&["diff", "standard", "standard", text(folder.path())]).gave_up_because("a.yaml:1");
}

#[test]
fn the_environment_says_the_limits_as_it_does_for_the_service() {
    let inspect = |bytes: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_openmcp-dns"));
        command.args(["policy", "inspect", "standard"]).env("OPENMCP_DNS_POLICY_MODULE_BYTES", bytes);
        let output = command.env_remove("RUST_LOG").output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout) + &text(output.stderr))
    };
    let (code, text) = inspect("2048");
    assert!(
        code == Some(0) && text.contains("limit 2048") && text.contains("yes, with raised limits"),
        "{text}"
    );
    assert!(text.contains("--policy-module-bytes "), "{text}");
    let (code, text) = inspect("0");
    assert!(code == Some(2) && text.contains("1024..") && text.contains("\nhint: "), "{text}");
}

#[test]
fn diff_takes_the_active_module_from_a_running_landscape_only() {
    policy(&["diff", "active", "standard", "examples/landscape"]).gave_up_because("--kubeconfig");
    for (further, expected) in [
        (&[][..], "<FOLDER>"),
        (&["examples/landscape", "--kubeconfig", "platform.yaml"], "cannot be used with"),
        (&["examples/landscape", "--policy", "landscape"], "cannot be used with"),
    ] {
        let done = policy(&[&["diff", "standard", "standard"], further].concat());
        assert!(done.code == 2 && done.stderr.contains(expected), "{done:?}");
    }
}

#[test]
fn scaffold_refuses_to_overwrite_and_names_that_cannot_be() {
    let folder = tempfile::tempdir().unwrap();
    let guest = folder.path().join("my-policy");
    let done = policy(&["scaffold", text(&guest), "--language", "rust"]);
    assert_eq!(done.code, 0, "{done:?}");
    let readme = std::fs::read_to_string(guest.join("README.md")).unwrap();
    assert!(readme.starts_with("# my-policy\n") && readme.contains("my-policy.wasm"), "{readme}");
    policy(&["scaffold", text(&guest), "--language", "rust"]).gave_up_because("nothing is overwritten");
    let other = folder.path().join("Other Policy");
    policy(&["scaffold", text(&other), "--language", "rust"]).gave_up_because("is no name for a module");
    assert!(!other.exists());
}

#[test]
fn build_names_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    policy(&["build", text(folder.path())]).gave_up_because("is no guest");
    let guest = folder.path().join("guest");
    policy(&["scaffold", text(&guest), "--language", "rust"]);
    // Nothing in this path can compile; what Debian installs lies at a fixed place.
    if !Path::new("/usr/bin/rustc").exists() {
        let mut command = Command::new(env!("CARGO_BIN_EXE_openmcp-dns"));
        let output =
            command.args(["policy", "build", text(&guest)]).env("PATH", "/nowhere").output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains("rustup target add") && stderr.contains("apt-get install"), "{stderr}");
    }
    for (language, missing, packages) in [
        ("c", "clang 15 or newer", "clang-22 lld-22"),
        ("javascript", "Node.js", "nodejs npm"),
        ("python", "Python", "python3 python3-pip"),
    ] {
        let guest = folder.path().join(language);
        policy(&["scaffold", text(&guest), "--language", language]);
        let mut command = Command::new(env!("CARGO_BIN_EXE_openmcp-dns"));
        let output =
            command.args(["policy", "build", text(&guest)]).env("PATH", "/nowhere").output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(missing) && stderr.contains(packages), "{language}: {stderr}");
        assert!(stderr.contains("\nhint: "), "{stderr}");
    }
}

/// Scaffolds a guest, builds it and asks it its vectors. Gives the module in its folder; `None`, with a
/// line that says why, where its tools cannot be had.
fn scaffolded(language: &str) -> Option<(tempfile::TempDir, PathBuf)> {
    // What was compiled and fetched for the last run is kept: it takes a minute or two.
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let folder = tempfile::tempdir_in(cache).unwrap();
    let guest = folder.path().join("guest");
    let done = policy(&["scaffold", text(&guest), "--language", language, "--name", "scaffolded"]);
    assert_eq!(done.code, 0, "{done:?}");
    let (kept, target) = (cache.join(format!("guest-target-{language}")), guest.join("target"));
    // There is none before the first run.
    let _ = std::fs::rename(&kept, &target);
    let done = policy(&["build", text(&guest)]);
    // None before the first run, or where the build could not begin.
    let _ = std::fs::rename(&target, &kept);
    let no_tools =
        ["no Rust toolchain for wasm32", "which was not found", "and it needs its package registry"];
    if done.code == 2 && no_tools.iter().any(|why| done.stderr.contains(why)) {
        eprintln!("skipped the build of a scaffolded guest in {language}: {}", done.stderr);
        return None;
    }
    assert_eq!(done.code, 0, "{done:?}");
    let module = guest.join("guest.wasm");
    let done = policy(&["test", text(&module)]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.stdout.ends_with(" passed, 0 failed\n"), "{done:?}");
    Some((folder, module))
}

#[test]
fn a_scaffolded_guest_in_rust_builds_and_passes_its_vectors() {
    let Some((_folder, module)) = scaffolded("rust") else { return };
    let report = policy(&["inspect", text(&module), "--output", "json"]).json();
    assert_eq!(report["name"], "scaffolded");
    assert_eq!(report["admitted"], true);
    assert_eq!(report["raised_limits"].as_array().unwrap().len(), 0);
    let done = policy(&["run", text(&module), "--host", "deny-a.{domain}", "--target", "10.0.0.1"]);
    assert_eq!(done.code, 1, "{done:?}");
}

#[test]
fn a_scaffolded_guest_in_c_builds_and_passes_its_vectors() {
    let Some((_folder, module)) = scaffolded("c") else { return };
    let report = policy(&["inspect", text(&module), "--output", "json"]).json();
    assert_eq!(report["name"], "scaffolded");
    assert_eq!(report["admitted"], true);
    let done = policy(&["run", text(&module), "--host", "other.{domain}", "--target", "10.0.0.1"]);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.stdout.contains("denied by the module: not-of-this-namespace"), "{done:?}");
}

#[test]
fn a_scaffolded_guest_in_javascript_builds_and_inspect_names_the_limits_to_raise() {
    let Some((_folder, module)) = scaffolded("javascript") else { return };
    let done = policy(&["inspect", text(&module)]);
    assert_eq!(done.code, 0, "{done:?}");
    for part in [
        "\nname          scaffolded\n",
        "\nimports       none\n",
        "\nadmitted      yes, with raised limits\n",
        "openmcp-dns run needs at least --policy-module-bytes ",
        "--policy-compile-work ",
    ] {
        assert!(done.stdout.contains(part), "{part}: {done:?}");
    }
}

#[test]
fn a_scaffolded_guest_in_python_builds_and_refuses_a_pattern_that_is_none() {
    let Some((_folder, module)) = scaffolded("python") else { return };
    let config = "{\"rules\": [{\"pattern\": \"[\"}]}";
    policy(&["run", text(&module), "--host", "a.{domain}", "--target", "10.0.0.1", "--config", config])
        .gave_up_because("is no regular expression");
}
