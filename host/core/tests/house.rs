//! The house as ARCHITECTURE.md draws it: which crates and rooms there are, and who may import whom.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// A file of more lines holds two things.
const MOST_LINES: usize = 500;

/// Whom each one may import.
type Imports = BTreeMap<String, BTreeSet<String>>;

/// The rows of the table whose head begins with this cell: the first cell of each, and what its last
/// cell names in backticks.
fn table(head: &str) -> Imports {
    let text = fs::read_to_string(Path::new(ROOT).join("ARCHITECTURE.md")).unwrap();
    let rows: Imports = text
        .lines()
        .skip_while(|line| !line.starts_with(&format!("| {head} |")))
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            (in_backticks(cells[0]).remove(0), in_backticks(cells.last().unwrap()).into_iter().collect())
        })
        .collect();
    assert!(!rows.is_empty(), "ARCHITECTURE.md has no table with the head {head:?}");
    rows
}

fn in_backticks(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The section `[name]` of a manifest, as lines.
fn section(manifest: &str, name: &str) -> Vec<String> {
    let text = fs::read_to_string(Path::new(ROOT).join(manifest)).unwrap();
    let lines = text.lines().skip_while(|line| *line != format!("[{name}]")).skip(1);
    lines.take_while(|line| !line.starts_with('[')).map(str::to_owned).collect()
}

#[test]
fn a_crate_imports_exactly_those_that_the_picture_gives_it() {
    let drawn = table("crate");
    let mut built = Imports::new();
    for entry in fs::read_dir(Path::new(ROOT).join("host")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let imports = section(&format!("host/{name}/Cargo.toml"), "dependencies");
        let ours = imports.iter().filter_map(|line| {
            let (package, _) = line.strip_prefix("openmcp-dns-")?.split_once(['.', ' '])?;
            Some(if package == "policy-builder" { "policies/builder".to_owned() } else { package.to_owned() })
        });
        built.insert(format!("host/{name}"), ours.collect());
    }
    assert_eq!(drawn, built, "left: ARCHITECTURE.md, right: the manifests");
}

#[test]
fn the_core_does_nothing_but_compute() {
    for line in section("host/core/Cargo.toml", "dependencies") {
        let package = line.split(['.', ' ']).next().unwrap_or_default();
        let does =
            ["tokio", "kube", "k8s-openapi", "etcd-client", "wasmtime", "reqwest", "hickory", "tracing"];
        assert!(!does.iter().any(|name| package.starts_with(name)), "{line}");
    }
}

#[test]
fn a_room_of_the_service_imports_only_those_below_it() {
    let drawn = table("room of the service");
    let root = Path::new(ROOT).join("host/service/src");
    let mut built = Imports::new();
    for path in sources(&root) {
        let room = path.strip_prefix(&root).unwrap().iter().next().unwrap().to_str().unwrap();
        let room = room.trim_end_matches(".rs").to_owned();
        if room == "lib" {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        // What a test of a room imports ties nobody.
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let imports = built.entry(room.clone()).or_default();
        for after in text.split("crate::").skip(1) {
            let names: Vec<&str> = match after.strip_prefix('{') {
                Some(list) => list.split('}').next().unwrap().split(',').collect(),
                None => vec![after],
            };
            for name in names {
                let name: String = name
                    .trim()
                    .chars()
                    .take_while(|letter| letter.is_alphanumeric() || *letter == '_')
                    .collect();
                if name != room && !name.is_empty() {
                    imports.insert(name);
                }
            }
        }
    }
    let not_drawn: Vec<String> = built
        .iter()
        .flat_map(|(room, imports)| {
            let drawn = drawn.get(room).cloned();
            let more: Vec<String> = match drawn {
                None => vec![format!("{room} is missing in the table")],
                Some(drawn) => {
                    imports.difference(&drawn).map(|import| format!("{room} imports {import}")).collect()
                }
            };
            more
        })
        .collect();
    assert!(not_drawn.is_empty(), "not as ARCHITECTURE.md draws it: {not_drawn:#?}");
    // Each room is a floor above those that it imports: no arrow runs back up.
    let mut below: BTreeSet<String> = BTreeSet::new();
    while below.len() < drawn.len() {
        let next: Vec<String> = drawn
            .iter()
            .filter(|(room, imports)| !below.contains(*room) && imports.is_subset(&below))
            .map(|(room, _)| room.clone())
            .collect();
        let left: Vec<&String> = drawn.keys().filter(|room| !below.contains(*room)).collect();
        assert!(!next.is_empty(), "these rooms import each other in a circle: {left:?}");
        below.extend(next);
    }
}

#[test]
fn no_file_holds_two_things() {
    let mut long = Vec::new();
    for folder in ["host", "policies/builder", "tests/src", "tests/tests"] {
        for path in sources(&Path::new(ROOT).join(folder)) {
            let lines = fs::read_to_string(&path).unwrap().lines().count();
            if lines > MOST_LINES {
                long.push(format!("{} has {lines} lines", path.display()));
            }
        }
    }
    assert!(long.is_empty(), "more than {MOST_LINES}: {long:#?}");
}
