//! What a kube-apiserver needs to prove who it is, and to sign the tokens of service accounts.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType,
};

/// Files of one API server.
#[derive(Clone, Debug)]
pub struct Certificates {
    /// Certificate of the authority, as PEM text; clients trust it.
    pub authority: String,
    /// The server's certificate, for 127.0.0.1.
    pub server_certificate: PathBuf,
    /// The server's key.
    pub server_key: PathBuf,
    /// With which the tokens of service accounts are signed.
    pub service_account_key: PathBuf,
    /// With which they are verified.
    pub service_account_public_key: PathBuf,
}

impl Certificates {
    /// Makes them all and writes them into a folder.
    ///
    /// # Errors
    /// When a key cannot be made or a file not be written.
    pub fn create(name: &str, folder: &Path) -> anyhow::Result<Self> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, format!("authority of {name}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)
            .context("failed to make a certificate authority")?;

        let mut params = CertificateParams::new(["localhost".to_owned()])?;
        params.subject_alt_names.push(SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate()?;
        let certificate =
            params.signed_by(&key, &authority).context("failed to make the server's certificate")?;
        let service_account = KeyPair::generate()?;

        let write = |file: &str, text: String| -> anyhow::Result<PathBuf> {
            let path = folder.join(file);
            std::fs::write(&path, text).with_context(|| format!("failed to write {}", path.display()))?;
            Ok(path)
        };
        Ok(Self {
            authority: authority.pem(),
            server_certificate: write("server.crt", certificate.pem())?,
            server_key: write("server.key", key.serialize_pem())?,
            service_account_key: write("service-account.key", service_account.serialize_pem())?,
            service_account_public_key: write("service-account.pub", service_account.public_key_pem())?,
        })
    }
}
