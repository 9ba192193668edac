//! docs/cli.md, the completions and crds/ are made of the program as it is.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

fn stdout(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_openmcp-dns")).args(arguments).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_reference_of_the_commands_is_up_to_date() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/cli.md");
    let written = std::fs::read_to_string(file).unwrap_or_default();
    assert!(
        written == stdout(&["docs-cli"]),
        "docs/cli.md is not up to date; run: cargo run -p openmcp-dns -- docs-cli > docs/cli.md"
    );
}

#[test]
fn the_custom_resource_definitions_are_what_the_types_say() {
    let made = tempfile::tempdir().unwrap();
    stdout(&["crds", "--out", made.path().to_str().unwrap()]);
    let committed = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../crds"));
    let text_of = |folder: &Path| -> BTreeMap<OsString, String> {
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
        files.map(|file| (file.file_name(), std::fs::read_to_string(file.path()).unwrap())).collect()
    };
    let (made, committed) = (text_of(made.path()), text_of(committed));
    let other: Vec<&OsString> =
        made.keys().chain(committed.keys()).filter(|name| made.get(*name) != committed.get(*name)).collect();
    assert!(
        other.is_empty(),
        "{other:?} in crds/ is out of date; run: cargo run -p openmcp-dns -- crds --out crds"
    );
}

#[test]
fn completions_of_shells_that_no_test_loads_know_the_commands_of_every_level() {
    for shell in ["elvish", "powershell"] {
        let script = stdout(&["completions", shell]);
        for word in ["scaffold", "base-domain"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
}
