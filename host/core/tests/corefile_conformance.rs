//! Compares the Corefile reader with what the real parser (`coredns/caddy`) made of each case, and
//! checks the promises of the editor on each.
//!
//! A few cases lie in `tests/corefiles`; more lie in `<folder>/corefile` with the folder from
//! `OPENMCP_DNS_CONFORMANCE` (relative to the workspace), and are skipped without it. `expected.json`
//! holds for each file the tokens, the error if there was one, and the blocks with their keys and
//! plugins, snippets expanded, with no file to import at hand.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use openmcp_dns_core::corefile::{Corefile, CorefileError, lex, remove_forward, set_forward};
use serde::Deserialize;

const ZONE: &str = "openmcp.cluster";

#[derive(Deserialize)]
struct Case {
    file: String,
    /// Empty when the parser accepts the file.
    parse_error: String,
    /// `null` when there is none.
    server_blocks: Option<Vec<Block>>,
    lexer_tokens: Option<Vec<String>>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Block {
    keys: Vec<String>,
    plugins: Option<Vec<Plugin>>,
}

#[derive(Debug, Deserialize, PartialEq)]
struct Plugin {
    name: String,
    line: u32,
    tokens: Vec<String>,
}

fn cases() -> Vec<(Case, String)> {
    let package = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut cases = cases_in(&package.join("tests/corefiles"));
    match std::env::var_os("OPENMCP_DNS_CONFORMANCE") {
        Some(folder) => {
            let folder = package.join("../..").join(folder);
            let corefile = folder.join("corefile");
            cases.extend(cases_in(if corefile.is_dir() { &corefile } else { &folder }));
        }
        None => println!("skipped the conformance cases: OPENMCP_DNS_CONFORMANCE names no folder"),
    }
    cases
}

fn cases_in(folder: &Path) -> Vec<(Case, String)> {
    let expected = folder.join("expected.json");
    let json =
        std::fs::read_to_string(&expected).unwrap_or_else(|error| panic!("{}: {error}", expected.display()));
    let mut expected: BTreeMap<String, Case> = serde_json::from_str::<Vec<Case>>(&json)
        .unwrap()
        .into_iter()
        .map(|case| (case.file.clone(), case))
        .collect();
    let mut cases = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "Corefile") {
            let file = path.file_name().unwrap().to_string_lossy().into_owned();
            let case = expected.remove(&file).unwrap_or_else(|| panic!("nothing is expected of {file}"));
            cases.push((case, std::fs::read_to_string(&path).unwrap()));
        }
    }
    assert!(!cases.is_empty(), "{} holds no Corefile", folder.display());
    cases.sort_by(|(one, _), (other, _)| one.file.cmp(&other.file));
    cases
}

fn value_of(name: &str) -> Option<String> {
    let value = match name {
        "OPENMCP_ZONE" => ZONE,
        "DNS_PORT" => "1053",
        "POD_IP" => "10.244.0.9",
        "UPSTREAM" => "172.18.200.3",
        _ => return None,
    };
    Some(value.to_owned())
}

fn upstreams(texts: &[&str]) -> Vec<SocketAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn tokens_are_those_of_the_real_lexer() {
    for (case, text) in cases() {
        let tokens: Vec<String> = lex(&text).tokens.into_iter().map(|token| token.text).collect();
        assert_eq!(tokens, case.lexer_tokens.unwrap_or_default(), "{}", case.file);
    }
}

#[test]
fn every_byte_is_a_token_a_comment_or_blank() {
    for (case, text) in cases() {
        let lexed = lex(&text);
        let mut spans: Vec<_> = lexed.tokens.iter().map(|token| token.span.clone()).collect();
        spans.extend(lexed.comments.iter().map(|comment| comment.span.clone()));
        spans.sort_by_key(|span| span.start);
        let mut at = 0;
        for span in spans {
            let between = text[at.min(span.start)..span.start].trim_start_matches('\u{feff}');
            assert!(between.chars().all(char::is_whitespace), "{}: {between:?}", case.file);
            at = at.max(span.end);
        }
        assert!(text[at..].chars().all(char::is_whitespace), "{}", case.file);
    }
}

#[test]
fn texts_are_accepted_or_rejected_as_by_the_real_parser() {
    for (case, text) in cases() {
        let parsed = Corefile::parse_in_environment(&text, &value_of);
        // The cases were made with no file to import at hand, which a plain path does not survive.
        let rejected = parsed
            .as_ref()
            .map_or(true, |corefile| corefile.file_imports.iter().any(|import| !import.is_pattern));
        assert_eq!(rejected, !case.parse_error.is_empty(), "{}: {:?}", case.file, parsed.err());
    }
}

#[test]
fn blocks_keys_and_plugins_are_those_of_the_real_parser() {
    for (case, text) in cases().into_iter().filter(|(case, _)| case.parse_error.is_empty()) {
        let corefile = Corefile::parse_in_environment(&text, &value_of).unwrap();
        let plugin = |plugin: openmcp_dns_core::corefile::Plugin| Plugin {
            name: plugin.name,
            line: plugin.line,
            tokens: plugin.tokens,
        };
        let blocks: Vec<Block> = corefile
            .blocks
            .into_iter()
            .map(|block| Block {
                keys: block.keys,
                plugins: Some(block.plugins.into_iter().map(plugin).collect()),
            })
            .collect();
        let mut expected = case.server_blocks.unwrap_or_default();
        for block in &mut expected {
            block.plugins = Some(joined(block.plugins.take().unwrap_or_default()));
        }
        assert_eq!(blocks, expected, "{}", case.file);
    }
}

/// The original keeps all tokens of one plugin's name together; the cases had them cut apart again
/// at each new line, which also cuts before a brace that stands on a line of its own.
fn joined(plugins: Vec<Plugin>) -> Vec<Plugin> {
    let mut joined: Vec<Plugin> = Vec::new();
    for plugin in plugins {
        match joined.last_mut() {
            Some(last) if plugin.tokens.first().is_some_and(|token| token == "{") => {
                last.tokens.extend(plugin.tokens);
            }
            _ => joined.push(plugin),
        }
    }
    joined
}

#[test]
fn an_edit_changes_our_block_only_and_removing_it_gives_the_rest_back() {
    let (mut edited_cases, mut refused) = (0, BTreeMap::new());
    for (Case { file, .. }, mut text) in cases() {
        let first = upstreams(&["172.18.200.3:53"]);
        if set_forward(&text, ZONE, &first) == Err(CorefileError::NoDefaultServer) {
            // A part of a cluster's Corefile; with the rest of it there is more to see.
            text.push_str("\n.:53 {\n    errors\n}\n");
        }
        let without_ours = remove_forward(&text, ZONE);
        let inserted = match set_forward(&text, ZONE, &first) {
            Ok(inserted) => inserted,
            Err(error) => {
                assert!(!error.hint().is_empty(), "{file}");
                refused.insert(file, error.to_string());
                continue;
            }
        };
        edited_cases += 1;
        let without_ours = without_ours.unwrap();
        assert!(without_ours.changed || without_ours.text == text, "{file}");
        let again = set_forward(&inserted.text, ZONE, &first).unwrap();
        assert!(!again.changed, "{file}: a second run changes nothing");
        assert_eq!(again.text, inserted.text, "{file}");

        let second = upstreams(&["172.18.200.4:5353", "[fd00::53]:53"]);
        let updated = set_forward(&inserted.text, ZONE, &second).unwrap();
        assert!(updated.changed, "{file}");
        for edited in [inserted, updated] {
            let removed = remove_forward(&edited.text, ZONE).unwrap();
            assert!(removed.changed, "{file}");
            assert_eq!(removed.text, without_ours.text, "{file}: the rest is the same to the byte");
        }
    }
    println!("{edited_cases} cases edited and restored, {} refused:", refused.len());
    for (file, error) in refused {
        println!("  {file}: {error}");
    }
    assert!(edited_cases > 0, "no case could be edited");
}

#[test]
fn texts_that_the_real_parser_rejects_are_not_edited() {
    for (case, text) in cases().into_iter().filter(|(case, _)| !case.parse_error.is_empty()) {
        let error = set_forward(&text, ZONE, &upstreams(&["172.18.200.3:53"])).unwrap_err();
        assert!(error.line().is_some() && !error.hint().is_empty(), "{}: {error}", case.file);
    }
}

#[test]
fn a_server_is_added_where_the_root_zone_is_served_and_ours_is_free_and_nowhere_else() {
    for (case, text) in cases().into_iter().filter(|(case, _)| case.parse_error.is_empty()) {
        let file = case.file;
        let blocks = case.server_blocks.unwrap_or_default();
        let keys: Vec<&str> = blocks.iter().flat_map(|block| &block.keys).map(String::as_str).collect();
        let root = keys.iter().find_map(|key| match key.strip_prefix('.') {
            Some("") => Some(""),
            Some(port) if port.starts_with(':') => Some(port),
            _ => None,
        });
        let set = set_forward(&text, ZONE, &upstreams(&["172.18.200.3:53"]));
        let Some(port) = root else {
            assert!(set.is_err(), "{file}: not the DNS of a cluster");
            continue;
        };
        // Braces that the real parser does not count.
        let tokens = case.lexer_tokens.unwrap_or_default();
        let count = |brace: &str| tokens.iter().filter(|token| *token == brace).count();
        if count("{") != count("}") || count("{") == 0 {
            assert!(set.is_err(), "{file}: a brace is missing");
            continue;
        }
        let had_ours = keys.iter().any(|key| key.to_ascii_lowercase().starts_with(ZONE));
        let Ok(set) = set else {
            assert!(had_ours, "{file}: {}", set.unwrap_err());
            continue;
        };
        let in_environment = Corefile::parse_in_environment(&set.text, &value_of).unwrap();
        let ours = format!("{ZONE}{port}");
        let serving = in_environment.blocks.iter().filter(|block| block.keys == [ours.as_str()]).count();
        assert_eq!(serving, 1, "{file}: one server on the port of the root zone");
        let added = usize::from(!had_ours);
        assert_eq!(in_environment.blocks.len(), blocks.len() + added, "{file}");
    }
}
