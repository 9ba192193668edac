//! Writes a hosts file so that it is whole whenever this ends.
//!
//! ```text
//! rename:    new file beside it, synced ──rename──► the file
//! in place:  what it was and will be, beside it, synced ──write──► the file ──► beside it, nothing
//! ```
//! A file that is bound into containers, or is itself a mount, cannot be renamed over, or those would go on reading the one
//! before. It is overwritten in its place; who begins next ends what was begun ([`Target::mend`]).

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown};
use std::path::{Path, PathBuf};

use openmcp_dns_core::node_hosts::Change;

use super::{NodeHostsError, kept_beside};

/// How the files begin that stand beside a hosts file for a while.
const BESIDE: &str = ".hosts.openmcp-dns";

/// The mode of a hosts file that was not there.
const MODE: u32 = 0o644;

/// A file that is to be written.
#[derive(Debug)]
pub(super) struct Target {
    path: PathBuf,
    /// What is kept while it is overwritten.
    change: PathBuf,
    /// Whether it may be renamed over.
    may_rename: bool,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Replaced {
    /// It is what was wanted.
    Done,
    /// Somebody else has changed it meanwhile; it is as they left it.
    Changed,
}

/// Why a file is not renamed over: what it is, or that its owner cannot be kept.
fn is_in_the_way(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ResourceBusy | ErrorKind::CrossesDevices | ErrorKind::PermissionDenied)
}

/// What is kept in a folder while the copy that a pod has is overwritten.
pub(super) fn change_of(folder: &Path, pod: &str) -> PathBuf {
    folder.join(format!("{BESIDE}.change.{pod}"))
}

impl Target {
    /// The node's own file.
    pub(super) fn node(path: &Path) -> Self {
        let change = kept_beside(path).join(format!("{BESIDE}.change"));
        Self { path: path.to_owned(), change, may_rename: true }
    }

    /// A copy that a pod has; what is kept meanwhile stands in `folder`, because the kubelet's is its own.
    pub(super) fn copy(path: PathBuf, folder: &Path, pod: &str) -> Self {
        Self { path, change: change_of(folder, pod), may_rename: false }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn failed(&self, verb: &'static str) -> impl FnOnce(io::Error) -> NodeHostsError {
        let path = self.path.clone();
        move |source| NodeHostsError::File { verb, path, source }
    }

    /// Its bytes; `None` where it is not there.
    pub(super) fn read(&self) -> Result<Option<Vec<u8>>, NodeHostsError> {
        match fs::symlink_metadata(&self.path) {
            Ok(metadata) if metadata.is_file() => {}
            Ok(_) => return Err(NodeHostsError::NoFile(self.path.clone())),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.failed("read")(error)),
        }
        fs::read(&self.path).map(Some).map_err(self.failed("read"))
    }

    /// Puts `new` in the place of `old`, if that is what stands there.
    pub(super) fn replace(&self, old: Option<&[u8]>, new: &[u8]) -> Result<Replaced, NodeHostsError> {
        // Where a write has failed midway, `old` is a torn file, and only what was kept has all of it.
        if self.mend()? {
            return Ok(Replaced::Changed);
        }
        let renamed = if self.may_rename { self.rename(old, new)? } else { None };
        if let Some(replaced) = renamed {
            return Ok(replaced);
        }
        // A file that is not there is made by a rename, or not at all.
        let Some(old) = old else { return Ok(Replaced::Changed) };
        if self.read()?.as_deref() != Some(old) {
            return Ok(Replaced::Changed);
        }
        self.overwrite(&Change { old: old.to_vec(), new: new.to_vec() }).map_err(self.failed("write"))?;
        Ok(Replaced::Done)
    }

    /// Ends what was begun before; gives whether something was changed.
    pub(super) fn mend(&self) -> Result<bool, NodeHostsError> {
        let kept = match fs::read(&self.change) {
            Ok(kept) => kept,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(self.failed("read what was begun with")(error)),
        };
        let change = Change::decode(&kept);
        let file = self.read()?.unwrap_or_default();
        let torn = change.filter(|change| change.is_torn(&file));
        if let Some(change) = &torn {
            self.write_in_place(&change.new).map_err(self.failed("write"))?;
        }
        fs::remove_file(&self.change).map_err(self.failed("end what was begun with"))?;
        Ok(torn.is_some())
    }

    /// `None` where it cannot be renamed over.
    fn rename(&self, old: Option<&[u8]>, new: &[u8]) -> Result<Option<Replaced>, NodeHostsError> {
        let beside = kept_beside(&self.path).join(format!("{BESIDE}.new"));
        let renamed = self.rename_from(&beside, old, new);
        if !matches!(renamed, Ok(Replaced::Done)) {
            // As before; what is left is taken away at the next start.
            drop(fs::remove_file(&beside));
        }
        match renamed {
            Ok(replaced) => Ok(Some(replaced)),
            Err(error) if old.is_some() && is_in_the_way(&error) => Ok(None),
            Err(error) => Err(self.failed("write")(error)),
        }
    }

    fn rename_from(&self, beside: &Path, old: Option<&[u8]>, new: &[u8]) -> io::Result<Replaced> {
        drop(fs::remove_file(beside));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(beside)?;
        file.write_all(new)?;
        let mode = match fs::symlink_metadata(&self.path) {
            Ok(before) => {
                let made = file.metadata()?;
                if (made.uid(), made.gid()) != (before.uid(), before.gid()) {
                    fchown(&file, Some(before.uid()), Some(before.gid()))?;
                }
                before.mode() & 0o7777
            }
            Err(error) if error.kind() == ErrorKind::NotFound => MODE,
            Err(error) => return Err(error),
        };
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.sync_all()?;
        let now = match fs::read(&self.path) {
            Ok(now) => Some(now),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        if now.as_deref() != old {
            return Ok(Replaced::Changed);
        }
        fs::rename(beside, &self.path)?;
        sync_folder(&self.path)?;
        Ok(Replaced::Done)
    }

    fn overwrite(&self, change: &Change) -> io::Result<()> {
        let beside = self.change.with_extension("part");
        let mut file = File::create(&beside)?;
        file.write_all(&change.encode())?;
        file.sync_all()?;
        fs::rename(&beside, &self.change)?;
        sync_folder(&self.change)?;
        self.write_in_place(&change.new)?;
        fs::remove_file(&self.change)
    }

    fn write_in_place(&self, new: &[u8]) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(&self.path)?;
        file.write_all_at(new, 0)?;
        file.set_len(new.len() as u64)?;
        file.sync_all()
    }
}

fn sync_folder(file: &Path) -> io::Result<()> {
    File::open(kept_beside(file))?.sync_all()
}

/// Takes away what stands beside the node's file and belongs to nothing any more: of a pod that is gone, or half a file.
pub(super) fn tidy(hosts: &Path, static_pods: Option<&Path>) -> Result<(), NodeHostsError> {
    let folder = kept_beside(hosts);
    let failed = |source| NodeHostsError::File { verb: "tidy up", path: folder.to_owned(), source };
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let Some(rest) = name.to_str().and_then(|name| name.strip_prefix(BESIDE)) else { continue };
        // One that is still there was not read, so it is kept.
        let is_needed = rest == ".change"
            || rest.strip_prefix(".change.").is_some_and(|pod| {
                static_pods.is_some_and(|pods| pod.len() == 32 && pods.join(pod).is_dir())
            });
        if !is_needed {
            fs::remove_file(folder.join(&name)).map_err(failed)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        tempfile::tempdir().unwrap()
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_by_another_one_of_its_mode_and_owner() {
        let folder = folder();
        let hosts = folder.path().join("hosts");
        fs::write(&hosts, "old").unwrap();
        fs::set_permissions(&hosts, fs::Permissions::from_mode(0o640)).unwrap();
        let before = fs::metadata(&hosts).unwrap();
        let target = Target::node(&hosts);
        assert_eq!(target.replace(Some(b"old"), b"new").unwrap(), Replaced::Done);
        let after = fs::metadata(&hosts).unwrap();
        assert_eq!(fs::read(&hosts).unwrap(), b"new");
        assert_eq!((after.mode(), after.uid(), after.gid()), (before.mode(), before.uid(), before.gid()));
        assert_ne!(after.ino(), before.ino());
        assert_eq!(target.replace(Some(b"old"), b"newer").unwrap(), Replaced::Changed);
        assert_eq!(
            (fs::read(&hosts).unwrap(), names(folder.path())),
            (b"new".to_vec(), vec!["hosts".to_owned()])
        );
    }

    #[test]
    fn a_file_that_is_not_there_is_made_and_a_link_is_left_alone() {
        let folder = folder();
        let hosts = folder.path().join("hosts");
        let target = Target::node(&hosts);
        assert_eq!(target.read().unwrap(), None);
        assert_eq!(target.replace(None, b"new").unwrap(), Replaced::Done);
        assert_eq!(fs::metadata(&hosts).unwrap().mode() & 0o777, MODE);
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&hosts, &link).unwrap();
        assert!(matches!(Target::node(&link).read(), Err(NodeHostsError::NoFile(_))));
    }

    #[test]
    fn a_copy_keeps_its_inode_whether_it_grows_or_shrinks() {
        let folder = folder();
        let copy = folder.path().join("etc-hosts");
        fs::write(&copy, "a longer text").unwrap();
        let before = fs::metadata(&copy).unwrap();
        let target = Target::copy(copy.clone(), folder.path(), "pod");
        assert_eq!(target.replace(Some(b"a longer text"), b"short").unwrap(), Replaced::Done);
        assert_eq!(target.replace(Some(b"short"), b"long again").unwrap(), Replaced::Done);
        assert_eq!(target.replace(Some(b"short"), b"x").unwrap(), Replaced::Changed);
        assert_eq!(
            (fs::read(&copy).unwrap(), names(folder.path())),
            (b"long again".to_vec(), vec!["etc-hosts".to_owned()])
        );
        assert_eq!(fs::metadata(&copy).unwrap().ino(), before.ino());
    }

    #[test]
    fn what_was_begun_is_ended_and_what_somebody_wrote_since_stays() {
        let folder = folder();
        let hosts = folder.path().join("hosts");
        let target = Target::node(&hosts);
        let change =
            Change { old: b"127.0.0.1 localhost\n".to_vec(), new: b"ours\n127.0.0.1 localhost\n".to_vec() };
        for (file, mended) in [
            (&b"ours\n.0.1 localhost\n"[..], true),
            (&change.old[..], false),
            (&change.new[..], false),
            (b"theirs\n", false),
        ] {
            fs::write(&hosts, file).unwrap();
            fs::write(&target.change, change.encode()).unwrap();
            assert_eq!(target.mend().unwrap(), mended);
            assert_eq!(fs::read(&hosts).unwrap(), if mended { &change.new[..] } else { file });
            assert_eq!(names(folder.path()), ["hosts"]);
        }
        assert!(!target.mend().unwrap());
    }

    #[test]
    fn a_write_that_has_failed_midway_is_ended_before_the_next_one() {
        let folder = folder();
        let copy = folder.path().join("etc-hosts");
        let target = Target::copy(copy.clone(), folder.path(), "pod");
        let change = Change { old: b"theirs and more\n".to_vec(), new: b"ours\ntheirs and more\n".to_vec() };
        let torn = b"ours\ns and more\n";
        fs::write(&copy, torn).unwrap();
        fs::write(&target.change, change.encode()).unwrap();
        assert_eq!(target.replace(Some(torn), b"other\ns and more\n").unwrap(), Replaced::Changed);
        assert_eq!(
            (fs::read(&copy).unwrap(), names(folder.path())),
            (change.new, vec!["etc-hosts".to_owned()])
        );
    }

    #[test]
    fn what_belongs_to_nothing_any_more_is_taken_away() {
        let folder = folder();
        let (hosts, pods) = (folder.path().join("hosts"), folder.path().join("pods"));
        let pod = "0123456789abcdef0123456789abcdef";
        fs::create_dir_all(pods.join(pod)).unwrap();
        for name in [
            "hosts",
            "passwd",
            ".hosts.openmcp-dns.new",
            ".hosts.openmcp-dns.part",
            ".hosts.openmcp-dns.change",
        ] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        for gone in [pod, "fedcba9876543210fedcba9876543210", "..", "."] {
            let name = format!(".hosts.openmcp-dns.change.{gone}");
            fs::write(folder.path().join(name), "").unwrap();
        }
        tidy(&hosts, Some(&pods)).unwrap();
        let kept = format!(".hosts.openmcp-dns.change.{pod}");
        assert_eq!(names(folder.path()), [".hosts.openmcp-dns.change", &kept, "hosts", "passwd", "pods"]);
    }
}
