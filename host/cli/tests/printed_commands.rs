//! Every command that is printed works as it is printed: in the README, the documents, the READMEs of modules and
//! examples, and the help texts, of which docs/cli.md is made.
//!
//! All of them are parsed by a shell and by the program. Those that need no server are run, in a folder that holds what
//! they name; the others run in the tests on real servers.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/pages.rs"]
mod pages;
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

use pages::{Printed, root};
use support::BINARY;

/// Words of a command that needs a server, or does not end by itself.
const ELSEWHERE: [&str; 17] = [
    "--kubeconfig",
    "--etcd",
    "--server",
    "--all",
    " run\n",
    " run --",
    " init",
    " status",
    " uninstall",
    " serve",
    " push",
    " pull",
    " build",
    "/var/lib",
    "--listen",
    " bench",
    " export",
];

/// The commands of the program that pages print.
fn printed() -> BTreeSet<Printed> {
    let all = pages::in_blocks_of_code(&["openmcp-dns"]);
    all.into_iter().filter(|Printed { command, .. }| !is_usage(command)).collect()
}

/// What clap prints of a command's form, and tables of what commands print.
fn is_usage(command: &str) -> bool {
    command.contains("[OPTIONS]")
        || command.contains("<SHELL>")
        || command.contains("[OUTPUT]")
        || command.contains("  True")
}

/// What is left to the reader.
fn filled_in(command: &str) -> String {
    let digest = "0".repeat(64);
    command
        .replace("<token>", "4f1c")
        .replace("{{module}}", "my-policy.wasm")
        .replace("<digest>", &digest)
        .replace("DIR", "decisions")
}

/// A folder that holds what the commands name.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path);
    let root = root();
    for name in ["examples", "policies", "wit"] {
        symlink(root.join(name), at(name)).unwrap();
    }
    let example = root.join("examples/landscape");
    for place in [
        "main",
        "branch",
        "my-policy",
        "home/.local/share/bash-completion/completions",
        "home/.config/fish/completions",
    ] {
        fs::create_dir_all(at(place)).unwrap();
    }
    for place in ["landscape", "main/landscape", "branch/landscape"] {
        symlink(&example, at(place)).unwrap();
    }
    let module = root.join("policies/deny-prefix/deny-prefix.wasm");
    // `--debug` takes a module that was not built for it as well.
    for place in [
        "my-policy.wasm",
        "my-policy/my-policy.wasm",
        "my-policy.debug.wasm",
        "my-policy/my-policy.debug.wasm",
    ] {
        symlink(&module, at(place)).unwrap();
    }
    // These are asked with a configuration.
    for place in ["old.wasm", "new.wasm"] {
        symlink(root.join("policies/standard/standard.wasm"), at(place)).unwrap();
    }
    let config = "apiVersion: dns.openmcp.cloud/v1alpha1\nkind: DNSServiceConfig\nmetadata: {name: openmcp-dns}\nspec: {}\n";
    fs::write(at("dns-service-config.yaml"), config).unwrap();
    symlink(root.join("host/kit/tests/conformance"), at("cases")).unwrap();
    fs::write(at("password.txt"), "secret\n").unwrap();
    for place in ["config.yaml", "new-config.yaml"] {
        fs::write(at(place), "ttlSeconds: 30\n").unwrap();
    }
    let manifest = fs::read_to_string(example.join("workload01/example.yaml")).unwrap();
    let documents: Vec<&str> = manifest.split("---\n").collect();
    fs::write(at("gateway.yaml"), documents[0]).unwrap();
    fs::write(at("route.yaml"), documents[1]).unwrap();
    fs::copy(example.join("platform/policy.yaml"), at("dnspolicy.yaml")).unwrap();
    folder
}

/// Runs a text in bash, where `openmcp-dns` is what `function` says.
fn in_bash(folder: &Path, function: &str, text: &str) -> Output {
    let others = "jq() { cat > /dev/null; }; kubectl() { cat > /dev/null; }; fpath=(.)";
    let text = format!("openmcp-dns() {{ {function}; }}; {others}; set -o pipefail; {text}");
    Command::new("bash")
        .args(["--norc", "-c", &text])
        .current_dir(folder)
        .env("PROGRAM", BINARY)
        .env("HOME", folder.join("home"))
        .env_remove("KUBECONFIG")
        .env_remove("RUST_LOG")
        .output()
        .unwrap()
}

#[test]
fn every_printed_command_is_understood() {
    let (folder, printed) = (folder(), printed());
    assert!(printed.len() > 60, "the commands of the pages are not found any more: {printed:#?}");
    are_understood(folder.path(), printed, |Printed { command, .. }| filled_in(command));
}

/// Each is one of the program's, with what is left to the reader filled in.
fn are_understood(folder: &Path, commands: BTreeSet<Printed>, filled_in: impl Fn(&Printed) -> String) {
    let mut wrong = Vec::new();
    for printed in commands {
        let command = filled_in(&printed);
        // Help is shown when all words before it are understood.
        let output = in_bash(folder, "\"$PROGRAM\" \"$@\" --help", &command);
        if !output.status.success() {
            wrong.push(format!("{}: {command}: {}", printed.page, String::from_utf8_lossy(&output.stderr)));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What hints and texts of the program, and of the pages, name in backticks: without what stands for something.
fn hinted() -> BTreeSet<Printed> {
    let sources = ["host", "policies/builder", "deploy/builder"];
    let texts = pages::pages().into_iter().chain(pages::files("rs", &sources));
    let quoted = texts.flat_map(|(page, text)| {
        let parts: Vec<String> = pages::in_backticks(&text).map(str::to_owned).collect();
        parts.into_iter().map(move |command| Printed { command, page: page.clone() })
    });
    let is_whole = |Printed { command, .. }: &Printed| {
        command.starts_with("openmcp-dns ")
            && !command.contains(['\n', '\\'])
            && !command.contains("docs-cli")
    };
    quoted.filter(is_whole).collect()
}

#[test]
fn every_command_that_is_hinted_at_is_understood() {
    let (folder, hinted) = (folder(), hinted());
    assert!(hinted.len() > 50, "the commands in texts are not found any more: {hinted:#?}");
    are_understood(folder.path(), hinted, |Printed { command, page }| {
        // In a source, what stands in braces is filled in when it is said.
        let is_filled_in =
            |word: &str| word.contains(['<', '…']) || (word.contains('{') && page.ends_with(".rs"));
        let words = command.split_whitespace().map(|word| match word {
            "ADDRESS" => "127.0.0.1:2379",
            "OUTPUT" => "demo",
            "<owner>" => "openmcp.cluster/openmcp-system/w1",
            word if is_filled_in(word) => "x",
            word => word,
        });
        words.collect::<Vec<_>>().join(" ")
    });
}

#[test]
fn no_shell_takes_a_part_of_a_printed_command_for_a_pattern() {
    for Printed { command, page } in printed() {
        let (mut quote, mut bare) = (None, String::new());
        for letter in command.chars().take_while(|letter| *letter != '#') {
            match quote {
                Some(open) if open == letter => quote = None,
                Some(_) => {}
                None if letter == '\'' || letter == '"' => quote = Some(letter),
                None => bare.push(letter),
            }
        }
        assert!(quote.is_none(), "{page}: a quote is not closed: {command}");
        assert!(!bare.contains(['[', '*', '?']), "{page}: zsh refuses it unquoted: {command}");
    }
}

#[test]
fn what_needs_no_server_runs_as_it_is_printed() {
    let folder = folder();
    let runs = printed().into_iter().filter(|Printed { command, .. }| {
        let command = format!("{command}\n");
        ELSEWHERE.iter().all(|word| !command.contains(word)) || command.contains("policy run")
    });
    let (mut ran, mut wrong) = (0, Vec::new());
    for Printed { command, page } in runs {
        if is_left_to_others(&command) {
            continue;
        }
        ran += 1;
        let output = in_bash(folder.path(), "\"$PROGRAM\" \"$@\"", &filled_in(&command));
        let said = String::from_utf8_lossy(&output.stderr);
        // 0 is yes and 1 is no; 2 is that it cannot be said.
        if !matches!(output.status.code(), Some(0 | 1)) || said.contains("error: ") {
            wrong.push(format!("{page}: {command}: {:?}: {said}", output.status));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(ran > 25, "{ran} commands ran");
}

/// What watches until it is ended, or asks for what only an author has, and is run by tests of its own.
fn is_left_to_others(command: &str) -> bool {
    let watches = command.contains(" demo ") && !command.contains("--once");
    let needs_a_log = command.contains(" history ") || command.contains(" replay ");
    let of_an_author = ["claim.yaml", "decisions.yaml", "scaffold", "geo-label", "name-pattern"];
    watches || needs_a_log || of_an_author.iter().any(|word| command.contains(word))
}
