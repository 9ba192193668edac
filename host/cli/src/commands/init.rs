//! `openmcp-dns init`: what has to be there before the service runs.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use openmcp_dns_api::FIELD_MANAGER;

use super::crds::of_the_service;
use super::platform::platform;
use super::provider::ProviderArgs;
use crate::terminal::hint::Hint as _;
use crate::terminal::output::note;

/// Says to openMCP's CRD manager where a CRD belongs.
const CLUSTER_LABEL: (&str, &str) = ("openmcp.cloud/cluster", "platform");

/// How long the API server may take until it serves a new kind.
const ESTABLISHED: Duration = Duration::from_secs(60);

/// How often it is asked meanwhile.
const PAUSE: Duration = Duration::from_millis(200);

/// Installs the CRDs of the service on the platform cluster, or brings them up to date, and ends.
///
/// openMCP's operator runs it before `run`. A second time it changes nothing.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:
  As openMCP's operator does it, in a pod with a service account:
    openmcp-dns init --environment=dev --verbosity=INFO --provider-name=dns

  From outside:
    openmcp-dns init --kubeconfig platform.yaml")]
pub struct InitArgs {
    /// Kubeconfig of the platform cluster [default: the pod's service account, KUBECONFIG, or
    /// ~/.kube/config]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,

    #[command(flatten)]
    pub provider: ProviderArgs,
}

/// Runs the command.
pub async fn run(args: InitArgs) -> anyhow::Result<()> {
    let InitArgs { kubeconfig, provider: _ } = args;
    let client = platform(kubeconfig.as_deref()).await?;
    let crds: Api<CustomResourceDefinition> = Api::all(client);
    for mut crd in of_the_service() {
        let (key, value) = CLUSTER_LABEL;
        crd.labels_mut().insert(key.to_owned(), value.to_owned());
        install(&crds, &crd).await?;
    }
    Ok(())
}

async fn install(crds: &Api<CustomResourceDefinition>, crd: &CustomResourceDefinition) -> anyhow::Result<()> {
    let name = crd.name_any();
    // Whoever has installed another version of it before: this one counts.
    let params = PatchParams::apply(FIELD_MANAGER).force();
    crds.patch(&name, &params, &Patch::Apply(crd))
        .await
        .with_context(|| format!("failed to install the CustomResourceDefinition {name}"))
        .hint("it needs the rights to get, create and patch customresourcedefinitions")?;
    let began = Instant::now();
    loop {
        let served = crds.get(&name).await.with_context(|| format!("failed to read {name}"))?;
        let conditions = served.status.and_then(|status| status.conditions).unwrap_or_default();
        if conditions.iter().any(|condition| condition.type_ == "Established" && condition.status == "True") {
            note(&format!("{name} is served"));
            return Ok(());
        }
        if began.elapsed() > ESTABLISHED {
            let said: Vec<String> = conditions
                .iter()
                .map(|condition| {
                    format!(
                        "{}={}: {}",
                        condition.type_,
                        condition.status,
                        condition.message.as_deref().unwrap_or_default()
                    )
                })
                .collect();
            bail!("{name} is not served after {} s: {}", ESTABLISHED.as_secs(), said.join("; "));
        }
        tokio::time::sleep(PAUSE).await;
    }
}
