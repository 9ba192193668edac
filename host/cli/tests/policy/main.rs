//! `openmcp-dns policy` as authors run it: what each command says, and how it ends.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod build;
mod diff;
mod inspect;
mod run;
mod scaffold;
#[path = "../support/mod.rs"]
mod support;
mod vectors;

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
    /// What it has printed, as `openmcp-dns schema OUTPUT` says.
    fn document(&self, output: &str) -> Value {
        support::document(output, &self.stdout)
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
    policy_with_cache(Path::new(env!("CARGO_TARGET_TMPDIR")), arguments)
}

/// The same for a user with this cache.
fn policy_with_cache(cache: &Path, arguments: &[&str]) -> Done {
    let mut command = Command::new(env!("CARGO_BIN_EXE_openmcp-dns"));
    command.arg("policy").args(arguments).current_dir(ROOT).env_remove("RUST_LOG");
    let output = command.env("XDG_CACHE_HOME", cache).output().unwrap();
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
fn bench_measures_each_question_and_all_cores() {
    let done = policy(&["bench", "standard", "--decisions", "50", "--output", "json"]);
    assert_eq!(done.code, 0, "{done:?}");
    let report = done.document("policy-bench");
    assert_eq!(report["freshInstancePerQuestion"], true);
    assert_eq!(report["questions"].as_array().unwrap().len(), 3);
    assert_eq!(report["decisions"], 50);
    assert!(report["decisionsPerSecond"].as_f64().unwrap() > 0.0);
    let done = policy(&["bench", DENY_PREFIX, "--seconds", "0.1"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(
        done.stdout.contains("fresh instance") && done.stdout.contains("decisions per second"),
        "{done:?}"
    );
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
