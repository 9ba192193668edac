//! A landscape on the command line: a folder of manifests, or one that runs.

pub(super) mod folder;
pub(super) mod live;
