//! Scan: reads the files of a landscape.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::document::Syntax;

/// Longest file that is read, in bytes: an export of 100,000 Ingresses is shorter. What is longer is no manifest,
/// and would only fill memory.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// How deep folders are looked into: enough for any order of files, and an end to circles.
const MAX_DEPTH: usize = 8;

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

/// Reads all manifests below the folder.
///
/// # Errors
/// When the folder itself cannot be read. What cannot be read below it is part of the result.
pub fn scan(landscape: &Path) -> io::Result<Scan> {
    let mut scan = Scan::default();
    for entry in fs::read_dir(landscape)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // A link counts here, so that a landscape can be put together of folders elsewhere.
        if !name.starts_with('.') && fs::metadata(entry.path()).is_ok_and(|metadata| metadata.is_dir()) {
            scan_folder(&entry.path(), &name, MAX_DEPTH, &mut scan);
            scan.folders.insert(name);
        }
    }
    Ok(scan)
}

fn scan_folder(folder: &Path, name: &str, depth: usize, scan: &mut Scan) {
    if depth == 0 {
        return;
    }
    let entries = match fs::read_dir(folder).and_then(|entries| entries.collect::<io::Result<Vec<_>>>()) {
        Ok(entries) => entries,
        // Deleted since the folder above was listed.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return,
        Err(error) => {
            scan.unreadable.insert(name.to_owned(), error.to_string());
            return;
        }
    };
    for entry in entries {
        let file_name = entry.file_name().to_string_lossy().into_owned();
        if file_name.starts_with('.') {
            continue;
        }
        let path = format!("{name}/{file_name}");
        match entry.file_type() {
            Ok(file_type) if file_type.is_dir() => {
                scan_folder(&entry.path(), &path, depth - 1, scan);
            }
            _ if Syntax::of(&file_name).is_some() => read_file(&entry.path(), path, &mut scan.files),
            _ => {}
        }
    }
}

fn read_file(file: &Path, name: String, files: &mut BTreeMap<String, Contents>) {
    let contents = fs::metadata(file).and_then(|metadata| {
        if !metadata.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
        if metadata.len() > MAX_FILE_BYTES {
            let (bytes, most) = (metadata.len(), MAX_FILE_BYTES >> 20);
            return Err(io::Error::other(format!(
                "it has {bytes} bytes, at most {most} MiB are read: split it"
            )));
        }
        fs::read(file)
    });
    match contents {
        Ok(bytes) => files.insert(name, Contents::Bytes(bytes)),
        // Deleted since the folder was listed.
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => files.insert(name, Contents::Unreadable(error.to_string())),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn manifests_are_found_at_any_depth_and_other_files_are_not() {
        let landscape = tempfile::tempdir().unwrap();
        let at = |path: &str| landscape.path().join(path);
        fs::create_dir_all(at("w/deep/er")).unwrap();
        fs::create_dir_all(at(".git")).unwrap();
        for file in ["w/a.yaml", "w/deep/er/b.json", "w/.a.yaml", "w/README.md", ".git/c.yaml", "top.yaml"] {
            fs::write(at(file), "text").unwrap();
        }
        fs::create_dir(at("w/folder.yaml")).unwrap();
        std::os::unix::fs::symlink("nowhere", at("w/dangling.yaml")).unwrap();
        let scan = scan(landscape.path()).unwrap();
        assert_eq!(scan.folders.into_iter().collect::<Vec<_>>(), ["w"]);
        assert_eq!(scan.files.keys().collect::<Vec<_>>(), ["w/a.yaml", "w/deep/er/b.json"]);
    }

    #[test]
    fn a_file_that_is_no_manifest_by_its_size_is_named() {
        let landscape = tempfile::tempdir().unwrap();
        fs::create_dir(landscape.path().join("w")).unwrap();
        let file = fs::File::create(landscape.path().join("w/large.yaml")).unwrap();
        file.set_len(MAX_FILE_BYTES + 1).unwrap();
        let scan = scan(landscape.path()).unwrap();
        assert!(
            matches!(&scan.files["w/large.yaml"], Contents::Unreadable(why) if why.contains("at most 64 MiB"))
        );
    }

    #[test]
    fn a_missing_folder_is_an_error() {
        assert_eq!(scan(Path::new("/does/not/exist")).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
