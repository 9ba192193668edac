//! Who a client is: its certificate, and nothing else.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use openmcp_dns_core::cluster::ClusterId;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// The SHA-256 of a certificate in DER.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

/// Not a fingerprint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a fingerprint has 64 hex digits")]
pub struct NoFingerprint;

impl Fingerprint {
    /// Of a certificate in DER.
    #[must_use]
    pub fn of(certificate: &[u8]) -> Self {
        Self(Sha256::digest(certificate).into())
    }

    /// Of the first certificate in a text (PEM).
    ///
    /// # Errors
    /// When there is none.
    pub fn of_pem(text: &[u8]) -> Result<Self, CredentialsError> {
        let certificate = CertificateDer::from_pem_slice(text)?;
        Ok(Self::of(&certificate))
    }
}

impl FromStr for Fingerprint {
    type Err = NoFingerprint;

    fn from_str(text: &str) -> Result<Self, NoFingerprint> {
        let mut bytes = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return Err(NoFingerprint);
        }
        for (index, byte) in bytes.iter_mut().enumerate() {
            let digits = text.get(index * 2..index * 2 + 2).ok_or(NoFingerprint)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| NoFingerprint)?;
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Which certificate is which cluster's. A cluster may have several, while one takes the place of another; one that is
/// not here is nobody's, whoever has signed it.
pub type Agents = BTreeMap<Fingerprint, ClusterId>;

/// What the gate shows of itself, and whom it trusts; all as PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The gate's certificate, with those that lead to its authority.
    pub certificate: Vec<u8>,
    /// Its key.
    pub key: Vec<u8>,
    /// The authorities of agents' certificates.
    pub authorities: Vec<u8>,
}

/// Why credentials are of no use.
#[derive(Debug, Error)]
pub enum CredentialsError {
    /// Not PEM.
    #[error("unable to read the certificates")]
    Pem(#[from] rustls::pki_types::pem::Error),
    /// No certificate, or one that does not fit its key.
    #[error("unable to use the certificate")]
    Certificate(#[from] rustls::Error),
    /// Without authorities, nobody could be let in.
    #[error("unable to use the authorities")]
    Authorities(#[from] VerifierBuilderError),
}

impl Credentials {
    /// What connections are made with: TLS 1.2 or later, and nobody without a certificate of an authority.
    ///
    /// # Errors
    /// When they are of no use.
    pub fn server(&self) -> Result<Arc<ServerConfig>, CredentialsError> {
        let Self { certificate, key, authorities } = self;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = RootCertStore::empty();
        for authority in CertificateDer::pem_slice_iter(authorities) {
            roots.add(authority?)?;
        }
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build()?;
        let chain = CertificateDer::pem_slice_iter(certificate).collect::<Result<Vec<_>, _>>()?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, PrivateKeyDer::from_pem_slice(key)?)?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Arc::new(config))
    }
}

impl fmt::Debug for Credentials {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

    use super::*;

    #[test]
    fn a_fingerprint_is_written_as_openssl_does_without_colons() {
        let fingerprint = Fingerprint::of(b"");
        let text = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(fingerprint.to_string(), text);
        assert_eq!(text.parse(), Ok(fingerprint));
        for none in ["", "e3", &text[1..], &text.replace('e', "g"), &"ä".repeat(32)] {
            assert_eq!(none.parse::<Fingerprint>(), Err(NoFingerprint), "{none}");
        }
    }
}
