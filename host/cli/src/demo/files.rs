//! Files: what the files of a landscape hold, and which objects change when the files do.
//!
//! ```text
//! scan of the folder ──► Files::update ──► object changes
//! ```
//! Pure: whoever scans the folder hands over what was found.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use openmcp_dns_core::kinds::Role;

use super::document::Syntax;
use super::manifest::{Kind, Manifest, Object, ObjectId, Parsed, Problem, parse};

/// What was found in the folder of a landscape.
#[derive(Clone, Debug, Default)]
pub struct Scan {
    /// Names of the folders in it: one for each cluster.
    pub folders: BTreeSet<String>,
    /// Manifest files by their path below the landscape's folder, for example `workload01/routes.yaml`.
    pub files: BTreeMap<String, Contents>,
    /// Folders that could not be read, and why. What is known of their files stays.
    pub unreadable: BTreeMap<String, String>,
    /// Files that somebody is still writing. What is known of them stays until they are written.
    pub being_written: BTreeSet<String>,
}

impl Scan {
    /// Leaves these files below the landscape's folder as they were known before.
    pub fn leave(&mut self, landscape: &Path, being_written: &BTreeSet<PathBuf>) {
        let names = being_written.iter().filter_map(|path| path.strip_prefix(landscape).ok());
        self.being_written.extend(names.map(|name| name.to_string_lossy().into_owned()));
    }
}

/// What a file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contents {
    /// These bytes.
    Bytes(Vec<u8>),
    /// It could not be read, and why.
    Unreadable(String),
}

/// An object, in which cluster's folder and where in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    /// Path of the file below the landscape's folder.
    pub file: String,
    /// The object.
    pub manifest: Manifest,
}

/// All objects, by the folder that they stand in.
pub type Objects = BTreeMap<(String, ObjectId), Placed>;

/// How an object changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It is new.
    Added,
    /// It is another than before.
    Changed,
    /// It is gone: a file that was there without it, or no file any more.
    Removed,
}

impl How {
    /// In one word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Removed => "removed",
        }
    }
}

/// A change of one object.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectChange {
    /// The folder, and with it the cluster.
    pub folder: String,
    /// The object.
    pub id: ObjectId,
    /// The file it stands in, or stood in.
    pub file: String,
    /// How it changed.
    pub how: How,
    /// The object as it is now; `None` when it is gone.
    pub object: Option<Object>,
}

/// What is wrong, by file or folder.
pub type Problems = BTreeMap<String, Vec<Problem>>;

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

    /// All objects.
    pub const fn objects(&self) -> &Objects {
        &self.objects
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
    let before = before.map(|parsed| parsed.objects).unwrap_or_default();
    let unreadable = |message: String, hint: &str| Parsed {
        objects: Vec::new(),
        problems: vec![Problem::error(None, message, hint)],
    };
    let mut parsed = match contents {
        Contents::Unreadable(why) => unreadable(
            format!("unable to read the file: {why}"),
            "what it published before stays until it can be read",
        ),
        Contents::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => parse(Syntax::of(name).unwrap_or(Syntax::Yaml), text),
            Err(error) => {
                let line = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
                let message = "the file is not UTF-8 text";
                let hint = "save it as UTF-8; what it published before stays until then";
                Parsed { objects: Vec::new(), problems: vec![Problem::error(Some(line), message, hint)] }
            }
        },
    };
    if parsed.problems.iter().any(|problem| problem.is_error) {
        let shown: BTreeSet<ObjectId> = parsed.objects.iter().map(|(id, _)| id.clone()).collect();
        parsed.objects.extend(before.into_iter().filter(|(id, _)| !shown.contains(id)));
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
                let Placed { file, manifest: Manifest { line, object: _ } } = first;
                let message = format!(
                    "{id} stands in {file}:{line} too; that one counts, being the first by file name"
                );
                let problem = Problem::warning(Some(manifest.line), message, "remove or rename one of them");
                problems.entry(name.clone()).or_default().push(problem);
            } else {
                objects.insert(key, Placed { file: name.clone(), manifest: manifest.clone() });
            }
        }
        if !file.parsed.problems.is_empty() {
            problems.entry(name.clone()).or_default().extend(file.parsed.problems.iter().cloned());
        }
    }
    objects
}

/// What turns the one set of objects into the other. What routes refer to comes before them and goes
/// after them, so that nothing points into the void in between.
fn diff(before: &Objects, after: &Objects) -> Vec<ObjectChange> {
    let change = |(folder, id): &(String, ObjectId), placed: &Placed, how, object| ObjectChange {
        folder: folder.clone(),
        id: id.clone(),
        file: placed.file.clone(),
        how,
        object,
    };
    let set = after.iter().filter_map(|(key, placed)| {
        let object = &placed.manifest.object;
        let how = match before.get(key) {
            None => How::Added,
            Some(old) if old.manifest.object != *object => How::Changed,
            Some(_) => return None,
        };
        Some(change(key, placed, how, Some(object.clone())))
    });
    let gone = before.iter().filter(|(key, _)| !after.contains_key(key));
    let removed = gone.map(|(key, placed)| change(key, placed, How::Removed, None));
    let mut changes: Vec<ObjectChange> = set.collect();
    changes.sort_by_key(rank);
    let mut removed: Vec<ObjectChange> = removed.collect();
    removed.sort_by_key(|change| std::cmp::Reverse(rank(change)));
    changes.extend(removed);
    changes
}

/// Clusters and policies first, then what routes refer to, then routes.
fn rank(change: &ObjectChange) -> Option<Role> {
    match change.id.kind {
        Kind::Cluster | Kind::DnsPolicy => None,
        Kind::Watched(kind) => Some(kind.role()),
    }
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
