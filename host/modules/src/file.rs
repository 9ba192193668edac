//! Modules in files, for demonstrations and tests.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use crate::ModuleError;
use openmcp_dns_api::dns_policy::FileSource;

/// The bytes of a file, one more than `limit` at most, so that what is too large is seen to be.
pub(crate) async fn fetch(source: &FileSource, limit: usize) -> Result<Vec<u8>, ModuleError> {
    let path = source.path.clone();
    let wrong = |problem| ModuleError::File { path: path.clone(), problem };
    if !Path::new(&path).is_absolute() {
        return Err(wrong("it is not absolute"));
    }
    let failed = |source| ModuleError::ReadFile { path: path.clone(), source };
    let metadata = tokio::fs::metadata(&path).await.map_err(failed)?;
    // Opening a pipe would wait for somebody to write to it.
    if !metadata.is_file() {
        return Err(wrong("it is no file"));
    }
    let opened = path.clone();
    let read = move || {
        let mut bytes = Vec::new();
        let at_most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        File::open(opened)?.take(at_most).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    tokio::task::spawn_blocking(read).await?.map_err(failed)
}
