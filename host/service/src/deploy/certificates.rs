//! The certificates of etcd and of those who may talk to it: made and renewed here, kept in Secrets.
//!
//! etcd reads its certificate at every handshake, and whom it trusts at its start only; CoreDNS reads both at its start: such
//! pods are made anew, one at a time (the digests stand in their templates). The store of the service prepares its
//! connection anew when its files change. So a renewal is no outage, and neither is another authority.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;

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
use serde_json::json;
use thiserror::Error;

use super::authority::{Authority, Lifetimes, Signed, after, is_due};

/// Annotation on our Secrets: when the certificate ends.
const ENDS_ANNOTATION: &str = "dns.openmcp.cloud/not-after";

/// Which authority has signed it.
const ISSUER_ANNOTATION: &str = "dns.openmcp.cloud/issuer";

/// When the authority was changed last.
const CHANGED_ANNOTATION: &str = "dns.openmcp.cloud/changed";

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
    /// Nobody has given it.
    #[error("Secret {0} has no tls.crt, tls.key and ca.crt, which are to be given (spec.etcd.certificates)")]
    Missing(&'static str),
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

/// What was issued.
pub(super) struct Issued {
    /// For etcd, which reads it from its Secret.
    pub(super) server: Pair,
    /// For the central DNS servers.
    pub(super) reader: Pair,
    /// For the service itself.
    pub(super) writer: Pair,
}

impl Pair {
    /// 16 digits that change with who is trusted.
    pub(super) fn trust(&self) -> String {
        digest(&self.authority)
    }

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
    pub(super) lifetimes: Lifetimes,
}

/// What a certificate is for.
struct Purpose {
    secret: &'static str,
    /// Whom it names.
    common_name: &'static str,
    /// Under which names others reach it.
    names: Vec<String>,
}

/// A Secret of ours.
#[derive(Default)]
struct Kept {
    data: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
}

impl Kept {
    fn text(&self, key: &str) -> Option<String> {
        self.data.get(key).cloned()
    }

    fn time(&self, annotation: &str) -> Option<Timestamp> {
        self.annotations.get(annotation)?.parse().ok()
    }

    /// `None` where it lacks something.
    fn pair(&self) -> Option<Pair> {
        let (certificate, key) = (self.text("tls.crt")?, self.text("tls.key")?);
        Some(Pair { certificate, key, authority: self.text("ca.crt")? })
    }

    fn authority(&self) -> Option<Authority> {
        let Pair { certificate, key, authority: trusted } = self.pair()?;
        let next = self.text("next.crt").zip(self.text("next.key"));
        Some(Authority {
            current: Signed { certificate, key },
            next: next.map(|(certificate, key)| Signed { certificate, key }),
            trusted,
            ends: self.time(ENDS_ANNOTATION),
            changed: self.time(CHANGED_ANNOTATION).unwrap_or_default(),
        })
    }
}

impl Certificates {
    /// Makes what is missing, renews what ends soon, and has another authority take over in time. `is_settled` says of
    /// what was issued last whether everybody runs with it.
    pub(super) async fn ensure(
        &self,
        is_settled: impl Fn(&Issued) -> bool,
    ) -> Result<Issued, CertificateError> {
        let now = Timestamp::now();
        let mut authority = match self.read(AUTHORITY_SECRET).await?.and_then(|kept| kept.authority()) {
            Some(authority) => authority,
            None => {
                let authority = Authority::make(&self.lifetimes, now)?;
                self.keep_authority(&authority).await?;
                authority
            }
        };
        let mut issued = self.issue(&authority, now).await?;
        if let Some(rotated) = authority.rotated(&self.lifetimes, is_settled(&issued), now)? {
            authority = rotated;
            self.keep_authority(&authority).await?;
            issued = self.issue(&authority, now).await?;
        }
        Ok(issued)
    }

    /// That of the service itself, if it has been made.
    pub(super) async fn writer(&self) -> Result<Option<Pair>, CertificateError> {
        Ok(self.read(WRITER_SECRET).await?.and_then(|kept| kept.pair()))
    }

    /// What somebody else keeps in the Secrets, cert-manager for example.
    pub(super) async fn given(&self) -> Result<Issued, CertificateError> {
        let read = async |name: &'static str| {
            let secret =
                self.api().get_opt(name).await.map_err(|source| self.failed("read", name, source))?;
            let kept = secret.map(kept).unwrap_or_default();
            kept.pair().ok_or(CertificateError::Missing(name))
        };
        Ok(Issued {
            server: read(SERVER_SECRET).await?,
            reader: read(READER_SECRET).await?,
            writer: read(WRITER_SECRET).await?,
        })
    }

    async fn issue(&self, authority: &Authority, now: Timestamp) -> Result<Issued, CertificateError> {
        let purpose = |secret, common_name, names| Purpose { secret, common_name, names };
        let server = purpose(SERVER_SECRET, "openmcp-dns-etcd", server_names(&self.namespace));
        let reader = purpose(READER_SECRET, "openmcp-dns-reader", Vec::new());
        let writer = purpose(WRITER_SECRET, "openmcp-dns-writer", Vec::new());
        Ok(Issued {
            server: self.issued(&server, authority, now).await?,
            reader: self.issued(&reader, authority, now).await?,
            writer: self.issued(&writer, authority, now).await?,
        })
    }

    async fn issued(
        &self,
        purpose: &Purpose,
        authority: &Authority,
        now: Timestamp,
    ) -> Result<Pair, CertificateError> {
        let Purpose { secret, common_name, names } = purpose;
        let lifetime = self.lifetimes.certificate;
        let kept = self.read(secret).await?;
        let good = kept.as_ref().and_then(|kept| {
            let is_of_this = kept.annotations.get(ISSUER_ANNOTATION) == Some(&authority.digest());
            let ends = kept.time(ENDS_ANNOTATION)?;
            (is_of_this && !is_due(Some(ends), lifetime, now)).then_some((kept.pair()?, ends))
        });
        let (pair, ends) = match good {
            Some((pair, _)) if pair.authority == authority.trusted => return Ok(pair),
            // Only who is trusted has changed.
            Some((pair, ends)) => (Pair { authority: authority.trusted.clone(), ..pair }, ends),
            None => {
                tracing::info!(secret, "a certificate is made");
                let Signed { certificate, key } = authority.sign(common_name, names, lifetime, now)?;
                (Pair { certificate, key, authority: authority.trusted.clone() }, after(now, lifetime))
            }
        };
        let data = [("tls.crt", &pair.certificate), ("tls.key", &pair.key), ("ca.crt", &pair.authority)];
        let annotations = [(ENDS_ANNOTATION, ends.to_string()), (ISSUER_ANNOTATION, authority.digest())];
        self.keep(secret, &data, &annotations).await?;
        Ok(pair)
    }

    async fn keep_authority(&self, authority: &Authority) -> Result<(), CertificateError> {
        let Authority { current, next, trusted, ends, changed } = authority;
        let mut data =
            vec![("tls.crt", &current.certificate), ("tls.key", &current.key), ("ca.crt", trusted)];
        if let Some(next) = next {
            data.extend([("next.crt", &next.certificate), ("next.key", &next.key)]);
        }
        let mut annotations = vec![(CHANGED_ANNOTATION, changed.to_string())];
        annotations.extend(ends.map(|ends| (ENDS_ANNOTATION, ends.to_string())));
        self.keep(AUTHORITY_SECRET, &data, &annotations).await
    }

    /// What a Secret of ours holds; `None` where there is none.
    async fn read(&self, name: &'static str) -> Result<Option<Kept>, CertificateError> {
        let secret = self.api().get_opt(name).await.map_err(|source| self.failed("read", name, source))?;
        let Some(secret) = secret else { return Ok(None) };
        if !is_ours(&json!({"metadata": {"labels": secret.metadata.labels}})) {
            return Err(CertificateError::Foreign(name));
        }
        Ok(Some(kept(secret)))
    }

    async fn keep(
        &self,
        name: &'static str,
        data: &[(&str, &String)],
        annotations: &[(&str, String)],
    ) -> Result<(), CertificateError> {
        let data: BTreeMap<&str, ByteString> =
            data.iter().map(|(key, text)| (*key, ByteString(text.as_bytes().to_vec()))).collect();
        let annotations: BTreeMap<&str, &String> =
            annotations.iter().map(|(key, text)| (*key, text)).collect();
        let secret = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/tls",
            "metadata": {
                "name": name,
                "namespace": self.namespace,
                "labels": {MANAGED_BY_LABEL: MANAGER, "app.kubernetes.io/name": "openmcp-dns"},
                "annotations": annotations,
            },
            "data": data,
        });
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let written = self.api().patch(name, &params, &Patch::Apply(&secret)).await;
        written.map(drop).map_err(|source| self.failed("write", name, source))
    }

    fn api(&self) -> Api<Secret> {
        Api::namespaced(self.platform.clone(), &self.namespace)
    }

    fn failed(&self, verb: &'static str, name: &'static str, source: kube::Error) -> CertificateError {
        CertificateError::Request { verb, namespace: self.namespace.clone(), name, source: Box::new(source) }
    }
}

fn kept(secret: Secret) -> Kept {
    let data = secret.data.unwrap_or_default().into_iter();
    let data = data.filter_map(|(key, ByteString(bytes))| Some((key, String::from_utf8(bytes).ok()?)));
    Kept { data: data.collect(), annotations: secret.metadata.annotations.unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_readable_for_their_owner_only_and_written_when_they_differ() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let text = |text: &str| text.to_owned();
        let pair = Pair { certificate: text("certificate"), key: text("key"), authority: text("authority") };
        pair.write(folder.path()).unwrap();
        let key = folder.path().join("tls.key");
        assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        let written = std::fs::metadata(&key).unwrap().modified().unwrap();
        pair.write(folder.path()).unwrap();
        assert_eq!(std::fs::metadata(&key).unwrap().modified().unwrap(), written);
    }
}
