//! Files: what the files of a landscape hold, and which objects change when the files do.
//!
//! ```text
//! scan of the folder ──► Files::update ──► object changes
//!                             └──► objects that the service reads; all objects as they stand
//! ```
//! Pure: whoever scans the folder hands over what was found.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::changes::{ObjectChange, diff};
use super::document::Syntax;
use super::kind::ObjectId;
use super::manifest::{Manifest, Parsed, parse};
use super::raw::Raw;
use super::scan::{Contents, Scan};
use crate::problem::{Problem, Problems};

/// An object, in which cluster's folder and where in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    /// Path of the file below the landscape's folder.
    pub file: String,
    /// The object.
    pub manifest: Arc<Manifest>,
}

/// All objects, by the folder that they stand in.
pub type Objects = BTreeMap<(String, ObjectId), Placed>;

/// The files of a landscape.
#[derive(Debug, Default)]
pub struct Files {
    folders: BTreeSet<String>,
    files: BTreeMap<String, File>,
    objects: Objects,
    problems: Problems,
}

#[derive(Debug)]
struct File {
    contents: Contents,
    parsed: Parsed,
}

impl Files {
    /// Takes in what was found, and says which objects changed.
    ///
    /// What a file held stays while something in it cannot be read: nothing is removed because it
    /// could not be seen. A file that is gone has been seen to be gone.
    pub fn update(&mut self, scan: Scan) -> Vec<ObjectChange> {
        let Scan { folders, files, unreadable, being_written } = scan;
        let kept = |file: &str| unreadable.keys().any(|folder| is_in(file, folder));
        self.files.retain(|file, _| files.contains_key(file) || kept(file));
        self.folders.retain(|folder| folders.contains(folder) || unreadable.contains_key(folder));
        self.folders.extend(folders);
        for (name, contents) in files.into_iter().filter(|(name, _)| !being_written.contains(name)) {
            let before = self.files.remove(&name);
            let file = match before {
                Some(file) if file.contents == contents => file,
                before => {
                    let parsed = read(&name, &contents, before.map(|file| file.parsed));
                    File { contents, parsed }
                }
            };
            self.files.insert(name, file);
        }
        self.settle(unreadable)
    }

    /// The folders of the landscape.
    pub const fn folders(&self) -> &BTreeSet<String> {
        &self.folders
    }

    /// All objects that the service reads.
    pub const fn objects(&self) -> &Objects {
        &self.objects
    }

    /// Every object as it stands, of any kind, with its file below the landscape's folder: what the API
    /// servers of the clusters would hold. Those that the service reads come first.
    pub fn raw(&self) -> impl Iterator<Item = (&str, &Raw)> {
        let read = self.objects.values().map(|placed| (placed.file.as_str(), &placed.manifest.raw));
        let others = self
            .files
            .iter()
            .flat_map(|(name, file)| file.parsed.others.iter().map(move |raw| (name.as_str(), raw)));
        read.chain(others)
    }

    /// All problems, by file or folder.
    pub const fn problems(&self) -> &Problems {
        &self.problems
    }

    fn settle(&mut self, unreadable: BTreeMap<String, String>) -> Vec<ObjectChange> {
        let mut problems = Problems::new();
        for (folder, why) in unreadable {
            let message = format!("unable to read the folder: {why}");
            let hint = "what its files published before stays until the folder can be read";
            problems.entry(folder).or_default().push(Problem::error(None, message, hint));
        }
        let objects = unite(&self.files, &mut problems);
        let changes = diff(&self.objects, &objects);
        self.objects = objects;
        self.problems = problems;
        changes
    }
}

/// Reads a file. `before` is what it held until now: as long as something in it cannot be read, what
/// it does not show any more is kept.
fn read(name: &str, contents: &Contents, before: Option<Parsed>) -> Parsed {
    let before = before.unwrap_or_default();
    let problem = |line, message, hint| Parsed {
        problems: vec![Problem::error(line, message, hint)],
        ..Parsed::default()
    };
    let mut parsed = match contents {
        Contents::Unreadable(why) => problem(
            None,
            format!("unable to read the file: {why}"),
            "what it published before stays until it can be read",
        ),
        Contents::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => parse(Syntax::of(name).unwrap_or(Syntax::Yaml), text),
            Err(error) => {
                let line = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
                let hint = "save it as UTF-8; what it published before stays until then";
                problem(Some(line), "the file is not UTF-8 text".to_owned(), hint)
            }
        },
    };
    if parsed.problems.iter().any(|problem| problem.is_error) {
        let shown: BTreeSet<ObjectId> = parsed.objects.iter().map(|(id, _)| id.clone()).collect();
        parsed.objects.extend(before.objects.into_iter().filter(|(id, _)| !shown.contains(id)));
        let hidden = |raw: &Raw| parsed.others.iter().all(|other| other.identity() != raw.identity());
        let others: Vec<Raw> = before.others.into_iter().filter(hidden).collect();
        parsed.others.extend(others);
    }
    parsed
}

/// The objects of all files. Of an object that stands in two files of a folder, the one in the first
/// file by name counts, so that a copy that is added later changes nothing.
fn unite(files: &BTreeMap<String, File>, problems: &mut Problems) -> Objects {
    let mut objects = Objects::new();
    for (name, file) in files {
        for (id, manifest) in &file.parsed.objects {
            let key = (folder_of(name).to_owned(), id.clone());
            if let Some(first) = objects.get(&key) {
                let (file, line) = (&first.file, first.manifest.raw.line);
                let message = format!(
                    "{id} stands in {file}:{line} too; that one counts, being the first by file name"
                );
                let problem =
                    Problem::warning(Some(manifest.raw.line), message, "remove or rename one of them");
                problems.entry(name.clone()).or_default().push(problem);
            } else {
                objects.insert(key, Placed { file: name.clone(), manifest: Arc::clone(manifest) });
            }
        }
        if !file.parsed.problems.is_empty() {
            problems.entry(name.clone()).or_default().extend(file.parsed.problems.iter().cloned());
        }
    }
    objects
}

/// The folder that a file stands in: the first part of its path.
fn folder_of(file: &str) -> &str {
    file.split_once('/').map_or("", |(folder, _)| folder)
}

fn is_in(file: &str, folder: &str) -> bool {
    file.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    fn route(name: &str, host: &str) -> String {
        format!(
            "---\napiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {{name: {name}}}\n\
             spec: {{hostnames: [{host}]}}\n"
        )
    }

    fn scan(files: &[(&str, &str)]) -> Scan {
        let folders = files.iter().map(|(name, _)| folder_of(name).to_owned()).collect();
        let bytes = |text: &str| Contents::Bytes(text.as_bytes().to_vec());
        let files = files.iter().map(|(name, text)| ((*name).to_owned(), bytes(text))).collect();
        Scan { folders, files, ..Scan::default() }
    }

    /// Changes as text: how, object, file.
    fn changes(changes: &[ObjectChange]) -> Vec<String> {
        let text = |change: &ObjectChange| format!("{} {} {}", change.how.as_str(), change.id, change.file);
        changes.iter().map(text).collect()
    }

    fn problems(files: &Files) -> Vec<&str> {
        files.problems().keys().map(String::as_str).collect()
    }

    #[test]
    fn objects_are_added_changed_and_removed_with_their_files() {
        let mut files = Files::default();
        let one = route("one", "a.example");
        let update = files.update(scan(&[("w/a.yaml", &one), ("w/b.yaml", &route("two", "b.example"))]));
        assert_eq!(
            changes(&update),
            ["added HTTPRoute/default/one w/a.yaml", "added HTTPRoute/default/two w/b.yaml"]
        );
        let update = files.update(scan(&[("w/a.yaml", &one), ("w/b.yaml", &route("two", "c.example"))]));
        assert_eq!(changes(&update), ["changed HTTPRoute/default/two w/b.yaml"]);
        let update = files.update(scan(&[("w/b.yaml", &route("two", "c.example"))]));
        assert_eq!(changes(&update), ["removed HTTPRoute/default/one w/a.yaml"]);
        assert_eq!(changes(&files.update(scan(&[("w/b.yaml", &route("two", "c.example"))]))), [""; 0]);
    }

    #[test]
    fn an_object_that_moves_to_another_file_or_line_has_not_changed() {
        let mut files = Files::default();
        files.update(scan(&[("w/a.yaml", &route("one", "a.example"))]));
        let moved = format!("# moved\n\n{}", route("one", "a.example"));
        assert_eq!(changes(&files.update(scan(&[("w/b.yaml", &moved)]))), [""; 0]);
    }

    #[test]
    fn what_a_broken_file_held_stays_until_it_can_be_read_again() {
        let mut files = Files::default();
        let both = format!("{}{}", route("one", "a.example"), route("two", "b.example"));
        files.update(scan(&[("w/a.yaml", &both)]));
        for broken in ["", "not a manifest: [", "---\nkind: HTTPRoute\n"] {
            let update = files.update(scan(&[("w/a.yaml", broken)]));
            assert_eq!(changes(&update), [""; 0], "{broken}");
            assert_eq!(problems(&files), ["w/a.yaml"], "{broken}");
        }
        // One document is fine, the other is not: the fine one counts, the other stays.
        let half = format!("{}---\nkind: HTTPRoute\n", route("one", "c.example"));
        assert_eq!(
            changes(&files.update(scan(&[("w/a.yaml", &half)]))),
            ["changed HTTPRoute/default/one w/a.yaml"]
        );
        let update = files.update(scan(&[("w/a.yaml", &route("one", "c.example"))]));
        assert_eq!(changes(&update), ["removed HTTPRoute/default/two w/a.yaml"]);
        assert_eq!(problems(&files), [""; 0]);
    }

    #[test]
    fn every_object_is_kept_as_it_stands_and_what_a_broken_file_held_stays() {
        let mut files = Files::default();
        let secret = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: s}\n";
        let names = |files: &Files| -> Vec<String> {
            files.raw().map(|(file, raw)| format!("{file}:{} {}", raw.line, raw.identity()[3])).collect()
        };
        files.update(scan(&[("w/a.yaml", &format!("{secret}{}", route("one", "a.example")))]));
        let expected = ["w/a.yaml:6 one", "w/a.yaml:2 s"];
        assert_eq!(names(&files), expected);
        files.update(scan(&[("w/a.yaml", "kind: [")]));
        assert_eq!(names(&files), expected);
        files.update(scan(&[("w/a.yaml", &format!("{secret}---\nkind: Secret\n"))]));
        assert_eq!(names(&files).len(), 2);
        files.update(scan(&[("w/a.yaml", secret)]));
        assert_eq!(names(&files), ["w/a.yaml:2 s"]);
    }

    #[test]
    fn what_cannot_be_seen_is_not_taken_for_gone() {
        let mut files = Files::default();
        files.update(scan(&[
            ("w/a.yaml", &route("one", "a.example")),
            ("v/a.yaml", &route("two", "b.example")),
        ]));
        let mut blind = scan(&[("v/a.yaml", "")]);
        blind.files.insert("v/a.yaml".into(), Contents::Unreadable("permission denied".into()));
        blind.unreadable.insert("w".into(), "permission denied".into());
        let update = files.update(blind);
        assert_eq!(changes(&update), [""; 0]);
        assert_eq!(problems(&files), ["v/a.yaml", "w"]);
        assert_eq!(files.folders().len(), 2);
    }

    #[test]
    fn a_file_that_is_being_written_is_left_as_it_was() {
        let mut files = Files::default();
        let one = route("one", "a.example");
        files.update(scan(&[("w/a.yaml", &one)]));
        let mut half =
            scan(&[("w/a.yaml", "# only the beginning\n"), ("w/b.yaml", &route("two", "b.example"))]);
        let writing = ["l/w/a.yaml", "l/w/b.yaml", "elsewhere/w/c.yaml"].map(PathBuf::from);
        half.leave(Path::new("l"), &writing.into());
        assert_eq!(changes(&files.update(half)), [""; 0]);
        let update = files.update(scan(&[("w/a.yaml", "# only the beginning\n")]));
        assert_eq!(changes(&update), ["removed HTTPRoute/default/one w/a.yaml"]);
    }

    #[test]
    fn bytes_that_are_no_text_are_named_with_their_line() {
        let mut files = Files::default();
        let mut found = scan(&[]);
        found.files.insert("w/a.yaml".into(), Contents::Bytes(b"a: b\nc: \xff\n".to_vec()));
        files.update(found);
        let problem = &files.problems()["w/a.yaml"][0];
        assert_eq!(problem.line, Some(2));
        assert!(problem.message.contains("not UTF-8"));
    }

    #[test]
    fn of_an_object_in_two_files_the_first_by_file_name_counts() {
        let mut files = Files::default();
        let (first, second) = (route("one", "a.example"), route("one", "b.example"));
        files.update(scan(&[("w/b.yaml", &first)]));
        let update = files.update(scan(&[("w/b.yaml", &first), ("w/c.yaml", &second)]));
        assert_eq!(changes(&update), [""; 0]);
        assert_eq!(problems(&files), ["w/c.yaml"]);
        assert!(!files.problems()["w/c.yaml"][0].is_error);
        // Without the first, the second counts: a change, not a removal.
        let update = files.update(scan(&[("w/c.yaml", &second)]));
        assert_eq!(changes(&update), ["changed HTTPRoute/default/one w/c.yaml"]);
        assert_eq!(problems(&files), [""; 0]);
    }

    #[test]
    fn the_same_name_in_two_clusters_is_two_objects() {
        let mut files = Files::default();
        let one = route("one", "a.example");
        let update = files.update(scan(&[("w/a.yaml", &one), ("v/a.yaml", &one)]));
        assert_eq!(update.len(), 2);
        assert_eq!(problems(&files), [""; 0]);
    }

    #[test]
    fn gateways_come_before_the_routes_that_name_them_and_go_after_them() {
        let mut files = Files::default();
        let gateway = "---\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: g}\n";
        let text = format!("{}{gateway}", route("one", "a.example"));
        let update = files.update(scan(&[("w/a.yaml", &text)]));
        assert_eq!(update[0].id.to_string(), "Gateway/default/g");
        let update = files.update(scan(&[]));
        assert_eq!(update[1].id.to_string(), "Gateway/default/g");
    }
}
