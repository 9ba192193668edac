//! How the objects of a folder change, in an order that a cluster could have made the changes in.

use openmcp_dns_core::kinds::Role;

use super::files::{Objects, Placed};
use super::kind::{Kind, ObjectId};
use super::manifest::Object;

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

/// What turns the one set of objects into the other. What routes refer to comes before them and goes
/// after them, so that nothing points into the void in between.
pub(super) fn diff(before: &Objects, after: &Objects) -> Vec<ObjectChange> {
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
        Kind::Cluster | Kind::DnsPolicy | Kind::GatewayServiceConfig => None,
        Kind::Watched(kind) => Some(kind.role()),
    }
}
