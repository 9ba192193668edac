//! What a decision is about: a cluster, and the host names that are claimed in it.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use openmcp_dns_api::sources::Sources;
use openmcp_dns_api::{Cluster, DNSPolicy};
use openmcp_dns_core::cluster::ClusterId;
use openmcp_dns_core::details::AskedClaim;
use openmcp_dns_core::name::HostName;
use openmcp_dns_kit::claims::{self, Claims};
use openmcp_dns_kit::{DEFAULT_BASE_DOMAIN, LoadedPolicy};
use openmcp_dns_landscape::folder::Object;
use openmcp_dns_policy::vectors::ClaimOf;

use super::{manifests, note};
use crate::terminal::hint::{Hint as _, hinted};

/// The claim: one of three.
#[derive(clap::Args, Debug)]
pub(super) struct SubjectArgs {
    #[command(flatten)]
    what: What,

    /// Manifests that the object needs, such as its Gateway (with the addresses in its status) or the
    /// Namespace of a route; can be given several times
    #[arg(long, value_name = "FILE", requires = "object")]
    gateway: Vec<PathBuf>,

    /// Address or host name that the name leads to; can be given several times. With --object it takes the
    /// place of what the status of the Gateway or Ingress says
    #[arg(long, value_name = "ADDRESS", conflicts_with = "claim")]
    target: Vec<String>,
}

#[derive(clap::Args, Debug)]
#[group(required = true, multiple = false)]
struct What {
    /// A claim as a vector has it: a YAML file with hostName, and if wanted kind, namespace, object, labels
    /// and targets
    #[arg(long, value_name = "FILE")]
    claim: Option<PathBuf>,

    /// An HTTPRoute or Ingress: a decision on each of its host names
    #[arg(long, value_name = "FILE")]
    object: Option<PathBuf>,

    /// A host name; `{domain}` in it stands for the domain of the cluster
    #[arg(long, value_name = "NAME", requires = "target")]
    host: Option<String>,
}

/// The cluster that asks.
#[derive(clap::Args, Debug)]
pub(super) struct ClusterArgs {
    /// Name of the Cluster
    #[arg(long, value_name = "NAME", default_value = "workload01")]
    cluster: String,

    /// Namespace of the Cluster
    #[arg(long, value_name = "NAMESPACE", default_value = "default")]
    namespace: String,

    /// Purpose of the Cluster; can be given several times
    #[arg(long, value_name = "PURPOSE", default_value = "workload")]
    purpose: Vec<String>,

    /// Label of the Cluster; can be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_label)]
    label: Vec<(String, String)>,
}

/// The policy that holds: the flags, where there is no DNSPolicy.
#[derive(clap::Args, Debug)]
pub(super) struct PolicyOptions {
    /// A DNSPolicy: its base domain, configuration and shared names hold
    #[arg(long, value_name = "FILE", conflicts_with = "base_domain")]
    policy: Option<PathBuf>,

    /// Zone of the landscape
    #[arg(long, value_name = "DOMAIN", default_value = DEFAULT_BASE_DOMAIN)]
    base_domain: String,

    /// Configuration of the module: JSON, or a JSON or YAML file; takes the place of what --policy says
    #[arg(long, value_name = "FILE|JSON")]
    config: Option<String>,
}

impl ClusterArgs {
    /// The resource.
    pub(super) fn resource(&self) -> (ClusterId, Cluster) {
        let Self { cluster: name, namespace, purpose, label } = self;
        let mut cluster = Cluster::default();
        cluster.metadata.name = Some(name.clone());
        cluster.metadata.namespace = Some(namespace.clone());
        cluster.metadata.labels = Some(label.iter().cloned().collect());
        cluster.spec.purposes.clone_from(purpose);
        (ClusterId::new(namespace, name), cluster)
    }
}

impl PolicyOptions {
    /// Where its guards are looked for.
    pub(super) fn folder(&self) -> &Path {
        self.policy.as_deref().and_then(Path::parent).unwrap_or_else(|| Path::new(""))
    }

    /// The policy that holds.
    pub(super) fn policy(&self) -> anyhow::Result<DNSPolicy> {
        let Self { policy, base_domain, config } = self;
        let mut policy = match policy {
            Some(file) => manifests::policy(file)?,
            None => {
                let spec = serde_json::from_value(serde_json::json!({ "baseDomain": base_domain }))?;
                DNSPolicy::new("command-line", spec)
            }
        };
        if let Some(config) = config {
            policy.spec.configuration = Some(super::configuration::read(config)?);
        }
        Ok(policy)
    }
}

impl SubjectArgs {
    /// The claims, in a cluster of this domain under this policy.
    ///
    /// # Errors
    /// When nothing is claimed.
    pub(super) fn claims(&self, domain: &HostName, policy: &LoadedPolicy) -> anyhow::Result<Vec<AskedClaim>> {
        let Self { what: What { claim, object, host }, gateway, target } = self;
        match (claim, object, host) {
            (Some(file), ..) => {
                let what = || format!("failed to read the claim {}", file.display());
                let hint = "write `hostName: shop.{domain}`, and the other fields of a claim as vectors/README.md of a scaffolded guest says";
                let yaml = std::fs::read_to_string(file).with_context(what).hint(hint)?;
                let vector = ClaimOf::parse(&yaml).with_context(what).hint(hint)?;
                Ok(vec![vector.asked_in(domain, policy.policy().details())])
            }
            (None, Some(file), _) => from_objects(file, gateway, target, policy),
            (None, None, Some(host)) => Ok(vec![claims::of_host(host, target, domain)]),
            // Clap sees to it that one is given.
            (None, None, None) => Ok(Vec::new()),
        }
    }
}

/// The host names of all routes and ingresses in a file.
fn from_objects(
    file: &Path,
    others: &[PathBuf],
    targets: &[String],
    policy: &LoadedPolicy,
) -> anyhow::Result<Vec<AskedClaim>> {
    let mut objects = Vec::new();
    for file in others.iter().map(PathBuf::as_path).chain([file]) {
        objects.extend(manifests::read(file)?.into_iter().filter_map(|object| match object {
            Object::Watched(object) => Some(object),
            Object::Cluster(_) | Object::Gateways(_) | Object::Policy(_) => None,
        }));
    }
    let rules = policy.spec().sources.as_ref().map(Sources::rules).unwrap_or_default();
    let Claims { asked, unresolved } =
        claims::of_objects(objects, targets, &rules, policy.policy().details());
    if asked.is_empty() {
        let message = if unresolved.is_empty() {
            format!("{} holds no HTTPRoute or Ingress with a host name", file.display())
        } else {
            format!("no host name leads anywhere: {}", unresolved.join("; "))
        };
        let hint = "give the Gateway with --gateway, with its addresses and the route's acceptance in the status; or the addresses with --target";
        return Err(hinted(message, hint));
    }
    for reason in unresolved {
        note(&format!("passed over: {reason}"));
    }
    Ok(asked)
}

fn parse_label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("a label is KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}
