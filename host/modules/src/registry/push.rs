//! Puts an artifact into a registry.

use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, LOCATION};

use super::artifact::MANIFEST_TYPE;
use super::{Artifact, Reference, Registry, RegistryError, hex_digest};

impl Registry {
    /// Pushes an artifact under the reference's tag, or by digest where it has none; gives the reference
    /// with the digest of the manifest. What the registry has already is not sent again.
    ///
    /// # Errors
    /// When the registry refuses something.
    pub async fn push(&mut self, artifact: &Artifact) -> Result<Reference, RegistryError> {
        let Artifact { manifest, config, module } = artifact;
        for blob in [module, config] {
            self.push_blob(blob).await?;
        }
        let digest = artifact.digest();
        let version = self.reference.tag().unwrap_or(&digest).to_owned();
        let url = self.url(&format!("manifests/{version}"))?;
        self.get("the push of the manifest", |client| {
            client.put(url.clone()).header(CONTENT_TYPE, MANIFEST_TYPE).body(manifest.clone())
        })
        .await?;
        Ok(self.reference.pinned(&digest))
    }

    async fn push_blob(&mut self, blob: &[u8]) -> Result<(), RegistryError> {
        let digest = format!("sha256:{}", hex_digest(blob));
        let url = self.url(&format!("blobs/{digest}"))?;
        if self.send(|client| client.head(url.clone())).await?.status() == StatusCode::OK {
            return Ok(());
        }
        let url = self.url("blobs/uploads/")?;
        let what = "the start of an upload";
        // Without a body, the length has to be said all the same.
        let started = self.get(what, |client| client.post(url.clone()).body(Vec::new())).await?;
        let location = started.headers().get(LOCATION).and_then(|value| value.to_str().ok());
        let mut url = self.own_url(location.unwrap_or("//"))?;
        url.query_pairs_mut().append_pair("digest", &digest);
        self.get("an upload", |client| {
            client.put(url.clone()).header(CONTENT_TYPE, "application/octet-stream").body(blob.to_vec())
        })
        .await?;
        Ok(())
    }
}
