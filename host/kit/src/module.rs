//! The file of a module, and the limits that its module needs.

use std::path::{Path, PathBuf};

use openmcp_dns_policy::{Limits, Survey};
use thiserror::Error;

/// Longest file that is read, in bytes: sixteen times what the largest modules have.
const MAX_FILE_BYTES: u64 = 512 << 20;

/// Why a file is not read as a module.
#[derive(Debug, Error)]
pub enum ModuleFileError {
    /// It cannot be read.
    #[error("failed to read the module {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is a folder, perhaps that of a guest.
    #[error("{} is a folder, not a module", path.display())]
    Folder {
        /// Which folder.
        path: PathBuf,
    },
    /// It is too large, or no file.
    #[error("{} is no file of a size that a module can have", path.display())]
    Size {
        /// Which file.
        path: PathBuf,
    },
}

/// The bytes of a module's file, whatever they are.
///
/// # Errors
/// When they cannot be read, or are far more than a module can have.
pub fn read(file: &Path) -> Result<Vec<u8>, ModuleFileError> {
    let failed = |source| ModuleFileError::Read { path: file.to_owned(), source };
    let metadata = std::fs::metadata(file).map_err(failed)?;
    if metadata.is_dir() {
        return Err(ModuleFileError::Folder { path: file.to_owned() });
    }
    if !metadata.is_file() || metadata.len() > MAX_FILE_BYTES {
        return Err(ModuleFileError::Size { path: file.to_owned() });
    }
    std::fs::read(file).map_err(failed)
}

/// Whether a module is larger than the limits allow, so that a service takes it only with raised ones. What
/// is no module at all is refused elsewhere, with the reason.
#[must_use]
pub fn needs_raised(limits: &Limits, module: &[u8]) -> bool {
    Survey::of(module).is_ok_and(|survey| !survey.beyond(limits).is_empty())
}

#[cfg(test)]
mod tests {
    use openmcp_dns_policy::STANDARD;

    use super::*;

    #[test]
    fn what_is_no_file_of_a_module_is_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(read(folder.path()), Err(ModuleFileError::Folder { .. })));
        assert!(matches!(read(&folder.path().join("none")), Err(ModuleFileError::Read { .. })));
        let large = folder.path().join("large");
        std::fs::File::create(&large).unwrap().set_len(MAX_FILE_BYTES + 1).unwrap();
        assert!(matches!(read(&large), Err(ModuleFileError::Size { .. })));
    }

    #[test]
    fn limits_are_raised_for_a_module_that_is_larger_and_not_for_what_is_none() {
        let small = Limits { module_bytes: 1024, ..Limits::default() };
        assert!(needs_raised(&small, STANDARD));
        assert!(!needs_raised(&Limits::default(), STANDARD));
        assert!(!needs_raised(&small, b"no module"));
    }
}
