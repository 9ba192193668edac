//! On a node: keeps names in its hosts file, from a mounted ConfigMap. It asks nobody anything.
//!
//! ```text
//! file of names ──► core::node_hosts::apply ──replace──► the node's hosts file
//!                                          └──in place──► copies of it that static pods of an API server have
//! ```
//! The kubelet gives a pod on the node's network a copy of the node's hosts file when a container of it starts (kubelet,
//! `ensureHostsFile`), bound into the container by its inode: an API server in a static pod sees no later change
//! of the node's file. So its copy is changed, too, in its place.

mod replace;
mod static_pods;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use openmcp_dns_core::chain;
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::node_hosts::{Applied, Hosts, HostsError, HostsFileError, apply, text_digest};
use thiserror::Error;

use replace::{Replaced, Target};

/// What is kept, and where.
#[derive(Clone, Debug)]
pub struct NodeHosts {
    /// The file with names and addresses; without one, none are kept: what was written is taken away.
    pub names: Option<PathBuf>,
    /// The digest that this file is to have: until it has, all stays as it is.
    pub revision: Option<String>,
    /// The node's hosts file.
    pub hosts: PathBuf,
    /// The kubelet's folder of pods, where copies are to be kept, too.
    pub static_pods: Option<PathBuf>,
}

/// Why a file is not as it should be.
#[derive(Debug, Error)]
pub enum NodeHostsError {
    /// The file of names cannot be read.
    #[error("unable to read the names in {}", .path.display())]
    Names {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It holds something else.
    #[error("{} has other content than names", .path.display())]
    NoNames {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: HostsError,
    },
    /// The kubelet has not mounted what is to be mounted yet.
    #[error("{} has revision {found}, not yet {wanted}", .path.display())]
    OtherRevision {
        /// Which one.
        path: PathBuf,
        /// What is there.
        found: String,
        /// What should be.
        wanted: String,
    },
    /// A hosts file cannot be read or written.
    #[error("unable to {verb} {}", .path.display())]
    File {
        /// What was tried.
        verb: &'static str,
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A hosts file is left alone.
    #[error("{} is left alone", .path.display())]
    Refused {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        source: HostsFileError,
    },
    /// It is a symbolic link, or no file.
    #[error("{} is no regular file and is left alone", .0.display())]
    NoFile(PathBuf),
    /// It is not what it should be, and nobody was to change it.
    #[error("{} does not have the names as they are wanted", .0.display())]
    Differs(PathBuf),
}

/// What has become of one look at all files.
#[derive(Debug, Default)]
pub struct Looked {
    /// Files that were changed.
    pub written: Vec<PathBuf>,
    /// Names of which a file already says something: they stay as they are.
    pub theirs: BTreeSet<HostName>,
    /// What is not as it should be.
    pub errors: Vec<NodeHostsError>,
}

impl Looked {
    /// The errors, a line each.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.errors.iter().map(|error| chain(error)).collect()
    }
}

impl NodeHosts {
    /// Ends what an earlier one has begun, and was killed in.
    #[must_use]
    pub fn mend(&self) -> Looked {
        let mut looked = Looked::default();
        for target in self.targets(&mut looked.errors) {
            match target.mend() {
                Ok(true) => looked.written.push(target.path().to_owned()),
                Ok(false) => {}
                Err(error) => looked.errors.push(error),
            }
        }
        if let Err(error) = replace::tidy(&self.hosts, self.static_pods.as_deref()) {
            looked.errors.push(error);
        }
        looked
    }

    /// Has all files as they should be. What is wrong with one keeps no other from it.
    #[must_use]
    pub fn keep(&self) -> Looked {
        self.each(|target, old, new| match target.replace(old, new)? {
            Replaced::Done => Ok(true),
            // Somebody was faster; the next look is soon.
            Replaced::Changed => Err(NodeHostsError::Differs(target.path().to_owned())),
        })
    }

    /// Says what is not as it should be, and changes nothing.
    #[must_use]
    pub fn check(&self) -> Looked {
        self.each(|target, _, _| Err(NodeHostsError::Differs(target.path().to_owned())))
    }

    /// Does something with each file that is not as it should be; gives whether it was changed.
    fn each(
        &self,
        mut differs: impl FnMut(&Target, Option<&[u8]>, &[u8]) -> Result<bool, NodeHostsError>,
    ) -> Looked {
        let mut looked = Looked::default();
        let wanted = match self.wanted() {
            Ok(wanted) => wanted,
            Err(error) => {
                looked.errors.push(error);
                return looked;
            }
        };
        for target in self.targets(&mut looked.errors) {
            let done = target.read().and_then(|old| {
                let refused = |source| NodeHostsError::Refused { path: target.path().to_owned(), source };
                let Applied { bytes, theirs } =
                    apply(old.as_deref().unwrap_or_default(), &wanted).map_err(refused)?;
                looked.theirs.extend(theirs);
                if old.as_deref().unwrap_or_default() == bytes {
                    return Ok(false);
                }
                differs(&target, old.as_deref(), &bytes)
            });
            match done {
                Ok(true) => looked.written.push(target.path().to_owned()),
                Ok(false) => {}
                Err(error) => looked.errors.push(error),
            }
        }
        looked
    }

    fn wanted(&self) -> Result<Hosts, NodeHostsError> {
        let Some(path) = &self.names else { return Ok(Hosts::default()) };
        let text = std::fs::read_to_string(path)
            .map_err(|source| NodeHostsError::Names { path: path.clone(), source })?;
        if let Some(wanted) = &self.revision {
            let found = text_digest(&text);
            if found != *wanted {
                return Err(NodeHostsError::OtherRevision {
                    path: path.clone(),
                    found,
                    wanted: wanted.clone(),
                });
            }
        }
        Hosts::parse(&text).map_err(|source| NodeHostsError::NoNames { path: path.clone(), source })
    }

    fn targets(&self, errors: &mut Vec<NodeHostsError>) -> Vec<Target> {
        let mut targets = vec![Target::node(&self.hosts)];
        let Some(folder) = &self.static_pods else { return targets };
        let beside = kept_beside(&self.hosts);
        match static_pods::copies(folder, |pod| replace::change_of(beside, pod).is_file()) {
            Ok(copies) => {
                targets.extend(copies.into_iter().map(|(pod, path)| Target::copy(path, beside, &pod)));
            }
            Err(source) => {
                errors.push(NodeHostsError::File { verb: "list", path: folder.clone(), source });
            }
        }
        targets
    }
}

/// The folder of a file.
fn kept_beside(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new("/"))
}
