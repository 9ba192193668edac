//! docs/cli.md and the completions are made of the commands as they are.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

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
fn completions_know_the_commands_of_every_level() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = stdout(&["completions", shell]);
        for word in ["scaffold", "base-domain"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
}
