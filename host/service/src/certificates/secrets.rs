//! An authority and what it has signed, kept in Secrets of the platform cluster.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use openmcp_dns_api::FIELD_MANAGER;
use openmcp_dns_core::deployment::{MANAGED_BY_LABEL, MANAGER, is_ours};
use serde_json::json;

use super::authority::{Authority, AuthorityId, Lifetimes, Signed, after, is_due};
use super::{CertificateError, Pair};

/// Annotation on our Secrets: when the certificate ends.
const ENDS_ANNOTATION: &str = "dns.openmcp.cloud/not-after";

/// Which authority has signed it.
const ISSUER_ANNOTATION: &str = "dns.openmcp.cloud/issuer";

/// Under which names others reach whose certificate it is.
const NAMES_ANNOTATION: &str = "dns.openmcp.cloud/names";

/// When the authority was changed last.
const CHANGED_ANNOTATION: &str = "dns.openmcp.cloud/changed";

/// Keeps one authority and what it signs.
pub(crate) struct Keeper {
    pub(crate) platform: kube::Client,
    pub(crate) namespace: String,
    pub(crate) lifetimes: Lifetimes,
    pub(crate) authority: AuthorityId,
}

/// What a certificate is for.
pub(crate) struct Purpose {
    /// Where it is kept.
    pub(crate) secret: String,
    /// Whom it names.
    pub(crate) common_name: String,
    /// Under which names others reach it.
    pub(crate) names: Vec<String>,
    /// Whether the one before is kept, without its key, until it is known that nobody needs it any more.
    pub(crate) keeps_former: bool,
}

/// The file of the certificate before.
const FORMER: &str = "former.crt";

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
        Some(Pair { certificate, key, authority: self.text("ca.crt")?, former: self.text(FORMER) })
    }

    fn authority(&self, id: AuthorityId) -> Option<Authority> {
        let Pair { certificate, key, authority: trusted, former: _ } = self.pair()?;
        let next = self.text("next.crt").zip(self.text("next.key"));
        Some(Authority {
            id,
            current: Signed { certificate, key },
            next: next.map(|(certificate, key)| Signed { certificate, key }),
            trusted,
            ends: self.time(ENDS_ANNOTATION),
            changed: self.time(CHANGED_ANNOTATION).unwrap_or_default(),
        })
    }
}

impl Keeper {
    /// The authority, made where there is none.
    pub(crate) async fn authority(&self, now: Timestamp) -> Result<Authority, CertificateError> {
        if let Some(authority) =
            self.read(self.authority.secret).await?.and_then(|kept| kept.authority(self.authority))
        {
            return Ok(authority);
        }
        let authority = Authority::make(self.authority, &self.lifetimes, now)?;
        self.keep_authority(&authority).await?;
        Ok(authority)
    }

    /// Takes the next step towards another authority, if one is due.
    pub(crate) async fn rotate(
        &self,
        authority: &Authority,
        is_settled: bool,
        now: Timestamp,
    ) -> Result<Option<Authority>, CertificateError> {
        let rotated = authority.rotated(&self.lifetimes, is_settled, now)?;
        if let Some(rotated) = &rotated {
            self.keep_authority(rotated).await?;
        }
        Ok(rotated)
    }

    /// A certificate that has been made.
    pub(crate) async fn pair(&self, name: &str) -> Result<Option<Pair>, CertificateError> {
        Ok(self.read(name).await?.and_then(|kept| kept.pair()))
    }

    /// What somebody else keeps in a Secret, cert-manager for example.
    pub(crate) async fn given(&self, name: &str) -> Result<Pair, CertificateError> {
        let secret = self.api().get_opt(name).await.map_err(|source| self.failed("read", name, source))?;
        secret.map(kept).unwrap_or_default().pair().ok_or_else(|| CertificateError::Missing(name.to_owned()))
    }

    /// Forgets a certificate; gives whether there was one.
    pub(crate) async fn forget(&self, name: &str) -> Result<bool, CertificateError> {
        if self.read(name).await?.is_none() {
            return Ok(false);
        }
        match self.api().delete(name, &DeleteParams::default()).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(false),
            gone => gone.map(|_| true).map_err(|source| self.failed("delete", name, source)),
        }
    }

    /// A certificate, made or renewed where that is due.
    pub(crate) async fn issued(
        &self,
        purpose: &Purpose,
        authority: &Authority,
        now: Timestamp,
    ) -> Result<Pair, CertificateError> {
        let Purpose { secret, common_name, names, keeps_former } = purpose;
        let lifetime = self.lifetimes.certificate;
        let kept = self.read(secret).await?;
        let good = kept.as_ref().and_then(|kept| {
            let is_of_this = kept.annotations.get(ISSUER_ANNOTATION) == Some(&authority.digest());
            let ends = kept.time(ENDS_ANNOTATION)?;
            // One that was made before its names were noted has those that never change.
            let has_names =
                kept.annotations.get(NAMES_ANNOTATION).is_none_or(|known| *known == names.join(","));
            (is_of_this && has_names && !is_due(Some(ends), lifetime, now)).then_some((kept.pair()?, ends))
        });
        let (pair, ends) = match good {
            Some((pair, _)) if pair.authority == authority.trusted => return Ok(pair),
            // Only who is trusted has changed.
            Some((pair, ends)) => (Pair { authority: authority.trusted.clone(), ..pair }, ends),
            None => {
                tracing::info!(secret, "a certificate is made");
                let Signed { certificate, key } = authority.sign(common_name, names, lifetime, now)?;
                let former = kept.filter(|_| *keeps_former).and_then(|kept| kept.text("tls.crt"));
                let pair = Pair { certificate, key, authority: authority.trusted.clone(), former };
                (pair, after(now, lifetime))
            }
        };
        let mut data =
            vec![("tls.crt", &pair.certificate), ("tls.key", &pair.key), ("ca.crt", &pair.authority)];
        data.extend(pair.former.as_ref().map(|former| (FORMER, former)));
        let annotations = [
            (ENDS_ANNOTATION, ends.to_string()),
            (ISSUER_ANNOTATION, authority.digest()),
            (NAMES_ANNOTATION, names.join(",")),
        ];
        self.keep(secret, &data, &annotations).await?;
        Ok(pair)
    }

    /// Forgets the certificate before.
    pub(crate) async fn forget_former(&self, name: &str) -> Result<(), CertificateError> {
        self.change(name, &json!({ FORMER: null })).await
    }

    /// Keeps a text beside a certificate; nothing is written where it stands there already.
    pub(crate) async fn keep_beside(
        &self,
        name: &str,
        file: &str,
        text: &str,
    ) -> Result<(), CertificateError> {
        if self.read(name).await?.and_then(|kept| kept.text(file)).as_deref() == Some(text) {
            return Ok(());
        }
        self.change(name, &json!({ file: ByteString(text.as_bytes().to_vec()) })).await
    }

    /// Changes files of a Secret of ours, and leaves the others as they are.
    async fn change(&self, name: &str, files: &serde_json::Value) -> Result<(), CertificateError> {
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let changed = self.api().patch(name, &params, &Patch::Merge(json!({ "data": files }))).await;
        changed.map(drop).map_err(|source| self.failed("write", name, source))
    }

    async fn keep_authority(&self, authority: &Authority) -> Result<(), CertificateError> {
        let Authority { id: _, current, next, trusted, ends, changed } = authority;
        let mut data =
            vec![("tls.crt", &current.certificate), ("tls.key", &current.key), ("ca.crt", trusted)];
        if let Some(next) = next {
            data.extend([("next.crt", &next.certificate), ("next.key", &next.key)]);
        }
        let mut annotations = vec![(CHANGED_ANNOTATION, changed.to_string())];
        annotations.extend(ends.map(|ends| (ENDS_ANNOTATION, ends.to_string())));
        self.keep(self.authority.secret, &data, &annotations).await
    }

    /// What a Secret of ours holds; `None` where there is none.
    async fn read(&self, name: &str) -> Result<Option<Kept>, CertificateError> {
        let secret = self.api().get_opt(name).await.map_err(|source| self.failed("read", name, source))?;
        let Some(secret) = secret else { return Ok(None) };
        if !is_ours(&json!({"metadata": {"labels": secret.metadata.labels}})) {
            return Err(CertificateError::Foreign(name.to_owned()));
        }
        Ok(Some(kept(secret)))
    }

    async fn keep(
        &self,
        name: &str,
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

    fn failed(&self, verb: &'static str, name: &str, source: kube::Error) -> CertificateError {
        CertificateError::Request {
            verb,
            namespace: self.namespace.clone(),
            name: name.to_owned(),
            source: Box::new(source),
        }
    }
}

fn kept(secret: Secret) -> Kept {
    let data = secret.data.unwrap_or_default().into_iter();
    let data = data.filter_map(|(key, ByteString(bytes))| Some((key, String::from_utf8(bytes).ok()?)));
    Kept { data: data.collect(), annotations: secret.metadata.annotations.unwrap_or_default() }
}
