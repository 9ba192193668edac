//! `openmcp-dns crds`: the CRDs, generated from the Rust types.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{CustomResourceExt as _, ResourceExt as _};

use openmcp_dns_api::{Cluster, ClusterDNS, DNSPolicy, DNSServiceConfig};

/// Prints the CRDs, or writes one file for each.
#[derive(clap::Args, Debug)]
pub struct CrdsArgs {
    /// Write one file per CRD into this folder instead of printing them
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Also the openMCP `Cluster`, in the subset that this service reads. For trying the service out
    /// where openMCP is not installed; never apply it over the real one
    #[arg(long)]
    with_cluster: bool,
}

/// The kinds of the service itself.
pub fn of_the_service() -> [CustomResourceDefinition; 3] {
    [DNSPolicy::crd(), ClusterDNS::crd(), DNSServiceConfig::crd()]
}

/// Runs the command.
pub fn run(args: &CrdsArgs) -> anyhow::Result<()> {
    let mut crds = of_the_service().to_vec();
    if args.with_cluster {
        crds.push(Cluster::crd());
    }
    for crd in &crds {
        let text = to_yaml(crd)?;
        match &args.out {
            None => print!("---\n{text}"),
            Some(folder) => write(folder, crd, &text)?,
        }
    }
    Ok(())
}

fn write(folder: &Path, crd: &CustomResourceDefinition, text: &str) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("failed to create {}", folder.display()))?;
    let file = folder.join(format!("{}_{}.yaml", crd.spec.group, crd.spec.names.plural));
    std::fs::write(&file, text).with_context(|| format!("failed to write {}", file.display()))?;
    eprintln!("wrote {} ({})", file.display(), crd.name_any());
    Ok(())
}

fn to_yaml(crd: &CustomResourceDefinition) -> anyhow::Result<String> {
    let mut text = serde_saphyr::to_string(crd).context("failed to write a CRD as YAML")?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}
