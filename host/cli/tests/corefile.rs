//! `openmcp-dns corefile` on files.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use support::document;

const COREFILE: &str = "\
.:53 {
    errors
    rewrite name exact shop.openmcp.cluster shop.example
    kubernetes cluster.local
    forward . /etc/resolv.conf
}
";

/// The text of one file in an otherwise empty folder, and what a command says and leaves behind.
fn run(text: &str, arguments: &[&str]) -> (Output, String) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("Corefile"), text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_openmcp-dns"));
    command.arg("corefile").args(arguments).args(["--zone", "openmcp.cluster", "Corefile"]);
    let output = command.current_dir(&folder).env("NO_COLOR", "1").output().unwrap();
    (output, std::fs::read_to_string(folder.path().join("Corefile")).unwrap())
}

fn shown(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    format!("exit {}\n{}{}", output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

const TO: [&str; 2] = ["--to", "172.18.200.3"];

#[test]
fn what_is_added_can_be_removed_to_the_byte() {
    let (added, text) = run(COREFILE, &[&["add"], &TO[..]].concat());
    insta::assert_snapshot!("add", shown(&added));
    assert!(text.ends_with(COREFILE) && text.contains("forward . 172.18.200.3:53"), "{text}");
    let (again, unchanged) = run(&text, &[&["add"], &TO[..]].concat());
    assert!(shown(&again).contains("forwarded openmcp.cluster already"), "{}", shown(&again));
    assert_eq!(unchanged, text);
    let (removed, before) = run(&text, &["remove"]);
    assert_eq!(removed.status.code(), Some(0));
    assert_eq!(before, COREFILE);
}

#[test]
fn a_difference_is_shown_and_nothing_is_written() {
    let (differs, text) = run(COREFILE, &[&["diff"], &TO[..]].concat());
    insta::assert_snapshot!("diff", shown(&differs));
    assert_eq!(text, COREFILE);
    let (_, added) = run(COREFILE, &[&["add"], &TO[..]].concat());
    let (same, _) = run(&added, &[&["diff"], &TO[..]].concat());
    assert_eq!((same.status.code(), same.stdout.len()), (Some(0), 0));
    let (moved, _) = run(&added, &["diff", "--to", "172.18.200.4"]);
    insta::assert_snapshot!("diff_of_another_server", shown(&moved));
}

#[test]
fn a_file_that_is_left_alone_has_its_line_underlined() {
    let taken = format!("{COREFILE}openmcp.cluster:53 {{\n    forward . 10.9.9.9\n}}\n");
    let (checked, text) = run(&taken, &["check"]);
    insta::assert_snapshot!("check_refused", shown(&checked));
    let (added, _) = run(&taken, &[&["add"], &TO[..]].concat());
    assert_eq!(added.status.code(), Some(1));
    assert_eq!(text, taken);
    let (differs, _) = run(&taken, &[&["diff"], &TO[..]].concat());
    assert_eq!(differs.status.code(), Some(2));
}

#[test]
fn programs_get_json() {
    let (checked, _) = run(COREFILE, &["check", "--output", "json"]);
    let said = document("corefile", str::from_utf8(&checked.stdout).unwrap());
    assert_eq!(said[0]["warnings"][0]["line"], 3, "{said:#}");
    assert_eq!((&said[0]["file"], &said[0]["refused"]), (&json!("Corefile"), &Value::Null));
    let (refused, _) = run(".:53 {\n    errors\n", &["check", "--output", "json"]);
    assert_eq!(refused.status.code(), Some(1));
    let said = document("corefile", str::from_utf8(&refused.stdout).unwrap());
    assert_eq!(said[0]["refused"]["line"], 2, "{said:#}");
    assert!(said[0]["refused"]["hint"].is_string(), "{said:#}");
}

#[test]
fn stdin_is_changed_to_stdout_and_a_file_that_is_not_there_is_no_answer() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_openmcp-dns"));
    command.args(["corefile", "add", "--zone", "openmcp.cluster", "--to", "172.18.200.3", "-"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(COREFILE.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(String::from_utf8(output.stdout).unwrap().ends_with(COREFILE));
    let mut command = Command::new(env!("CARGO_BIN_EXE_openmcp-dns"));
    let output =
        command.args(["corefile", "check", "--zone", "openmcp.cluster", "nowhere"]).output().unwrap();
    assert!(shown(&output).starts_with("exit 2\nerror: failed to read nowhere"), "{}", shown(&output));
}
