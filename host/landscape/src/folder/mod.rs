//! A landscape as a folder of manifests: one folder for each cluster, and one for the platform.
//!
//! ```text
//! scan ──► document ──► raw ──► manifest ──► files ──► clusters
//! (bytes)  (line, text) (JSON)  (types)      │ (changes) (which folder is whose)
//!            watcher ──► scan again          └──► every object as JSON, of any kind
//! ```

mod changes;
mod clusters;
mod document;
mod files;
mod kind;
mod manifest;
mod raw;
mod scan;
mod watcher;

use std::io;
use std::path::Path;

pub use changes::{How, ObjectChange};
pub use clusters::{PLATFORM, landscape};
pub use document::Syntax;
pub use files::{Files, Objects, Placed};
pub use kind::{Kind, ObjectId};
pub use manifest::{Manifest, Object, Parsed, parse};
pub use raw::Raw;
pub use scan::{Contents, Scan, scan};
pub use watcher::{Noticed, WatchError, Watcher};

use crate::Landscape;

/// Reads a folder as it is now. What cannot be read in it is among the problems.
///
/// # Errors
/// When the folder itself cannot be read.
pub fn read(path: &Path) -> io::Result<Landscape> {
    let mut files = Files::default();
    files.update(scan(path)?);
    Ok(landscape(&files))
}
