//! `policy build`: guests in every language, as they are scaffolded; skipped where their tools cannot be had.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{policy, text};

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
    let report = policy(&["inspect", text(&module), "--output", "json"]).document("policy-inspect");
    assert_eq!(report["name"], "scaffolded");
    assert_eq!(report["admitted"], true);
    assert_eq!(report["raisedLimits"].as_array().unwrap().len(), 0);
    let done = policy(&["run", text(&module), "--host", "deny-a.{domain}", "--target", "10.0.0.1"]);
    assert_eq!(done.code, 1, "{done:?}");
}

#[test]
fn a_scaffolded_guest_in_c_builds_and_passes_its_vectors() {
    let Some((_folder, module)) = scaffolded("c") else { return };
    let report = policy(&["inspect", text(&module), "--output", "json"]).document("policy-inspect");
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
