//! Compiled modules that are kept from one command to the next.
//!
//! What is kept is machine code, and is run as it is: whoever can write there can have anything done. So the folder is
//! one that only the user can write to, or there is none. What wasmtime's cache does with it: each file is
//! named by the digest of the module and of all that decides how it is compiled, is written under another name first, and
//! goes when all of them are too large, the one first that was not used for the longest time.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;
use wasmtime::{Cache, CacheConfig};

/// Most bytes of all files together before some go: a module in Python takes about 10 MB.
const BYTES: u64 = 256 << 20;
/// Most files.
const FILES: u64 = 500;

/// A folder with compiled modules; clones are the same.
#[derive(Clone, Debug)]
pub struct CompiledModules {
    cache: Cache,
}

/// Why compiled modules are not kept.
#[derive(Debug, Error)]
pub enum CompiledError {
    /// The folder cannot be made or looked at.
    #[error("failed to use the folder {}", folder.display())]
    Folder {
        /// Which.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody else could put machine code there.
    #[error("{} can be written to by others than this user", folder.display())]
    NotOurs {
        /// Which folder.
        folder: PathBuf,
    },
    /// The cache refuses its settings; a bug of ours.
    #[error("failed to set up the cache of compiled modules: {0}")]
    Settings(String),
}

impl CompiledModules {
    /// Keeps compiled modules in a folder, which is made if it is not there.
    ///
    /// # Errors
    /// When it is not the user's own: then nothing is kept.
    pub fn in_folder(folder: &Path) -> Result<Self, CompiledError> {
        let failed = |source| CompiledError::Folder { folder: folder.to_owned(), source };
        make(folder).map_err(failed)?;
        // What is checked and what is used are the same folder, whatever a link says tomorrow.
        let folder = folder.canonicalize().map_err(failed)?;
        check(&folder)?;
        let mut settings = CacheConfig::new();
        settings
            .with_directory(folder)
            .with_files_total_size_soft_limit(BYTES)
            .with_file_count_soft_limit(FILES);
        Cache::new(settings)
            .map(|cache| Self { cache })
            .map_err(|error| CompiledError::Settings(format!("{error:#}")))
    }

    pub(crate) fn cache(&self) -> Cache {
        self.cache.clone()
    }
}

#[cfg(unix)]
fn make(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Nobody but the user and the administrator can write to the folder, or put another one in its place.
#[cfg(unix)]
fn check(folder: &Path) -> Result<(), CompiledError> {
    use std::os::unix::fs::MetadataExt as _;
    let user = rustix::process::geteuid().as_raw();
    for above in folder.ancestors() {
        let failed = |source| CompiledError::Folder { folder: above.to_owned(), source };
        let metadata = std::fs::metadata(above).map_err(failed)?;
        let (owner, mode) = (metadata.uid(), metadata.mode());
        let ours = if above == folder {
            owner == user && mode & 0o077 == 0
        } else {
            // In a folder such as /tmp, nobody can rename what is another's.
            (owner == user || owner == 0) && (mode & 0o022 == 0 || mode & 0o1000 != 0)
        };
        if !ours {
            return Err(CompiledError::NotOurs { folder: above.to_owned() });
        }
    }
    Ok(())
}

#[cfg(not(unix))]
fn make(_: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(not(unix))]
fn check(_: &Path) -> Result<(), CompiledError> {
    Ok(())
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::{Author, Engine, Limits, STANDARD};

    fn engine(compiled: &CompiledModules) -> Engine {
        let author = Author { compiled: Some(compiled.clone()), ..Author::default() };
        Engine::for_author(Limits::default(), author).unwrap()
    }

    fn files(folder: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
        // Statistics of the cache lie beside the modules.
        let files = files.into_iter().filter(|file| file.extension().is_none());
        files.chain(folders.iter().flat_map(|folder| self::files(folder))).collect()
    }

    fn allow(folder: &Path, mode: u32) {
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn a_module_is_compiled_once_and_anew_when_its_file_is_broken() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("a/modules");
        let compiled = CompiledModules::in_folder(&folder).unwrap();
        let seen = || (compiled.cache.cache_hits(), compiled.cache.cache_misses());
        engine(&compiled).load(STANDARD, "{}").unwrap();
        assert_eq!(seen(), (0, 1));
        let module = engine(&compiled).load(STANDARD, "{}").unwrap();
        assert_eq!((seen(), module.digest()), ((1, 1), &*crate::digest(STANDARD)));
        let [file] = &files(&folder)[..] else { panic!("one module is kept") };
        let whole = std::fs::read(file).unwrap();
        for broken in [&whole[..whole.len() / 2], b"", b"something else"] {
            std::fs::write(file, broken).unwrap();
            engine(&compiled).load(STANDARD, "{}").unwrap();
            assert_eq!(std::fs::read(file).unwrap(), whole);
        }
        assert_eq!(seen(), (1, 4));
    }

    #[test]
    fn an_engine_with_other_settings_compiles_for_itself() {
        let folder = tempfile::tempdir().unwrap();
        allow(folder.path(), 0o700);
        let compiled = CompiledModules::in_folder(folder.path()).unwrap();
        engine(&compiled).load(STANDARD, "{}").unwrap();
        let author = Author { compiled: Some(compiled.clone()), traces: Some(Default::default()) };
        Engine::for_author(Limits::default(), author).unwrap().load(STANDARD, "{}").unwrap();
        assert_eq!((compiled.cache.cache_hits(), compiled.cache.cache_misses()), (0, 2));
    }

    #[test]
    fn nothing_is_kept_where_others_could_write() {
        let folder = tempfile::tempdir().unwrap();
        let modules = folder.path().join("modules");
        CompiledModules::in_folder(&modules).unwrap();
        assert_eq!(std::fs::metadata(&modules).unwrap().permissions().mode() & 0o777, 0o700);
        for (changed, mode) in [(&*modules, 0o750), (folder.path(), 0o777)] {
            allow(changed, mode);
            let error = CompiledModules::in_folder(&modules).unwrap_err();
            assert!(matches!(error, CompiledError::NotOurs { .. }), "{error}");
            allow(changed, 0o700);
        }
        CompiledModules::in_folder(&modules).unwrap();
        let error = CompiledModules::in_folder(Path::new("/dev/null/modules")).unwrap_err();
        assert!(matches!(error, CompiledError::Folder { .. }), "{error}");
    }
}
