//! Finds the module in what a registry holds.

use reqwest::header::ACCEPT;
use serde::Deserialize;

use super::{Reference, Registry, RegistryError, hex_digest, reference};
use crate::remote::read_bounded;

/// A manifest with one layer has some hundred bytes; registries take up to 4 MiB.
const MANIFEST_BYTES: usize = 1 << 20;

const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DIGEST_HEADER: &str = "docker-content-digest";

/// A manifest that names a policy module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Its own digest: `sha256:` and 64 hexadecimal digits.
    pub digest: String,
    /// Digest of the module, in the same form.
    pub module_digest: String,
    /// Size of the module in bytes.
    pub module_bytes: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    #[serde(default)]
    layers: Vec<Layer>,
    manifests: Option<serde::de::IgnoredAny>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Layer {
    #[serde(default)]
    media_type: String,
    digest: String,
    size: u64,
}

impl Registry {
    /// The digest of the manifest that the reference means now. Costs the registry one small request.
    ///
    /// # Errors
    /// When the registry does not say.
    pub async fn resolve(&mut self) -> Result<String, RegistryError> {
        let url = self.manifest_url()?;
        let response = self.get("the manifest", |client| accepting(client.head(url.clone()))).await?;
        let header = response.headers().get(DIGEST_HEADER).and_then(|value| value.to_str().ok());
        match header {
            Some(digest) if reference::is_digest(digest) => Ok(digest.to_owned()),
            _ => Ok(self.manifest().await?.digest),
        }
    }

    /// The manifest of the reference. Its bytes have the digest that the reference names, if it does.
    ///
    /// # Errors
    /// When the registry does not give it, gives another one, or it names no module.
    pub async fn manifest(&mut self) -> Result<Manifest, RegistryError> {
        let url = self.manifest_url()?;
        let response = self.get("the manifest", |client| accepting(client.get(url.clone()))).await?;
        let bytes = read_bounded(response, "the manifest", MANIFEST_BYTES).await?;
        let found = format!("sha256:{}", hex_digest(&bytes));
        if let Some(expected) = self.reference.digest()
            && *expected != found
        {
            return Err(self.digest_error("a manifest", found, expected));
        }
        let layer = module_layer(&bytes).map_err(|problem| RegistryError::NotAModule {
            reference: self.reference.to_string(),
            problem,
        })?;
        Ok(Manifest { digest: found, module_digest: layer.digest, module_bytes: layer.size })
    }

    /// The module that a manifest names, at most `limit` bytes of it; they have the digest in the manifest.
    ///
    /// # Errors
    /// When the registry does not give it, it is larger, or its bytes are other ones.
    pub async fn module(&mut self, manifest: &Manifest, limit: usize) -> Result<Vec<u8>, RegistryError> {
        let url = self.url(&format!("blobs/{}", manifest.module_digest))?;
        let response = self.get("the module", |client| client.get(url.clone())).await?;
        let bytes = read_bounded(response, "the module", limit).await?;
        let found = format!("sha256:{}", hex_digest(&bytes));
        if found != manifest.module_digest {
            return Err(self.digest_error("a module", found, &manifest.module_digest));
        }
        Ok(bytes)
    }

    fn manifest_url(&self) -> Result<reqwest::Url, RegistryError> {
        self.url(&format!("manifests/{}", self.reference.version()))
    }

    fn digest_error(&self, what: &'static str, found: String, expected: &str) -> RegistryError {
        let registry = Reference::registry(&self.reference).to_owned();
        RegistryError::Digest { registry, what, found, expected: expected.to_owned() }
    }
}

fn accepting(request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
    request.header(ACCEPT, format!("{OCI_MANIFEST}, {DOCKER_MANIFEST};q=0.5"))
}

/// The one layer that is WebAssembly. Older tools used other media types than `application/wasm`,
/// and some add layers with documentation; both are fine.
fn module_layer(manifest: &[u8]) -> Result<Layer, String> {
    let document: Document =
        serde_json::from_slice(manifest).map_err(|_| "its manifest is no OCI manifest".to_owned())?;
    if document.manifests.is_some() {
        return Err("it is an index of several images; name one of them by its digest".to_owned());
    }
    let count = document.layers.len();
    let (mut modules, others): (Vec<Layer>, Vec<Layer>) =
        document.layers.into_iter().partition(|layer| is_module(&layer.media_type));
    if modules.len() > 1 {
        return Err(format!("{} of its {count} layers are WebAssembly, and one is expected", modules.len()));
    }
    let Some(module) = modules.pop() else {
        let packed = others.iter().any(|layer| layer.media_type.contains("wasm"));
        return Err(format!(
            "none of its {count} layers has the media type application/wasm{}",
            if packed { " without compression" } else { "" }
        ));
    };
    if !reference::is_digest(&module.digest) {
        return Err("the digest of its layer is no SHA-256".to_owned());
    }
    Ok(module)
}

fn is_module(media_type: &str) -> bool {
    let name = media_type.split(';').next().unwrap_or_default().trim();
    let (name, suffix) = name.split_once('+').unwrap_or((name, ""));
    name == "application/wasm" && suffix.is_empty()
        || name.contains("wasm") && !name.contains("config") && suffix == "wasm"
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn layer(media_type: &str) -> serde_json::Value {
        json!({ "mediaType": media_type, "digest": format!("sha256:{}", "0".repeat(64)), "size": 3 })
    }

    fn found(layers: &[serde_json::Value]) -> Result<u64, String> {
        module_layer(json!({ "layers": layers }).to_string().as_bytes()).map(|layer| layer.size)
    }

    #[test]
    fn any_single_layer_of_webassembly_is_the_module() {
        for media_type in [
            "application/wasm",
            "application/wasm; charset=binary",
            "application/vnd.wasm.content.layer.v1+wasm",
            "application/vnd.module.wasm.content.layer.v1+wasm",
        ] {
            assert_eq!(found(&[layer("text/plain"), layer(media_type)]), Ok(3), "{media_type}");
        }
    }

    #[test]
    fn everything_else_is_refused_with_the_problem() {
        let wasm = layer("application/wasm");
        for (layers, expected) in [
            (vec![], "none of its 0 layers"),
            (vec![layer("application/vnd.oci.image.layer.v1.tar+gzip")], "none of its 1 layers"),
            (vec![layer("application/wasm+gzip")], "without compression"),
            (vec![layer("application/vnd.wasm.config.v1+json")], "without compression"),
            (vec![wasm.clone(), wasm], "2 of its 2 layers"),
            (
                vec![json!({ "mediaType": "application/wasm", "digest": "sha512:00", "size": 1 })],
                "no SHA-256",
            ),
        ] {
            let problem = found(&layers).unwrap_err();
            assert!(problem.contains(expected), "{problem}");
        }
        assert!(module_layer(b"<html>").unwrap_err().contains("no OCI manifest"));
        assert!(module_layer(br#"{"manifests":[]}"#).unwrap_err().contains("index"));
    }
}
