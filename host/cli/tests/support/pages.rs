//! Commands as pages print them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The folder of the project, in which the crate lies of whoever includes this file.
pub(crate) fn root() -> &'static Path {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_folder.ancestors().find(|folder| folder.join("Cargo.lock").is_file()).unwrap()
}

/// Folders whose pages are read, with those in them.
const FOLDERS: [&str; 6] = ["docs", "examples", "policies", "wit", "deploy", "host/kit/templates"];

/// A command, and the page that prints it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Printed {
    pub(crate) command: String,
    pub(crate) page: String,
}

/// The commands of these programs in blocks of code, with the lines on which they go on.
pub(crate) fn in_blocks_of_code(programs: &[&str]) -> BTreeSet<Printed> {
    let mut all = BTreeSet::new();
    for (page, text) in pages() {
        let (mut is_code, mut lines) = (false, text.lines());
        while let Some(line) = lines.next() {
            let line = line.trim();
            is_code ^= line.starts_with("```");
            let command = line.strip_prefix("$ ").unwrap_or(line);
            if !is_code || !begins_with(command, programs) {
                continue;
            }
            let mut command = command.to_owned();
            loop {
                let head = match command.strip_suffix('\\') {
                    Some(head) => head,
                    None if command.ends_with('|') => &command,
                    None => break,
                };
                command = format!("{head} {}", lines.next().unwrap().trim());
            }
            all.insert(Printed { command, page: page.clone() });
        }
    }
    all
}

/// What stands between two backticks; blocks of code begin and end with three.
pub(crate) fn in_backticks(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Whether a line begins with one of the words.
pub(crate) fn begins_with(line: &str, programs: &[&str]) -> bool {
    programs.iter().any(|program| line.strip_prefix(program).is_some_and(|rest| rest.starts_with(' ')))
}

/// Each page with its text.
pub(crate) fn pages() -> Vec<(String, String)> {
    let mut pages = files("md", &FOLDERS);
    pages.push(with_text(root().join("README.md")));
    pages
}

/// Each file of this ending in these folders, and in those in them, with its text.
pub(crate) fn files(ending: &str, folders: &[&str]) -> Vec<(String, String)> {
    let mut files = Vec::new();
    let mut folders: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            let is_made = ["target", "node_modules"].iter().any(|name| path.ends_with(name));
            if path.is_dir() && !is_made {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == ending) {
                files.push(with_text(path));
            }
        }
    }
    files
}

fn with_text(file: PathBuf) -> (String, String) {
    let name = file.strip_prefix(root()).unwrap_or(&file).display().to_string();
    (name, fs::read_to_string(&file).unwrap())
}
