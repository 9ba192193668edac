//! Certificates that the service makes: an authority, what it signs, and when another one takes over.
//!
//! Whoever reads its certificate at its start only is made anew with another one, one pod at a time (digests stand in the
//! templates of pods). So a renewal is no outage, and neither is another authority.

mod authority;
mod secrets;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

use k8s_openapi::ByteString;
use openmcp_dns_core::deployment::{MANAGED_BY_LABEL, MANAGER, digest};
use thiserror::Error;

pub use self::authority::Lifetimes;
pub(crate) use self::authority::{Authority, AuthorityId};
pub(crate) use self::secrets::{Keeper, Purpose};

/// Why there is no certificate.
#[derive(Debug, Error)]
pub enum CertificateError {
    /// The platform cluster refused, or did not answer.
    #[error("unable to {verb} Secret {namespace}/{name}")]
    Request {
        /// What was tried.
        verb: &'static str,
        /// Where it lies.
        namespace: String,
        /// Its name.
        name: String,
        /// Why.
        #[source]
        source: Box<kube::Error>,
    },
    /// Somebody else's Secret has the name.
    #[error(
        "Secret {0} is not ours (it lacks the label {MANAGED_BY_LABEL}: {MANAGER}) and is left alone; delete or rename it"
    )]
    Foreign(String),
    /// Nobody has given it.
    #[error("Secret {0} has no tls.crt, tls.key and ca.crt, which are to be given (spec.etcd.certificates)")]
    Missing(String),
    /// The authority in the Secret is of no use.
    #[error(
        "the certificate authority in Secret {0} cannot be used; delete the Secret to have a new one made"
    )]
    Authority(&'static str, #[source] rcgen::Error),
    /// A certificate cannot be made.
    #[error("unable to make a certificate")]
    Making(#[source] rcgen::Error),
    /// A file cannot be written.
    #[error("unable to write {0}")]
    File(String, #[source] std::io::Error),
}

/// A certificate, its key, and the authority that signed it (PEM).
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
    pub(crate) authority: String,
    /// The certificate before this one, which somebody may still have: see [`Purpose::keeps_former`].
    pub(crate) former: Option<String>,
}

/// Keys are not for logs.
impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pair").field("certificate", &self.certificate).finish_non_exhaustive()
    }
}

impl Pair {
    /// The three files, as the data of a Secret.
    pub(crate) fn files(&self) -> BTreeMap<&'static str, String> {
        let Self { certificate, key, authority, former: _ } = self;
        let files = [("ca.crt", authority), ("tls.crt", certificate), ("tls.key", key)];
        files.map(|(name, text)| (name, base64(text))).into()
    }

    /// 16 digits that change with who is trusted.
    pub(crate) fn trust(&self) -> String {
        digest(&self.authority)
    }

    /// 16 digits that change with the certificate.
    pub(crate) fn digest(&self) -> String {
        digest(&format!("{}{}", self.certificate, self.authority))
    }

    /// Writes the three files, those that differ.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), CertificateError> {
        for (name, text) in
            [("ca.crt", &self.authority), ("tls.crt", &self.certificate), ("tls.key", &self.key)]
        {
            write_file(&folder.join(name), text.as_bytes())?;
        }
        Ok(())
    }
}

/// As the API has bytes.
fn base64(text: &str) -> String {
    let encoded = serde_json::to_value(ByteString(text.as_bytes().to_vec()));
    encoded.ok().and_then(|encoded| encoded.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Writes a file that differs. Whoever reads it sees the old or the new text, never a part; and only this user does.
pub(crate) fn write_file(file: &Path, content: &[u8]) -> Result<(), CertificateError> {
    if std::fs::read(file).is_ok_and(|old| old == content) {
        return Ok(());
    }
    let replace = || {
        let new = file.with_extension("new");
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(&new)?.write_all(content)?;
        std::fs::rename(&new, file)
    };
    replace().map_err(|source| CertificateError::File(file.display().to_string(), source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_readable_for_their_owner_only_and_written_when_they_differ() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let text = |text: &str| text.to_owned();
        let pair = Pair {
            certificate: text("certificate"),
            key: text("key"),
            authority: text("authority"),
            former: None,
        };
        pair.write(folder.path()).unwrap();
        let key = folder.path().join("tls.key");
        assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        let written = std::fs::metadata(&key).unwrap().modified().unwrap();
        pair.write(folder.path()).unwrap();
        assert_eq!(std::fs::metadata(&key).unwrap().modified().unwrap(), written);
    }
}
