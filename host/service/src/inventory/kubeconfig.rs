//! Makes clients of kubeconfigs that others have written.

use kube::config::{KubeConfigOptions, Kubeconfig};
use thiserror::Error;

use crate::api_client;

/// Why a kubeconfig is of no use.
#[derive(Debug, Error)]
pub enum KubeconfigError {
    /// It cannot be read, or lacks something.
    #[error("the kubeconfig in {origin} cannot be used")]
    Unreadable {
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
pub(super) async fn client(kubeconfig: &str, origin: &str) -> Result<kube::Client, KubeconfigError> {
    let origin = || origin.to_owned();
    let unusable = |source| KubeconfigError::Unreadable { origin: origin(), source };
    let kubeconfig = Kubeconfig::from_yaml(kubeconfig).map_err(unusable)?;
    if let Some(field) = foreign_field(&kubeconfig) {
        return Err(KubeconfigError::Foreign { origin: origin(), field });
    }
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .map_err(unusable)?;
    api_client::client(config).map_err(|source| KubeconfigError::Client { origin: origin(), source })
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

#[cfg(test)]
mod tests {
    use super::*;

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
                Some(KubeconfigError::Foreign { field, .. }) => assert_eq!(field, expected),
                other => panic!("{user}: {other:?}"),
            }
        }
        let error = client("nonsense: [", "Secret a/b").await.err().unwrap();
        assert!(error.to_string().contains("Secret a/b"), "{error}");
    }
}
