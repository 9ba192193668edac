//! `openmcp-dns manifests`: what the service would deploy.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use openmcp_dns_api::{DNSServiceConfig, Provider};
use openmcp_dns_core::deployment::{EtcdCluster, Facts, render};
use openmcp_dns_core::name::HostName;
use openmcp_dns_core::skydns::Prefix;

use super::deploy::ImageArgs;
use crate::terminal::hint::Hint as _;

/// Prints the objects of the central DNS that the service would deploy, as YAML, without a cluster.
///
/// Secrets are not among them: the service makes the certificates itself. Of the provider `external`, there is nothing.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  The defaults, for a zone:
    openmcp-dns manifests --base-domain openmcp.cluster

  What a configuration would change:
    openmcp-dns manifests --config dns-service-config.yaml | kubectl diff -f -")]
pub struct ManifestsArgs {
    /// File with a DNSServiceConfig (YAML); without it, the defaults
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// The zones of the landscape's DNSPolicies
    #[arg(long, value_name = "DOMAIN", value_delimiter = ',', default_value = "openmcp.cluster")]
    base_domain: Vec<HostName>,

    #[command(flatten)]
    images: ImageArgs,

    /// Namespace of the service
    #[arg(long, value_name = "NAME", default_value = "openmcp-dns")]
    namespace: String,

    /// The platform cluster has no default StorageClass
    #[arg(long)]
    no_default_storage_class: bool,
}

/// Runs the command.
pub fn run(args: ManifestsArgs) -> anyhow::Result<()> {
    let ManifestsArgs { config, base_domain, images, namespace, no_default_storage_class } = args;
    let config = config.as_deref().map_or_else(|| Ok(DNSServiceConfig::default()), read)?;
    let wanted = config.spec.config(!no_default_storage_class, &images.images());
    let facts = Facts {
        namespace,
        etcd: EtcdCluster::new(wanted.members),
        zones: base_domain.into_iter().collect(),
        address: None,
        trust_digest: "0".repeat(16),
        reader_digest: "0".repeat(16),
        prefix: Prefix::default().to_string(),
    };
    if config.spec.dns.provider == Some(Provider::External) {
        return Ok(());
    }
    for object in render(&wanted, &facts) {
        let text = serde_saphyr::to_string(&object).context("failed to write an object as YAML")?;
        print!("---\n{}\n", text.trim_end());
    }
    Ok(())
}

fn read(file: &Path) -> anyhow::Result<DNSServiceConfig> {
    let text = std::fs::read_to_string(file).with_context(|| format!("failed to read {}", file.display()))?;
    serde_saphyr::from_str(&text)
        .with_context(|| format!("{} is no DNSServiceConfig", file.display()))
        .hint("docs/operations.md has an example, under `The central DNS`")
}
