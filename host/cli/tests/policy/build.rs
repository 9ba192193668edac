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
    let (folder, guest) = guest(language);
    if !built(language, &guest, &[]) {
        return None;
    }
    let module = guest.join("guest.wasm");
    let done = policy(&["test", text(&module)]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.stdout.ends_with(" passed, 0 failed\n"), "{done:?}");
    Some((folder, module))
}

/// A scaffolded guest, and the folder that it lies in.
fn guest(language: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let guest = folder.path().join("guest");
    let done = policy(&["scaffold", text(&guest), "--language", language, "--name", "scaffolded"]);
    assert_eq!(done.code, 0, "{done:?}");
    (folder, guest)
}

/// Builds a guest with these options; not, with a line that says why, where its tools cannot be had.
fn built(language: &str, guest: &Path, options: &[&str]) -> bool {
    // What was compiled and fetched for the last run is kept: it takes a minute or two. Two builds at once have
    // different ones.
    let kept = format!("guest-target-{language}{}", options.concat());
    let (kept, target) = (Path::new(env!("CARGO_TARGET_TMPDIR")).join(kept), guest.join("target"));
    // There is none before the first run.
    let _ = std::fs::rename(&kept, &target);
    let done = policy(&[&["build", text(guest)], options].concat());
    // None before the first run, or where the build could not begin.
    let _ = std::fs::rename(&target, &kept);
    let no_tools =
        ["no Rust toolchain for wasm32", "which was not found", "and it needs its package registry"];
    if done.code == 2 && no_tools.iter().any(|why| done.stderr.contains(why)) {
        eprintln!("skipped the build of a scaffolded guest in {language}: {}", done.stderr);
        return false;
    }
    assert_eq!(done.code, 0, "{done:?}");
    true
}

/// Scaffolds a guest, puts a bug into its verdict, builds it for debugging, and runs it for a name that meets the
/// bug. Gives what was shown; `None` where its tools cannot be had.
fn debugged(language: &str, source: &str, verdict: &str, bug: &str) -> Option<String> {
    let (_folder, guest) = guest(language);
    let file = guest.join(source);
    let code = std::fs::read_to_string(&file).unwrap();
    assert_eq!(code.matches(verdict).count(), 1, "{verdict}");
    std::fs::write(&file, code.replace(verdict, &format!("{bug}\n{verdict}"))).unwrap();
    if !built(language, &guest, &["--debug"]) {
        return None;
    }
    let module = guest.join("guest.debug.wasm");
    assert!(!guest.join("guest.wasm").exists(), "what is pushed is another file");
    let run = ["run", text(&module), "--host", "bug.{domain}", "--target", "10.0.0.1"];
    policy(&run).gave_up_because("the module imports openmcp:dns-policy-debug/output@0.1.0");
    let done = policy(&[&run[..], &["--debug"]].concat());
    assert_eq!(done.code, 2, "{done:?}");
    assert!(done.stdout.contains("verdict   undecided: "), "{done:?}");
    // No vector meets the bug, and then one does.
    let test = ["test", text(&module), "--debug"];
    assert_eq!(policy(&test).code, 0);
    let vector = "vectors: [{name: met, claim: {hostName: \"bug.{domain}\"}, expect: {records: []}}]";
    std::fs::write(guest.join("vectors/bug.yaml"), vector).unwrap();
    let failed = policy(&test);
    assert_eq!(failed.code, 1, "{failed:?}");
    assert!(failed.stdout.contains("\n      validate-hostname trapped in\n        "), "{failed:?}");
    Some(done.stderr)
}

#[test]
fn a_panic_of_a_guest_in_rust_is_shown_with_its_text_its_line_and_the_functions_that_led_to_it() {
    let verdict = "        let Configuration { prefixes, .. } =";
    let bug = "debug::debug!(\"asked\"); assert!(!claim.host_name.starts_with(\"bug\"), \"met {}\", claim.host_name);";
    let Some(shown) = debugged("rust", "src/lib.rs", verdict, bug) else { return };
    for part in [
        "validate-hostname printed\n  asked\n  panicked at src/lib.rs:",
        "\n  met bug.workload01.openmcp.cluster\n",
        "\nvalidate-hostname trapped in\n",
        "\n  validate_hostname at ",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

#[test]
fn a_trap_of_a_guest_in_c_is_shown_with_what_it_printed_and_the_functions_and_lines_that_led_to_it() {
    let verdict = "  // The operator granted this very name to this cluster; whose";
    let bug = "if (starts_with(claim->host_name, of(\"bug\"))) { DEBUG(JOIN(of(\"met \"), claim->host_name)); __builtin_trap(); }";
    let Some(shown) = debugged("c", "src/decisions.c", verdict, bug) else { return };
    for part in [
        "validate-hostname printed\n  met bug.workload01.openmcp.cluster\nvalidate-hostname trapped in\n",
        "policy_validate_hostname at ",
        "/src/decisions.c:",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

#[test]
fn a_guest_with_a_language_runtime_has_no_debug_build() {
    let (_folder, guest) = guest("python");
    policy(&["build", text(&guest), "--debug"]).gave_up_because("a guest in Python has no debug build");
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
