//! Kubeconfigs in Secrets of the platform cluster.

use async_trait::async_trait;
use k8s_openapi::api::core::v1::Secret;
use kube::api::ListParams;
use kube::runtime::watcher;
use kube::{Api, ResourceExt as _};
use openmcp_dns_core::cluster::ClusterId;
use tokio::sync::mpsc;

use super::{Access, Inventory};
use crate::watch::{Update, watch};
use openmcp_dns_api::KUBECONFIG_LABEL;

/// Key of a Secret's data that holds the kubeconfig.
const KUBECONFIG_KEY: &str = "kubeconfig";

/// Kubeconfigs in Secrets beside the `Cluster` objects, with the label [`KUBECONFIG_LABEL`].
pub struct SecretInventory {
    platform: kube::Client,
}

impl SecretInventory {
    /// Looks for Secrets on the platform cluster.
    #[must_use]
    pub const fn new(platform: kube::Client) -> Self {
        Self { platform }
    }

    /// The access to all clusters as it is now.
    ///
    /// # Errors
    /// When the platform cluster does not list the Secrets.
    pub async fn list(&self) -> Result<Vec<(ClusterId, Access)>, kube::Error> {
        let secrets: Api<Secret> = Api::all(self.platform.clone());
        let listed = secrets.list(&ListParams::default().labels(KUBECONFIG_LABEL)).await?;
        Ok(listed.items.iter().map(entry).collect())
    }
}

#[async_trait]
impl Inventory for SecretInventory {
    async fn follow(&self, updates: mpsc::Sender<Update<(ClusterId, Access)>>) {
        let secrets: Api<Secret> = Api::all(self.platform.clone());
        let labelled = watcher::Config::default().labels(KUBECONFIG_LABEL);
        watch(secrets, labelled, updates, |update| update.map(|secret| entry(&secret))).await;
    }

    fn advice(&self, cluster: &ClusterId) -> String {
        format!(
            "no kubeconfig for the cluster: create a Secret in namespace {} with the label {KUBECONFIG_LABEL}={} \
             and the kubeconfig under the key {KUBECONFIG_KEY}",
            cluster.namespace, cluster.name
        )
    }
}

fn entry(secret: &Secret) -> (ClusterId, Access) {
    (cluster_of(secret), Access::by_kubeconfig(origin(secret), kubeconfig(secret)))
}

fn cluster_of(secret: &Secret) -> ClusterId {
    let name = secret.labels().get(KUBECONFIG_LABEL).cloned().unwrap_or_default();
    ClusterId::new(secret.namespace().unwrap_or_default(), name)
}

fn origin(secret: &Secret) -> String {
    format!("Secret {}/{}", secret.namespace().unwrap_or_default(), secret.name_any())
}

/// The kubeconfig as text, or why there is none.
fn kubeconfig(secret: &Secret) -> Result<String, String> {
    let data = secret.data.as_ref().and_then(|data| data.get(KUBECONFIG_KEY));
    match data.map(|data| String::from_utf8(data.0.clone())) {
        Some(Ok(text)) => Ok(text),
        Some(Err(_)) => {
            Err(format!("{}: the data under the key {KUBECONFIG_KEY} is no text", origin(secret)))
        }
        None => Err(format!("{} has no data under the key {KUBECONFIG_KEY}", origin(secret))),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::ByteString;

    use super::*;

    fn secret(data: &[(&str, &[u8])]) -> Secret {
        let mut secret = Secret::default();
        secret.metadata.name = Some("access".to_owned());
        secret.metadata.namespace = Some("openmcp-system".to_owned());
        secret.metadata.labels = Some([(KUBECONFIG_LABEL.to_owned(), "workload01".to_owned())].into());
        secret.data =
            Some(data.iter().map(|(key, value)| ((*key).to_owned(), ByteString(value.to_vec()))).collect());
        secret
    }

    #[test]
    fn a_secret_belongs_to_the_cluster_that_its_label_names() {
        let secret = secret(&[("kubeconfig", b"text")]);
        assert_eq!(cluster_of(&secret), ClusterId::new("openmcp-system", "workload01"));
        assert_eq!(kubeconfig(&secret).as_deref(), Ok("text"));
    }

    #[test]
    fn a_secret_without_a_usable_kubeconfig_is_named() {
        for (secret, expected) in
            [(secret(&[]), "has no data"), (secret(&[("kubeconfig", b"\xff")]), "is no text")]
        {
            let error = kubeconfig(&secret).unwrap_err();
            assert!(error.contains(expected) && error.contains("openmcp-system/access"), "{error}");
        }
    }
}
