//! How the service gets into the clusters of the landscape.

use async_trait::async_trait;
use k8s_openapi::api::core::v1::Secret;
use kube::api::ListParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::watcher;
use kube::{Api, ResourceExt as _};
use openmcp_dns_core::cluster::ClusterId;
use thiserror::Error;
use tokio::sync::mpsc;

use crate::watch::{Update, watch};
use openmcp_dns_api::KUBECONFIG_LABEL;

/// Key of a Secret's data that holds the kubeconfig.
const KUBECONFIG_KEY: &str = "kubeconfig";

/// What grants access to one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// The kubeconfig as text, or why there is none.
    pub kubeconfig: Result<String, String>,
    /// Where it comes from, for people, for example `Secret openmcp-system/workload01`.
    pub origin: String,
}

/// What an inventory reports.
#[derive(Clone, Debug)]
pub enum AccessEvent {
    /// This is the access to all clusters.
    All(Vec<(ClusterId, Access)>),
    /// The access to a cluster is new or has changed.
    Granted(ClusterId, Access),
    /// There is none any more.
    Withdrawn(ClusterId),
    /// Nothing is known for now; what was reported before stays.
    Trouble(String),
}

/// Knows how to get into clusters.
#[async_trait]
pub trait Inventory: Send + Sync + 'static {
    /// Reports all access, and what changes, until nobody listens any more.
    async fn follow(&self, events: mpsc::Sender<AccessEvent>);

    /// What to do where a cluster has none, for people.
    fn advice(&self, cluster: &ClusterId) -> String;
}

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
        Ok(listed.items.iter().map(|secret| (cluster_of(secret), access(secret))).collect())
    }
}

#[async_trait]
impl Inventory for SecretInventory {
    async fn follow(&self, events: mpsc::Sender<AccessEvent>) {
        let secrets: Api<Secret> = Api::all(self.platform.clone());
        let labelled = watcher::Config::default().labels(KUBECONFIG_LABEL);
        watch(secrets, labelled, events, |seen| match seen {
            Update::All(secrets) => {
                AccessEvent::All(secrets.iter().map(|secret| (cluster_of(secret), access(secret))).collect())
            }
            Update::Set(secret) => AccessEvent::Granted(cluster_of(&secret), access(&secret)),
            Update::Removed(secret) => AccessEvent::Withdrawn(cluster_of(&secret)),
            Update::Trouble(message) => AccessEvent::Trouble(message),
        })
        .await;
    }

    fn advice(&self, cluster: &ClusterId) -> String {
        format!(
            "no kubeconfig for the cluster: create a Secret in namespace {} with the label {KUBECONFIG_LABEL}={} \
             and the kubeconfig under the key {KUBECONFIG_KEY}",
            cluster.namespace, cluster.name
        )
    }
}

fn cluster_of(secret: &Secret) -> ClusterId {
    let name = secret.labels().get(KUBECONFIG_LABEL).cloned().unwrap_or_default();
    ClusterId::new(secret.namespace().unwrap_or_default(), name)
}

fn access(secret: &Secret) -> Access {
    let origin = format!("Secret {}/{}", secret.namespace().unwrap_or_default(), secret.name_any());
    let data = secret.data.as_ref().and_then(|data| data.get(KUBECONFIG_KEY));
    let kubeconfig = match data.map(|data| String::from_utf8(data.0.clone())) {
        Some(Ok(text)) => Ok(text),
        Some(Err(_)) => Err(format!("{origin}: the data under the key {KUBECONFIG_KEY} is no text")),
        None => Err(format!("{origin} has no data under the key {KUBECONFIG_KEY}")),
    };
    Access { kubeconfig, origin }
}

/// Why a kubeconfig is of no use.
#[derive(Debug, Error)]
pub enum ClientError {
    /// It cannot be read, or lacks something.
    #[error("the kubeconfig in {origin} cannot be used")]
    Kubeconfig {
        /// Where it comes from.
        origin: String,
        /// What is wrong with it.
        source: kube::config::KubeconfigError,
    },
    /// It wants to start a program, or to read a file of this service.
    #[error("the kubeconfig in {origin} has the field {field}; put a token or certificates into it instead")]
    Foreign {
        /// Where it comes from.
        origin: String,
        /// The field that leads outside of the kubeconfig.
        field: &'static str,
    },
    /// No client can be made of it.
    #[error("the kubeconfig in {origin} does not lead to a client")]
    Client {
        /// Where it comes from.
        origin: String,
        /// What is wrong with it.
        source: kube::Error,
    },
}

/// Makes a client of a kubeconfig. Nothing is asked of the cluster yet.
///
/// A kubeconfig comes from whoever may write Secrets beside a `Cluster`, so it must not make this
/// service run a program or send it its own files.
///
/// # Errors
/// When the kubeconfig is of no use.
pub async fn client(kubeconfig: &str, origin: &str) -> Result<kube::Client, ClientError> {
    let origin = || origin.to_owned();
    let unusable = |source| ClientError::Kubeconfig { origin: origin(), source };
    let kubeconfig = Kubeconfig::from_yaml(kubeconfig).map_err(unusable)?;
    if let Some(field) = foreign_field(&kubeconfig) {
        return Err(ClientError::Foreign { origin: origin(), field });
    }
    let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .map_err(unusable)?;
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    kube::Client::try_from(config).map_err(|source| ClientError::Client { origin: origin(), source })
}

/// The first field that would lead to a program or a file of this service.
fn foreign_field(kubeconfig: &Kubeconfig) -> Option<&'static str> {
    let users = kubeconfig.auth_infos.iter().filter_map(|user| user.auth_info.as_ref());
    let of_users = users.flat_map(|user| {
        [
            ("exec", user.exec.is_some()),
            ("auth-provider", user.auth_provider.is_some()),
            ("tokenFile", user.token_file.is_some()),
            ("client-certificate", user.client_certificate.is_some()),
            ("client-key", user.client_key.is_some()),
        ]
    });
    let clusters = kubeconfig.clusters.iter().filter_map(|cluster| cluster.cluster.as_ref());
    let of_clusters =
        clusters.map(|cluster| ("certificate-authority", cluster.certificate_authority.is_some()));
    of_users.chain(of_clusters).find(|(_, is_set)| *is_set).map(|(field, _)| field)
}

/// A cluster that takes longer to accept a connection counts as unreachable for now.
const CONNECT_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);

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
        assert_eq!(access(&secret).kubeconfig.as_deref(), Ok("text"));
    }

    #[test]
    fn a_secret_without_a_usable_kubeconfig_is_named() {
        for (secret, expected) in
            [(secret(&[]), "has no data"), (secret(&[("kubeconfig", b"\xff")]), "is no text")]
        {
            let error = access(&secret).kubeconfig.unwrap_err();
            assert!(error.contains(expected) && error.contains("openmcp-system/access"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_kubeconfig_that_would_run_a_program_or_read_a_file_is_refused() {
        for (user, expected) in [
            ("exec: {apiVersion: client.authentication.k8s.io/v1, command: touch}", "exec"),
            ("tokenFile: /var/run/secrets/kubernetes.io/serviceaccount/token", "tokenFile"),
            ("client-key: /etc/key", "client-key"),
        ] {
            let kubeconfig = format!(
                "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
                 contexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n\
                 clusters: [{{name: c, cluster: {{server: 'https://127.0.0.1:1'}}}}]\n\
                 users: [{{name: u, user: {{{user}}}}}]\n"
            );
            match client(&kubeconfig, "Secret a/b").await.err() {
                Some(ClientError::Foreign { field, .. }) => assert_eq!(field, expected),
                other => panic!("{user}: {other:?}"),
            }
        }
        let error = client("nonsense: [", "Secret a/b").await.err().unwrap();
        assert!(error.to_string().contains("Secret a/b"), "{error}");
    }
}
