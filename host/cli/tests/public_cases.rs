//! Small inputs of which people have reported elsewhere that they go wrong.
//!
//! They lie in the folder that `OPENMCP_DNS_CASES` names (relative to the workspace), and are skipped without it:
//! a folder for each, which is a landscape for the demo, or holds a Corefile. Its `expected.txt` says what is right.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use openmcp_dns_core::corefile::{Corefile, CorefileError, Edited, Warning, set_forward};
use serde_json::Value;
use support::{Running, ask};

/// Where the central server is said to be.
const CENTRAL: &str = "172.18.200.3:53";

/// The cases that hold a file of this name, each with what is expected.
fn cases(holding: &str) -> Vec<(PathBuf, Vec<String>)> {
    let Some(folder) = std::env::var_os("OPENMCP_DNS_CASES") else {
        println!("skipped the public cases: OPENMCP_DNS_CASES names no folder");
        return Vec::new();
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder);
    let folders = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let found: Vec<_> = folders
        .map(|entry| entry.unwrap().path())
        .filter(|case| case.join(holding).exists())
        .map(|case| {
            let expected = fs::read_to_string(case.join("expected.txt")).unwrap();
            let lines = expected.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
            (case, lines.map(str::to_owned).collect())
        })
        .collect();
    assert!(!found.is_empty(), "no case in {} holds {holding}", folder.display());
    found
}

#[test]
fn landscapes_have_the_right_answers() {
    for (case, expected) in cases("platform") {
        let demo = Running::start_however(&case, &[]);
        for line in expected {
            let seen = seen(&demo, &line);
            assert!(seen.is_ok(), "{}: {line}: {}\n{}", case.display(), seen.unwrap_err(), demo.started);
        }
        demo.end("-TERM");
    }
}

/// Whether the demo shows what a line expects, or what it shows instead.
fn seen(demo: &Running, line: &str) -> Result<(), String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words.as_slice() {
        [state @ ("published" | "denied" | "unresolved"), name] => {
            let clusters = demo.started["clusters"].as_array().into_iter().flatten();
            let claims = clusters.flat_map(|cluster| cluster["claims"].as_array().into_iter().flatten());
            let states: Vec<&Value> =
                claims.filter(|claim| claim["hostName"] == *name).map(|claim| &claim["state"]).collect();
            if states == [state] { Ok(()) } else { Err(format!("{states:?}")) }
        }
        ["probe", "of", name, "is", "not", "ok"] => {
            let probes = demo.started["probes"].as_array().into_iter().flatten();
            let verdicts: Vec<&Value> =
                probes.filter(|probe| probe["name"] == *name).map(|probe| &probe["verdict"]).collect();
            if verdicts == ["mismatch"] { Ok(()) } else { Err(format!("{verdicts:?}")) }
        }
        // What stands behind NXDOMAIN are aliases on the way.
        ["ask", name, "A", ":", "NXDOMAIN", ..] => answered(demo, name, &["NXDOMAIN"]),
        ["ask", name, "A", ":", "NOERROR", values @ ..] => answered(demo, name, values),
        _ => Err("this test does not know what that means".to_owned()),
    }
}

fn answered(demo: &Running, name: &str, expected: &[&str]) -> Result<(), String> {
    let answer = ask(demo.server, name);
    if answer == expected { Ok(()) } else { Err(format!("{answer:?}")) }
}

#[test]
fn corefiles_are_edited_as_coredns_needs_it() {
    for (case, expected) in cases("Corefile") {
        let text = fs::read_to_string(case.join("Corefile")).unwrap();
        let edited = set_forward(&text, "openmcp.cluster", &[CENTRAL.parse().unwrap()]);
        for line in expected {
            assert!(fits(&line, &edited), "{}: {line}: {edited:?}", case.display());
        }
    }
}

fn fits(line: &str, edited: &Result<Edited, CorefileError>) -> bool {
    let line = line.strip_prefix("after set-forward: ").unwrap_or(line);
    let (line, or_error) = line.strip_suffix("; or an error").map_or((line, false), |line| (line, true));
    let Ok(Edited { text, warnings, .. }) = edited else { return or_error };
    let corefile = Corefile::parse(text).unwrap();
    let has = |keys: &str, tokens: &[&str]| {
        let block = corefile.blocks.iter().find(|block| block.keys[0].ends_with(keys)).unwrap();
        block.plugins.iter().any(|plugin| plugin.tokens == tokens)
    };
    if let Some(addresses) = line.strip_prefix("our block binds ") {
        addresses.split(" and ").all(|address| has("openmcp.cluster:53", &["bind", address]))
    } else if let Some(plugin) = line.strip_prefix("the first block on port 53 has ") {
        has(":53", &plugin.trim_matches('"').split(' ').collect::<Vec<_>>())
    } else {
        line.starts_with("a warning about the import")
            && warnings.iter().any(|warning| matches!(warning, Warning::ImportedServers { .. }))
    }
}
