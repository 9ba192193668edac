//! Thousands of Corefiles that are made up, read by CoreDNS's own parser before and after our edit: what it could read, it
//! can read afterwards, with the same server blocks and ours; what it cannot read, we leave alone.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../../host/core/tests/corefile_texts/mod.rs"]
mod corefile_texts;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use corefile_texts::{corefile, piece};
use openmcp_dns_core::corefile::set_forward;
use openmcp_dns_tests::programs::Provided;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde::Deserialize;

const ZONE: &str = "openmcp.cluster";

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Block {
    keys: Vec<String>,
    plugins: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, Deserialize)]
struct Answer {
    #[serde(default)]
    error: Option<String>,
    blocks: Vec<Block>,
}

/// CoreDNS's parser, which answers one text after the other.
struct Parser {
    process: Child,
    texts: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Parser {
    fn start() -> Self {
        let folder = std::env::temp_dir();
        let mut process = Command::new(Provided::CorefileParser.path().unwrap())
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let texts = process.stdin.take().unwrap();
        let answers = BufReader::new(process.stdout.take().unwrap());
        Self { process, texts, answers }
    }

    fn read(&mut self, text: &str) -> Result<Vec<Block>, String> {
        writeln!(self.texts, "{}", serde_json::to_string(text).unwrap()).unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        let Answer { error, blocks } = serde_json::from_str(&line).unwrap();
        error.map_or(Ok(blocks), Err)
    }
}

impl Drop for Parser {
    fn drop(&mut self) {
        // It ends with its input, too; a test that fails does not wait for that.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn is_of_our_zone(block: &Block) -> bool {
    block.keys.iter().all(|key| key.trim_end_matches(":53") == ZONE)
}

/// Whether it is the block that we write. It listens where the server for everything does.
fn is_ours(block: &Block) -> bool {
    let words = |name: &str| block.plugins.get(name).map(|words| words.join(" "));
    is_of_our_zone(block)
        && block.plugins.keys().all(|name| ["bind", "cache", "errors", "forward"].contains(&name.as_str()))
        && words("errors").as_deref() == Some("errors")
        && words("cache").as_deref() == Some("cache 30 { denial 9984 5 }")
        && words("forward").as_deref() == Some("forward . 172.18.200.3:53")
}

/// How often what came about.
#[derive(Debug, Default)]
struct Counts {
    edited: u32,
    left_alone: u32,
    unreadable: u32,
}

/// Edits a text, and holds what the parser reads then against what it read before.
fn edit(parser: &mut Parser, counts: &mut Counts, text: &str) -> Result<(), TestCaseError> {
    let before = parser.read(text);
    counts.unreadable += u32::from(before.is_err());
    let Ok(set) = set_forward(text, ZONE, &["172.18.200.3:53".parse().unwrap()]) else {
        counts.left_alone += 1;
        return Ok(());
    };
    let after = parser.read(&set.text);
    let fail = |why: String| Err(TestCaseError::fail(format!("{why}\n{}", set.text)));
    let mut before = match before {
        Ok(before) => before,
        // Which files lie beside it, an editor of the text does not know.
        Err(error) if error.contains("File to import not found") => return Ok(()),
        Err(error) => return fail(format!("it was edited, and CoreDNS could not read it before: {error}")),
    };
    let mut after = match after {
        Ok(after) => after,
        Err(error) => return fail(format!("CoreDNS cannot read it any more: {error}")),
    };
    counts.edited += 1;
    let ours: Vec<&Block> = after.iter().filter(|block| is_of_our_zone(block)).collect();
    if ours.len() != 1 || !is_ours(ours[0]) {
        return fail(format!("our block is not read as it is meant: {after:#?}"));
    }
    // One that stood there was ours, whatever somebody has made of it: another one is left alone.
    before.retain(|block| !is_of_our_zone(block));
    after.retain(|block| !is_of_our_zone(block));
    prop_assert_eq!(after, before, "another block is read otherwise: {}", set.text);
    Ok(())
}

/// Edits so many texts.
fn edit_all(cases: u32, texts: impl Strategy<Value = String>) -> Counts {
    let (parser, counts) = (RefCell::new(Parser::start()), RefCell::new(Counts::default()));
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let run = TestRunner::new(config)
        .run(&texts, |text| edit(&mut parser.borrow_mut(), &mut counts.borrow_mut(), &text));
    if let Err(error) = run {
        panic!("{error}");
    }
    counts.into_inner()
}

#[test]
fn coredns_reads_each_edited_corefile_with_the_same_blocks_and_ours() {
    let counts = edit_all(4_000, corefile());
    assert_eq!((counts.unreadable, counts.left_alone), (0, 0), "all of these can be read: {counts:?}");
}

#[test]
fn what_coredns_cannot_read_is_left_alone() {
    // Nor does it know what a variable is in the end, which may break any line that it stands in.
    let known = |pieces: Vec<&str>| pieces.concat().replace("{$ZONE}", "zone.example");
    let counts = edit_all(10_000, vec(piece(), 0..10).prop_map(known));
    assert!(counts.edited > 200 && counts.unreadable > 200, "not much of a test: {counts:?}");
}
