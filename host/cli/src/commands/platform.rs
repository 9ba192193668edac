//! The way to the platform cluster.

use std::path::Path;

use anyhow::Context as _;
use kube::config::{KubeConfigOptions, Kubeconfig};

use crate::terminal::hint::Hint as _;
use openmcp_dns_service::api_client;

/// A client of the platform cluster: by a kubeconfig, or by the usual places.
///
/// # Errors
/// When there is no kubeconfig, or it is of no use.
pub async fn platform(kubeconfig: Option<&Path>) -> anyhow::Result<kube::Client> {
    let config = match kubeconfig {
        Some(file) => {
            let what = || format!("failed to use the kubeconfig {}", file.display());
            let hint = "name a kubeconfig of the platform cluster";
            let kubeconfig = Kubeconfig::read_from(file).with_context(what).hint(hint)?;
            kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
                .await
                .with_context(what)
                .hint(hint)?
        }
        None => kube::Config::infer()
            .await
            .context("found no way to the platform cluster")
            .hint("give its kubeconfig with --kubeconfig, or run this in a pod with a service account")?,
    };
    api_client::client(config).context("failed to make a client for the platform cluster")
}
