//! What a policy module looks like in a registry.

use openmcp_dns_policy::Description;
use serde_json::{Value, json};

use super::hex_digest;

/// Annotation of the manifest: the contract that the module fits.
const CONTRACT_ANNOTATION: &str = "dns.openmcp.cloud/contract";

/// The package of the contract, in whichever version.
const PACKAGE: &str = "openmcp:dns-policy";

pub(crate) const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG_TYPE: &str = "application/vnd.wasm.config.v0+json";
const MODULE_TYPE: &str = "application/wasm";

/// The same bytes are the same artifact, whenever and wherever they are pushed.
const CREATED: &str = "1970-01-01T00:00:00Z";

/// A policy module as registries hold it: a manifest, a config, and one layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// The manifest, as JSON.
    pub manifest: Vec<u8>,
    /// The config that the manifest names, as JSON.
    pub config: Vec<u8>,
    /// The module.
    pub module: Vec<u8>,
}

impl Artifact {
    /// Describes a module that speaks this version of the contract. The same module always gives the same artifact.
    pub fn new(module: Vec<u8>, description: &Description, contract_version: &str) -> Self {
        let Description { name, version, summary } = description;
        // The layout of CNCF's guidance for WebAssembly in registries.
        let config = json!({
            "created": CREATED,
            "architecture": "wasm",
            "os": "wasip2",
            "layerDigests": [format!("sha256:{}", hex_digest(&module))],
            "component": { "exports": [format!("{PACKAGE}/policy@{contract_version}")], "imports": [] },
        });
        let config = config.to_string().into_bytes();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": descriptor(CONFIG_TYPE, &config),
            "layers": [descriptor(MODULE_TYPE, &module)],
            "annotations": {
                "org.opencontainers.image.created": CREATED,
                "org.opencontainers.image.title": name,
                "org.opencontainers.image.version": version,
                "org.opencontainers.image.description": summary,
                CONTRACT_ANNOTATION: format!("{PACKAGE}@{contract_version}"),
            },
        });
        Self { manifest: manifest.to_string().into_bytes(), config, module }
    }

    /// Digest of the manifest: `sha256:` and 64 hexadecimal digits.
    pub fn digest(&self) -> String {
        format!("sha256:{}", hex_digest(&self.manifest))
    }
}

fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({
        "mediaType": media_type,
        "digest": format!("sha256:{}", hex_digest(bytes)),
        "size": bytes.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_module_is_the_same_artifact() {
        let description = Description {
            name: "standard".to_owned(),
            version: "1.0.0".to_owned(),
            summary: "Says \"yes\".".to_owned(),
        };
        let of = |module: &[u8]| Artifact::new(module.to_vec(), &description, "0.1.0");
        let artifact = of(b"module");
        assert_eq!(artifact, of(b"module"));
        assert_ne!(artifact.digest(), of(b"other").digest());
        let manifest: Value = serde_json::from_slice(&artifact.manifest).unwrap();
        let annotation = |name: &str| manifest["annotations"][name].as_str().unwrap();
        assert_eq!(annotation(CONTRACT_ANNOTATION), "openmcp:dns-policy@0.1.0");
        assert_eq!(annotation("org.opencontainers.image.description"), "Says \"yes\".");
        assert_eq!(manifest["config"]["mediaType"], "application/vnd.wasm.config.v0+json");
        assert_eq!(manifest["layers"][0]["mediaType"], "application/wasm");
        let config: Value = serde_json::from_slice(&artifact.config).unwrap();
        assert_eq!(config["component"]["exports"][0], "openmcp:dns-policy/policy@0.1.0");
    }
}
