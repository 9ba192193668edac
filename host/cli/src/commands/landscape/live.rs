//! A landscape that runs: how it is named on the command line, and what is said while it is read.

use std::path::{Path, PathBuf};
use std::time::Duration;

use openmcp_dns_landscape::Landscape;
use openmcp_dns_landscape::live::{self, LiveError, Progress};
use openmcp_dns_modules::remote::UntrustedHttp;
use openmcp_dns_modules::{ModuleLoader, SourceOptions};
use openmcp_dns_policy::Engine;
use openmcp_dns_service::inventory::Insecure;

use super::super::platform::platform;
use crate::terminal::hint::Hint as _;
use crate::terminal::output::note;

/// Where the running landscape is.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "A running landscape")]
pub(in crate::commands) struct LiveArgs {
    /// Kubeconfig of the platform cluster: look at what its clusters hold now, instead of a folder.
    /// It has to allow to list DNSPolicies, Clusters and the Secrets with the clusters' kubeconfigs;
    /// nothing is written
    #[arg(long, value_name = "FILE", conflicts_with = "folder")]
    kubeconfig: Option<PathBuf>,

    /// Name of the DNSPolicy, where there are several; looked at are the clusters that it holds for
    #[arg(long, value_name = "NAME", requires = "kubeconfig", conflicts_with = "folder")]
    policy: Option<String>,

    /// Allow plain http to this registry or web server, host or host:port, as `run` does, to download the
    /// module of the DNSPolicy
    #[arg(
        long,
        value_name = "HOST",
        value_delimiter = ',',
        requires = "kubeconfig",
        conflicts_with = "folder"
    )]
    insecure_registry: Vec<String>,

    /// Use also kubeconfigs of clusters without https, or with insecure-skip-tls-verify. Whoever sits on
    /// the way to such a cluster may read its token, and say what stands in it
    #[arg(long, requires = "kubeconfig", conflicts_with = "folder")]
    allow_insecure_kubeconfigs: bool,
}

impl LiveArgs {
    /// The kubeconfig of the platform cluster, if one is given.
    pub(in crate::commands) fn kubeconfig(&self) -> Option<&Path> {
        self.kubeconfig.as_deref()
    }

    /// Reads the landscape; gives with it what loads the module of its policy, as the service does.
    ///
    /// # Errors
    /// When the platform cluster does not say which policy and which clusters there are. A cluster that
    /// does not answer is no error: the landscape says so.
    pub(in crate::commands) async fn read(
        &self,
        engine: &Engine,
    ) -> anyhow::Result<(Landscape, ModuleLoader)> {
        let Self { kubeconfig, policy, insecure_registry, allow_insecure_kubeconfigs } = self;
        let insecure = Insecure::allowed_if(*allow_insecure_kubeconfigs);
        let client = platform(kubeconfig.as_deref()).await?;
        let options = SourceOptions {
            untrusted_http: UntrustedHttp::new(insecure_registry.clone()),
            allow_files: false,
            // Nobody asks again.
            tag_check: Duration::MAX,
        };
        let loader = ModuleLoader::new(engine.clone(), client.clone(), options);
        let landscape = live::read(client, insecure, policy.as_deref(), &tell);
        let landscape = landscape.await.with_hint(next_step)?;
        Ok((landscape, loader))
    }
}

fn tell(progress: Progress<'_>) {
    note(&match progress {
        Progress::Leaving(cluster) => format!("cluster {cluster} is being deleted, and passed over"),
        Progress::Begun { total } => format!("reading {total} clusters ..."),
        Progress::Read { count, total, member } => match &member.objects {
            Ok(objects) => {
                format!("{count}/{total} {}: {} objects with host names", member.id, objects.sources().len())
            }
            Err(why) => format!("{count}/{total} {}: {why}", member.id),
        },
    });
}

/// What to do where a running landscape cannot be read.
fn next_step(error: &LiveError) -> String {
    match error {
        LiveError::List { .. } => {
            "name a kubeconfig of the platform cluster that may list them; are the CRDs installed?".to_owned()
        }
        LiveError::Access(_) => "let this kubeconfig list Secrets, as deploy/install.yaml does".to_owned(),
        LiveError::NoPolicy => "examples/first-policy.yaml is one".to_owned(),
        LiveError::SeveralPolicies { .. } => "choose one with --policy NAME".to_owned(),
        LiveError::UnknownPolicy { name: _, names } => format!("choose one of these: {}", names.join(", ")),
        LiveError::NoCluster { .. } => {
            "compare its clusterSelector with `kubectl get clusters -A --show-labels`".to_owned()
        }
    }
}
