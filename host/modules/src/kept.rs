//! Modules that are kept where a restart finds them, whatever has become of their source: in ConfigMaps on the
//! platform cluster, in pieces, in the namespace of the service.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{DeleteParams, ListParams, ObjectMeta, PostParams};
use kube::{Api, ResourceExt as _};

use openmcp_dns_api::FIELD_MANAGER;

/// Stands on each piece: the first digits of the module's digest. A label has no room for all of them.
pub const KEPT_LABEL: &str = "dns.openmcp.cloud/module";

/// How many digits of a digest tell modules apart. What is read is checked against all of them.
const DIGITS: usize = 40;

/// Bytes of one piece. A ConfigMap takes 1 MiB in all.
const PIECE: usize = 768 << 10;

/// The key in `binaryData`.
const KEY: &str = "piece";

/// What is kept on a platform cluster.
pub(crate) struct Kept(Api<ConfigMap>);

impl Kept {
    pub(crate) fn new(platform: &kube::Client) -> Self {
        Self(Api::default_namespaced(platform.clone()))
    }

    /// All bytes that are kept of the module with this digest, unchecked; none where it is not kept.
    pub(crate) async fn read(&self, digest: &str) -> kube::Result<Vec<u8>> {
        let selector = format!("{KEPT_LABEL}={}", label(digest));
        let found = self.0.list(&ListParams::default().labels(&selector)).await?;
        let pieces: BTreeMap<String, Vec<u8>> = found
            .into_iter()
            .map(|piece| {
                let bytes = piece.binary_data.as_ref().and_then(|data| data.get(KEY));
                (piece.name_any(), bytes.map(|bytes| bytes.0.clone()).unwrap_or_default())
            })
            .collect();
        Ok(pieces.into_values().flatten().collect())
    }

    /// The names of all pieces that are kept, with the label of their module.
    pub(crate) async fn list(&self) -> kube::Result<BTreeMap<String, String>> {
        let found = self.0.list_metadata(&ListParams::default().labels(KEPT_LABEL)).await?;
        let labelled = |piece: kube::core::PartialObjectMeta<ConfigMap>| {
            let label = piece.labels().get(KEPT_LABEL).cloned().unwrap_or_default();
            (piece.name_any(), label)
        };
        Ok(found.into_iter().map(labelled).collect())
    }

    /// Keeps the pieces of a module that are not `there`.
    pub(crate) async fn write(
        &self,
        digest: &str,
        module: &[u8],
        there: &BTreeMap<String, String>,
    ) -> kube::Result<()> {
        let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
        for (number, piece) in module.chunks(PIECE).enumerate() {
            // In the order of the pieces, also as text.
            let name = format!("openmcp-dns-module-{}-{number:04}", label(digest));
            if there.contains_key(&name) {
                continue;
            }
            let config_map = ConfigMap {
                metadata: ObjectMeta {
                    name: Some(name),
                    labels: Some([(KEPT_LABEL.to_owned(), label(digest).to_owned())].into()),
                    ..ObjectMeta::default()
                },
                immutable: Some(true),
                binary_data: Some([(KEY.to_owned(), ByteString(piece.to_vec()))].into()),
                data: None,
            };
            self.0.create(&params, &config_map).await?;
        }
        Ok(())
    }

    /// Removes a piece.
    pub(crate) async fn remove(&self, name: &str) -> kube::Result<()> {
        match self.0.delete(name, &DeleteParams::default()).await {
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
            removed => removed.map(drop),
        }
    }
}

/// The label of a module's pieces.
pub(crate) fn label(digest: &str) -> &str {
    digest.get(..DIGITS).unwrap_or(digest)
}
