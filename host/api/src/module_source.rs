//! Where a policy module comes from.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a policy module comes from: exactly one source.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[x_kube(validation = Rule::new("[has(self.builtIn), has(self.configMap), has(self.oci), has(self.http), has(self.file)].filter(isSet, isSet).size() == 1").message("exactly one of builtIn, configMap, oci, http and file must be set"))]
#[x_kube(validation = Rule::new("!has(self.configMap) || has(self.sha256)").message("sha256 must be set with configMap"))]
#[x_kube(validation = Rule::new("!has(self.http) || has(self.sha256)").message("sha256 must be set with http"))]
#[x_kube(validation = Rule::new("!has(self.oci) || has(self.sha256) || self.oci.reference.contains('@sha256:')").message("sha256 must be set with oci, unless the reference ends with @sha256:<digest of the manifest>"))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ModuleSource {
    /// A module that is part of the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub built_in: Option<BuiltIn>,

    /// A module in the `binaryData` of a ConfigMap on the platform cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map: Option<ConfigMapKey>,

    /// A module in an OCI registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oci: Option<OciSource>,

    /// A module on a web server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpSource>,

    /// A module in a file of the machine that the service runs on, for demonstrations and tests. The
    /// service refuses it unless it was started with `--allow-file-modules`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<FileSource>,

    /// SHA-256 of the module's bytes, 64 hexadecimal digits in lower case. Other bytes are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = r"^[a-f0-9]{64}$"))]
    pub sha256: Option<String>,
}

impl ModuleSource {
    /// Names nothing.
    const EMPTY: Self =
        Self { built_in: None, config_map: None, oci: None, http: None, file: None, sha256: None };
}

impl Default for ModuleSource {
    fn default() -> Self {
        Self { built_in: Some(BuiltIn::Standard), ..Self::EMPTY }
    }
}

/// Modules that are part of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum BuiltIn {
    /// The standard module, see `policies/standard`.
    Standard,
}

/// A key of a ConfigMap's `binaryData`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigMapKey {
    /// Namespace of the ConfigMap.
    pub namespace: String,
    /// Name of the ConfigMap.
    pub name: String,
    /// The key; `module.wasm` when it is not set.
    #[serde(default = "default_key")]
    pub key: String,
}

fn default_key() -> String {
    "module.wasm".to_owned()
}

/// A module in an OCI registry: a manifest with one layer of WebAssembly, as CNCF's guidance has it.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[x_kube(validation = Rule::new("!(self.insecure && has(self.ca))").message("ca has no effect with insecure, which means plain http; set one of them"))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OciSource {
    /// `<registry>/<repository>:<tag>`, `<registry>/<repository>@sha256:<digest>`, or both. With a digest,
    /// which is that of the manifest, the tag is for people only.
    #[schemars(
        length(max = 512),
        regex(
            pattern = r"^[A-Za-z0-9.-]+(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[a-f0-9]{64})?$"
        )
    )]
    #[x_kube(validation = Rule::new("self.matches('(:[^/]+|@sha256:.*)$')").message("the reference needs a tag or a digest"))]
    pub reference: String,

    /// A Secret of type `kubernetes.io/dockerconfigjson` on the platform cluster, with the credentials
    /// for the registry. Nobody is asked for without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_secret: Option<SecretReference>,

    /// When the registry is asked. Not set, it is `Always` for a tag and `IfNotPresent` for a digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_policy: Option<PullPolicy>,

    /// The only authorities whose certificates are accepted; those of the system when it is not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<CertificateAuthority>,

    /// Use plain http. Only for registries that the service was started with, by `--insecure-registry`.
    #[serde(default)]
    pub insecure: bool,
}

impl OciSource {
    /// When the registry is asked.
    #[must_use]
    pub fn effective_pull_policy(&self) -> PullPolicy {
        let pinned = self.reference.contains('@');
        self.pull_policy.unwrap_or(if pinned { PullPolicy::IfNotPresent } else { PullPolicy::Always })
    }

    /// Whether the reference may come to mean other bytes, and somebody wants to know when it does.
    #[must_use]
    pub fn is_followed(&self) -> bool {
        !self.reference.contains('@') && self.effective_pull_policy() == PullPolicy::Always
    }
}

/// When a registry is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum PullPolicy {
    /// Whenever the module is loaded; a tag is also looked up again every few minutes.
    Always,
    /// Only when the service does not hold the module's bytes in memory already.
    IfNotPresent,
}

/// A Secret on the platform cluster.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretReference {
    /// Namespace of the Secret.
    pub namespace: String,
    /// Name of the Secret.
    pub name: String,
}

/// A module on a web server.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpSource {
    /// Where the module lies: `https://...`. Plain http only on hosts that the service was started with,
    /// by `--insecure-registry`. Without user name and password.
    #[schemars(length(max = 2048), regex(pattern = r"^https?://[^/@?#\s]+([/?][^#\s]*)?$"))]
    pub url: String,

    /// The only authorities whose certificates are accepted; those of the system when it is not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<CertificateAuthority>,
}

/// A module in a file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileSource {
    /// Absolute path; in the demo, relative to the landscape's folder.
    #[schemars(length(min = 1, max = 4096))]
    pub path: String,
}

/// Certificates of authorities, in PEM form.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[x_kube(validation = Rule::new("has(self.pem) != has(self.configMap)").message("exactly one of pem and configMap must be set"))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CertificateAuthority {
    /// The certificates themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 65536))]
    pub pem: Option<String>,

    /// The certificates are in the `data` of a ConfigMap on the platform cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map: Option<CertificateKey>,
}

/// A key of a ConfigMap's `data`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CertificateKey {
    /// Namespace of the ConfigMap.
    pub namespace: String,
    /// Name of the ConfigMap.
    pub name: String,
    /// The key; `ca.crt` when it is not set.
    #[serde(default = "default_certificate_key")]
    pub key: String,
}

fn default_certificate_key() -> String {
    "ca.crt".to_owned()
}
