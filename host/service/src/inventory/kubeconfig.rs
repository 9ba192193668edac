//! Makes clients of kubeconfigs that others have written.

use kube::config::{KubeConfigOptions, Kubeconfig};
use thiserror::Error;

use super::Insecure;
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
    /// Whoever sits on the way could read its token, and give the answers.
    #[error(
        "the kubeconfig in {origin} has {what}, so whoever sits on the way to the cluster may read its token: \
         give an https server and its certificate-authority-data instead, or start the service with \
         --allow-insecure-kubeconfigs"
    )]
    Insecure {
        /// Where it comes from.
        origin: String,
        /// What makes it insecure.
        what: &'static str,
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
pub(super) async fn client(
    kubeconfig: &str,
    origin: &str,
    insecure: Insecure,
) -> Result<kube::Client, KubeconfigError> {
    let origin = || origin.to_owned();
    let unusable = |source| KubeconfigError::Unreadable { origin: origin(), source };
    let kubeconfig = Kubeconfig::from_yaml(kubeconfig).map_err(unusable)?;
    if let Some(field) = foreign_field(&kubeconfig) {
        return Err(KubeconfigError::Foreign { origin: origin(), field });
    }
    if let (Insecure::Refused, Some(what)) = (insecure, insecurity(&kubeconfig)) {
        return Err(KubeconfigError::Insecure { origin: origin(), what });
    }
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
        .await
        .map_err(unusable)?;
    api_client::client(config).map_err(|source| KubeconfigError::Client { origin: origin(), source })
}

/// What keeps the way to the server from being secure; of a kubeconfig with several, of any.
fn insecurity(kubeconfig: &Kubeconfig) -> Option<&'static str> {
    let clusters = kubeconfig.clusters.iter().filter_map(|cluster| cluster.cluster.as_ref());
    let of = |cluster: &kube::config::Cluster| {
        // Without a server it is of no use anyway. kube takes one without a scheme as http.
        let is_https = |server: &String| server.to_ascii_lowercase().starts_with("https://");
        if cluster.insecure_skip_tls_verify == Some(true) {
            Some("insecure-skip-tls-verify")
        } else if cluster.server.as_ref().is_some_and(|server| !is_https(server)) {
            Some("a server without https")
        } else {
            None
        }
    };
    clusters.filter_map(of).next()
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
            match client(&kubeconfig, "Secret a/b", Insecure::Allowed).await.err() {
                Some(KubeconfigError::Foreign { field, .. }) => assert_eq!(field, expected),
                other => panic!("{user}: {other:?}"),
            }
        }
        let error = client("nonsense: [", "Secret a/b", Insecure::Allowed).await.err().unwrap();
        assert!(error.to_string().contains("Secret a/b"), "{error}");
    }

    #[tokio::test]
    async fn a_kubeconfig_that_would_show_its_token_on_the_way_is_refused_unless_that_is_allowed() {
        for (cluster, expected) in [
            ("server: 'https://127.0.0.1:1', insecure-skip-tls-verify: true", Some("skip-tls-verify")),
            ("server: 'http://127.0.0.1:1'", Some("a server without https")),
            ("server: 'HTTP://127.0.0.1:1'", Some("a server without https")),
            ("server: '127.0.0.1:1'", Some("a server without https")),
            ("server: 'HTTPS://127.0.0.1:1', insecure-skip-tls-verify: false", None),
        ] {
            let kubeconfig = format!(
                "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
                 contexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n\
                 clusters: [{{name: c, cluster: {{{cluster}}}}}]\n\
                 users: [{{name: u, user: {{token: secret}}}}]\n"
            );
            let refused = client(&kubeconfig, "Secret a/b", Insecure::Refused).await.err();
            let refused = refused.map(|error| error.to_string());
            match expected {
                None => assert_eq!(refused, None, "{cluster}"),
                Some(expected) => {
                    let error = refused.unwrap_or_default();
                    assert!(error.contains(expected) && !error.contains("secret"), "{cluster}: {error}");
                    assert!(error.contains("--allow-insecure-kubeconfigs"), "{error}");
                    let allowed = client(&kubeconfig, "Secret a/b", Insecure::Allowed).await;
                    assert!(allowed.is_ok(), "{cluster}");
                }
            }
        }
    }
}
