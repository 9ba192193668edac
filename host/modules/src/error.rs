//! Why a module is not used.

use std::time::Duration;

use openmcp_dns_policy::{LoadError, LoadReason};
use thiserror::Error;

use crate::refused::operators_step;
use crate::registry::{CredentialsError, ReferenceError, RegistryError};
use crate::remote::RemoteError;
use openmcp_dns_api::conditions::Reason;

/// Why a module is not used.
#[derive(Debug, Error)]
pub enum ModuleError {
    /// The source names nothing.
    #[error("spec.module names no source; set builtIn, configMap, oci or http")]
    NoSource,
    /// The API server did not give an object.
    #[error("unable to read {0}")]
    Object(String, #[source] kube::Error),
    /// There is no such object, or no such key.
    #[error("{0}")]
    Missing(String),
    /// A pull secret cannot be used.
    #[error("Secret {secret} cannot be used")]
    PullSecret {
        /// Namespace and name.
        secret: String,
        /// Why; without any of its content.
        source: CredentialsError,
    },
    /// The reference is none.
    #[error("spec.module.oci.reference cannot be used")]
    Reference(#[from] ReferenceError),
    /// The URL is none.
    #[error("spec.module.http.url is no URL of the form https://host/path without user and password")]
    Url,
    /// A registry did not give the module.
    #[error("unable to pull {reference}")]
    Registry {
        /// What was asked for.
        reference: String,
        /// Why.
        source: RegistryError,
    },
    /// A web server did not give the module.
    #[error("unable to download {url}")]
    Http {
        /// What was asked for, without its query.
        url: String,
        /// Why.
        source: RemoteError,
    },
    /// It took too long.
    #[error("{origin} did not come within {} seconds", .limit.as_secs())]
    TooSlow {
        /// Where the module comes from.
        origin: String,
        /// How long it may take.
        limit: Duration,
    },
    /// Files are not allowed.
    #[error(
        "spec.module.file is for demonstrations and tests; use another source, or start openmcp-dns run \
         with --allow-file-modules"
    )]
    FilesNotAllowed,
    /// The file cannot be used.
    #[error("spec.module.file.path {path}: {problem}")]
    File {
        /// The path.
        path: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The file cannot be read.
    #[error("unable to read the file {path}")]
    ReadFile {
        /// The path.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The source needs a digest and has none.
    #[error("spec.module.sha256 is missing; set it to the digest of the module that you mean to run")]
    NoDigest,
    /// The bytes are not the expected ones.
    #[error(
        "{origin} has the SHA-256 {found}, spec.module.sha256 expects {expected}; \
         set it to the digest of the module that you mean to run"
    )]
    Digest {
        /// Where the bytes come from.
        origin: String,
        /// Their digest.
        found: String,
        /// The digest in the spec.
        expected: String,
    },
    /// It was not compiled, or did not answer its first questions, in time.
    #[error(
        "the module was not compiled within {} seconds; make it smaller, or give openmcp-dns more of a processor",
        .limit.as_secs()
    )]
    NotCompiledInTime {
        /// How long it may take.
        limit: Duration,
    },
    /// The module is refused.
    #[error("{0}{step}", step = operators_step(.0).map(|step| format!("; {step}")).unwrap_or_default())]
    Refused(#[from] LoadError),
    /// A guard is not used.
    #[error("guard {name}: {}", openmcp_dns_core::chain(&**.error).replace("spec.module", "its module"))]
    OfGuard {
        /// Its name.
        name: String,
        /// Why; no source, so that the field that it names is the guard's.
        error: Box<ModuleError>,
    },
    /// A bug of ours.
    #[error("the task that loads modules ended early")]
    Internal(#[from] tokio::task::JoinError),
}

impl ModuleError {
    /// The same of a guard.
    #[must_use]
    pub fn of_guard(self, name: &str) -> Self {
        Self::OfGuard { name: name.to_owned(), error: Box::new(self) }
    }

    /// Whether another attempt may go better although nothing has changed in the spec. Much of what
    /// looks final is not: a Secret, a permission or a push may come later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::OfGuard { error, .. } => error.is_transient(),
            Self::Object(..)
            | Self::Missing(_)
            | Self::PullSecret { .. }
            | Self::TooSlow { .. }
            | Self::ReadFile { .. }
            // Within the limits, only a machine that is busy with other things takes that long.
            | Self::NotCompiledInTime { .. }
            | Self::Internal(_) => true,
            Self::Registry { source, .. } => !matches!(
                source,
                RegistryError::Remote(RemoteError::Plain { .. } | RemoteError::NoCertificates)
            ),
            Self::Http { source, .. } => {
                !matches!(source, RemoteError::Plain { .. } | RemoteError::NoCertificates)
            }
            Self::NoSource
            | Self::Reference(_)
            | Self::Url
            | Self::FilesNotAllowed
            | Self::File { .. }
            | Self::NoDigest
            | Self::Digest { .. }
            | Self::Refused(_) => false,
        }
    }

    /// The reason of the condition.
    pub fn reason(&self) -> Reason {
        match self {
            Self::OfGuard { error, .. } => error.reason(),
            Self::Digest { .. } | Self::Registry { source: RegistryError::Digest { .. }, .. } => {
                Reason::ModuleDigestMismatch
            }
            Self::Registry { source: RegistryError::NotAModule { .. }, .. } => {
                Reason::Refused(LoadReason::NotAComponent)
            }
            Self::Registry { source: RegistryError::Remote(RemoteError::TooLarge { .. }), .. }
            | Self::Http { source: RemoteError::TooLarge { .. }, .. } => {
                Reason::Refused(LoadReason::TooLarge)
            }
            // A bug of ours says nothing of the module.
            Self::Refused(LoadError::Internal(_)) => Reason::ModuleRejected,
            Self::Refused(error) => Reason::Refused(error.reason()),
            error if error.is_transient() => Reason::ModuleUnavailable,
            _ => Reason::ModuleRejected,
        }
    }
}
