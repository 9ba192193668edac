//! `policy run`: one whole decision.

use std::path::{Path, PathBuf};

use crate::{DENY_PREFIX, policy, policy_with_cache};

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
    let report = done.document("policy-run");
    assert_eq!(report["domain"], "blue.example.org");
    assert_eq!(report["decisions"][0]["records"][0]["ttlSeconds"], 30);
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
fn run_asks_the_guards_of_the_policy_and_names_the_one_that_denies() {
    let folder = tempfile::tempdir().unwrap();
    let guard = concat!(env!("CARGO_MANIFEST_DIR"), "/../../policies/deny-prefix/deny-prefix.wasm");
    std::fs::copy(guard, folder.path().join("guard.wasm")).unwrap();
    let file = folder.path().join("policy.yaml");
    let write = |guard: &str| {
        let text = format!(
            "apiVersion: dns.openmcp.cloud/v1alpha1\nkind: DNSPolicy\nmetadata: {{name: p}}\nspec:\n  \
             baseDomain: openmcp.cluster\n  guards: [{{name: no-deny, {guard}}}]\n"
        );
        std::fs::write(&file, text).unwrap();
        let policy_file = file.to_str().unwrap();
        policy(&[
            "run",
            "standard",
            "--host",
            "deny-a.{domain}",
            "--target",
            "10.0.0.1",
            "--policy",
            policy_file,
        ])
    };
    let done = write("module: {file: {path: guard.wasm}}");
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.stdout.contains("denied by the module: prefix-denied"), "{done:?}");
    assert!(done.stdout.contains("message   guard no-deny: "), "{done:?}");
    let done = write("module: {builtIn: standard}");
    assert_eq!(done.code, 0, "{done:?}");
    write("module: {file: {path: guard.wasm}}, configuration: {unknown: 1}").gave_up_because("guard no-deny");
    write("module: {oci: {reference: \"r/g:1\"}, sha256: a}")
        .gave_up_because("is a module that is somewhere else");
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

/// The files in a cache that hold a compiled module.
fn compiled(cache: &Path) -> Vec<PathBuf> {
    let folder = cache.join("openmcp-dns/modules/modules");
    let versions = std::fs::read_dir(folder).into_iter().flatten();
    let files = versions.flat_map(|version| std::fs::read_dir(version.unwrap().path()).unwrap());
    files.map(|file| file.unwrap().path()).filter(|file| file.extension().is_none()).collect()
}

#[test]
fn a_module_is_compiled_once_for_all_commands() {
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path();
    let run = ["run", DENY_PREFIX, "--host", "a.{domain}", "--target", "10.0.0.1"];
    assert_eq!(policy_with_cache(cache, &run).code, 0);
    let [file] = &compiled(cache)[..] else { panic!("one module is kept: {:?}", compiled(cache)) };
    let written = || std::fs::metadata(file).unwrap().modified().unwrap();
    let first = written();
    for again in [&run[..], &["inspect", DENY_PREFIX], &["test", DENY_PREFIX]] {
        let done = policy_with_cache(cache, again);
        assert_eq!(done.code, 0, "{done:?}");
    }
    assert_eq!((compiled(cache).len(), written()), (1, first), "it was written once");
}

#[cfg(unix)]
#[test]
fn where_others_could_write_every_command_compiles_and_says_nothing() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path();
    std::fs::set_permissions(cache, std::fs::Permissions::from_mode(0o777)).unwrap();
    let run = ["run", DENY_PREFIX, "--host", "a.{domain}", "--target", "10.0.0.1"];
    let done = policy_with_cache(cache, &run);
    assert_eq!((done.code, &*done.stderr), (0, ""), "{done:?}");
    assert!(compiled(cache).is_empty());
}
