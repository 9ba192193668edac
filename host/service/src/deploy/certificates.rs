//! The certificates of etcd and of those who may talk to it: made and renewed here, kept in Secrets.
//!
//! etcd reads its files at every handshake, CoreDNS gets new pods (the digest stands in their template), and the store of
//! the service prepares its connection anew when its files change: a renewal is no outage.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::{Patch, PatchParams};
use openmcp_dns_api::FIELD_MANAGER;
use openmcp_dns_core::deployment::{
    AUTHORITY_SECRET, MANAGED_BY_LABEL, MANAGER, READER_SECRET, SERVER_SECRET, WRITER_SECRET, digest,
    is_ours, server_names,
};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use serde_json::json;
use thiserror::Error;

/// How long the authority is good for.
const AUTHORITY_DAYS: i64 = 3650;

/// How long a certificate is good for. It is renewed when a third of that is left.
const DAYS: i64 = 90;

/// Clocks differ: a new certificate is good from a while ago.
const BACKDATED: Duration = Duration::from_secs(3600);

/// Annotation on our Secrets: when the certificate ends.
const ENDS_ANNOTATION: &str = "dns.openmcp.cloud/not-after";

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
        name: &'static str,
        /// Why.
        #[source]
        source: Box<kube::Error>,
    },
    /// Somebody else's Secret has the name.
    #[error(
        "Secret {0} is not ours (it lacks the label {MANAGED_BY_LABEL}: {MANAGER}) and is left alone; delete or rename it"
    )]
    Foreign(&'static str),
    /// The authority in the Secret is of no use.
    #[error(
        "the certificate authority in Secret {AUTHORITY_SECRET} cannot be used; delete the Secret to have a new one made"
    )]
    Authority(#[source] rcgen::Error),
    /// A certificate cannot be made.
    #[error("unable to make a certificate")]
    Making(#[source] rcgen::Error),
    /// A file cannot be written.
    #[error("unable to write {0}")]
    File(String, #[source] std::io::Error),
}

/// A certificate, its key, and the authority that signed it (PEM).
#[derive(Clone)]
pub(super) struct Pair {
    certificate: String,
    key: String,
    authority: String,
}

/// What was issued, without what only etcd reads.
pub(super) struct Issued {
    /// For the central DNS servers.
    pub(super) reader: Pair,
    /// For the service itself.
    pub(super) writer: Pair,
}

impl Pair {
    /// 16 digits that change with the certificate.
    pub(super) fn digest(&self) -> String {
        digest(&format!("{}{}", self.certificate, self.authority))
    }

    /// Writes the three files, those that differ.
    pub(super) fn write(&self, folder: &Path) -> Result<(), CertificateError> {
        for (name, text) in
            [("ca.crt", &self.authority), ("tls.crt", &self.certificate), ("tls.key", &self.key)]
        {
            write_file(&folder.join(name), text.as_bytes())?;
        }
        Ok(())
    }
}

/// Writes a file that differs. Whoever reads it sees the old or the new text, never a part; and only this user does.
pub(super) fn write_file(file: &Path, content: &[u8]) -> Result<(), CertificateError> {
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

pub(super) struct Certificates {
    pub(super) platform: kube::Client,
    pub(super) namespace: String,
}

/// What a certificate is for.
struct Purpose {
    secret: &'static str,
    /// Whom it names.
    common_name: &'static str,
    /// Under which names others reach it.
    names: Vec<String>,
}

impl Certificates {
    /// Makes what is missing, and renews what ends soon.
    pub(super) async fn ensure(&self) -> Result<Issued, CertificateError> {
        let now = Timestamp::now();
        let authority = match self.read(AUTHORITY_SECRET).await? {
            Some((authority, _)) => authority,
            None => self.store(AUTHORITY_SECRET, make_authority(now)?, ends(now, AUTHORITY_DAYS)).await?,
        };
        let purpose = |secret, common_name, names| Purpose { secret, common_name, names };
        let server = purpose(SERVER_SECRET, "openmcp-dns-etcd", server_names(&self.namespace));
        self.issued(&server, &authority, now).await?;
        let reader = purpose(READER_SECRET, "openmcp-dns-reader", Vec::new());
        let writer = purpose(WRITER_SECRET, "openmcp-dns-writer", Vec::new());
        Ok(Issued {
            reader: self.issued(&reader, &authority, now).await?,
            writer: self.issued(&writer, &authority, now).await?,
        })
    }

    async fn issued(
        &self,
        purpose: &Purpose,
        authority: &Pair,
        now: Timestamp,
    ) -> Result<Pair, CertificateError> {
        if let Some((pair, ends)) = self.read(purpose.secret).await?
            && pair.authority == authority.certificate
            && !is_due(ends, now)
        {
            return Ok(pair);
        }
        tracing::info!(secret = purpose.secret, days = DAYS, "a certificate is made");
        let pair = make(purpose, authority, now)?;
        self.store(purpose.secret, pair, ends(now, DAYS)).await
    }

    /// What a Secret of ours holds, and when it ends; `None` where there is none, or it lacks something.
    async fn read(&self, name: &'static str) -> Result<Option<(Pair, Option<Timestamp>)>, CertificateError> {
        let Some(secret) =
            self.api().get_opt(name).await.map_err(|source| self.failed("read", name, source))?
        else {
            return Ok(None);
        };
        let metadata = secret.metadata;
        if !is_ours(&json!({"metadata": {"labels": metadata.labels}})) {
            return Err(CertificateError::Foreign(name));
        }
        let ends =
            metadata.annotations.unwrap_or_default().get(ENDS_ANNOTATION).and_then(|text| text.parse().ok());
        let mut data = secret.data.unwrap_or_default();
        let mut text = |key| data.remove(key).and_then(|ByteString(bytes)| String::from_utf8(bytes).ok());
        let parts = (text("tls.crt"), text("tls.key"), text("ca.crt"));
        let (Some(certificate), Some(key), Some(authority)) = parts else { return Ok(None) };
        Ok(Some((Pair { certificate, key, authority }, ends)))
    }

    async fn store(&self, name: &'static str, pair: Pair, ends: Timestamp) -> Result<Pair, CertificateError> {
        let data: BTreeMap<&str, ByteString> =
            [("tls.crt", &pair.certificate), ("tls.key", &pair.key), ("ca.crt", &pair.authority)]
                .map(|(key, text)| (key, ByteString(text.clone().into_bytes())))
                .into();
        let secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/tls",
            "metadata": {
                "name": name,
                "namespace": self.namespace,
                "labels": {MANAGED_BY_LABEL: MANAGER, "app.kubernetes.io/name": "openmcp-dns"},
                "annotations": {ENDS_ANNOTATION: ends.to_string()},
            },
            "data": data,
        });
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let written = self.api().patch(name, &params, &Patch::Apply(&secret)).await;
        written.map_err(|source| self.failed("write", name, source))?;
        Ok(pair)
    }

    fn api(&self) -> Api<Secret> {
        Api::namespaced(self.platform.clone(), &self.namespace)
    }

    fn failed(&self, verb: &'static str, name: &'static str, source: kube::Error) -> CertificateError {
        CertificateError::Request { verb, namespace: self.namespace.clone(), name, source: Box::new(source) }
    }
}

/// Whether a certificate is to be renewed: also where nobody knows when it ends.
fn is_due(ends: Option<Timestamp>, now: Timestamp) -> bool {
    ends.is_none_or(|ends| ends.as_second() - now.as_second() < DAYS * 86_400 / 3)
}

fn ends(now: Timestamp, days: i64) -> Timestamp {
    Timestamp::from_second(now.as_second() + days * 86_400).unwrap_or(now)
}

fn params(common_name: &str, now: Timestamp, days: i64) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = (std::time::UNIX_EPOCH + Duration::from_secs(seconds(now)) - BACKDATED).into();
    params.not_after = (std::time::UNIX_EPOCH + Duration::from_secs(seconds(ends(now, days)))).into();
    params
}

fn seconds(time: Timestamp) -> u64 {
    u64::try_from(time.as_second()).unwrap_or_default()
}

/// The authority's own words. They have to be the same whenever something is signed.
fn authority_params(now: Timestamp) -> CertificateParams {
    let mut params = params("openmcp-dns etcd authority", now, AUTHORITY_DAYS);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn make_authority(now: Timestamp) -> Result<Pair, CertificateError> {
    let key = KeyPair::generate().map_err(CertificateError::Making)?;
    let certificate = authority_params(now).self_signed(&key).map_err(CertificateError::Making)?.pem();
    Ok(Pair { authority: certificate.clone(), certificate, key: key.serialize_pem() })
}

fn make(purpose: &Purpose, authority: &Pair, now: Timestamp) -> Result<Pair, CertificateError> {
    let issuing_key = KeyPair::from_pem(&authority.key).map_err(CertificateError::Authority)?;
    let issuer = Issuer::new(authority_params(now), issuing_key);
    let mut params = params(purpose.common_name, now, DAYS);
    for name in &purpose.names {
        params.subject_alt_names.push(match name.parse() {
            Ok(address) => rcgen::SanType::IpAddress(address),
            Err(_) => rcgen::SanType::DnsName(name.as_str().try_into().map_err(CertificateError::Making)?),
        });
    }
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    if !purpose.names.is_empty() {
        params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
    }
    let key = KeyPair::generate().map_err(CertificateError::Making)?;
    let certificate = params.signed_by(&key, &issuer).map_err(CertificateError::Making)?.pem();
    Ok(Pair { certificate, key: key.serialize_pem(), authority: authority.certificate.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_renewed_when_a_third_of_its_time_is_left_or_nobody_knows() {
        let now = Timestamp::now();
        assert!(!is_due(Some(ends(now, 31)), now));
        assert!(is_due(Some(ends(now, 29)), now));
        assert!(is_due(None, now));
    }

    #[test]
    fn files_are_readable_for_their_owner_only_and_written_when_they_differ() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let authority = make_authority(Timestamp::now()).unwrap();
        authority.write(folder.path()).unwrap();
        let key = folder.path().join("tls.key");
        assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        let written = std::fs::metadata(&key).unwrap().modified().unwrap();
        authority.write(folder.path()).unwrap();
        assert_eq!(std::fs::metadata(&key).unwrap().modified().unwrap(), written);
    }
}
