//! `openmcp-dns policy diff`: what another module would change.

use std::collections::BTreeMap;
use std::path::PathBuf;

use openmcp_dns_core::compare::Difference;
use openmcp_dns_core::decide::Decision;
use openmcp_dns_core::name::HostName;
use openmcp_dns_kit::diff::{Comparison, Verdicts};
use openmcp_dns_landscape::Landscape;
use schemars::JsonSchema;
use serde::Serialize;

use super::super::block_on;
use super::super::landscape::folder;
use super::super::landscape::live::LiveArgs;
use super::Outcome;
use super::choice::ModuleChoice;
use super::difference::{changed_lines, counted};
use super::guards::Place;
use super::module::engine;
use crate::terminal::output::{OutputFormat, json, print};

/// Has two modules decide on every claim of a landscape, and shows where they differ: the domains
/// of clusters, names that one denies, other records.
///
/// The landscape is a folder of manifests, as `openmcp-dns demo` reads it, or one that runs: with
/// --kubeconfig, the objects are read from the API servers of all its clusters, with the access that the
/// service has, and nothing is written. The DNSPolicy says the base domain, the shared names and the
/// configuration; its own module is used only where a module is given as `active`. Two denials are the
/// same when their codes are. With the same module twice, it shows what another configuration would change.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Exit code: 0 when both decide the same, 1 when they differ, 2 when they cannot be compared, or not on
every cluster.

Examples:
  openmcp-dns policy diff standard my-policy.wasm examples/landscape
  openmcp-dns policy diff old.wasm new.wasm landscape --config new-config.yaml
  openmcp-dns policy diff standard standard landscape --old-config '{}' --config new-config.yaml
  openmcp-dns policy diff active new.wasm --kubeconfig platform.yaml")]
pub(super) struct DiffArgs {
    /// The module that decides now: a file, `standard`, or `active` for the one that the DNSPolicy of a
    /// running landscape names
    old: ModuleChoice,

    /// The module that is to decide: a file, `standard` or `active`
    new: ModuleChoice,

    /// The landscape: a folder with one folder of manifests for each cluster
    #[arg(value_name = "FOLDER", required_unless_present = "kubeconfig")]
    folder: Option<PathBuf>,

    /// Configuration of the new module instead of the DNSPolicy's: JSON, or a JSON or YAML file
    #[arg(long, value_name = "FILE|JSON")]
    config: Option<String>,

    /// Configuration of the old module instead of the DNSPolicy's: JSON, or a JSON or YAML file
    #[arg(long, value_name = "FILE|JSON")]
    old_config: Option<String>,

    /// `text` for people, `json` for programs
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT", hide_possible_values = true)]
    output: OutputFormat,

    #[command(flatten)]
    live: LiveArgs,
}

/// Runs the command.
pub(super) fn run(args: &DiffArgs) -> anyhow::Result<Outcome> {
    block_on(compare(args))
}

async fn compare(args: &DiffArgs) -> anyhow::Result<Outcome> {
    let DiffArgs { old, new, folder, config, old_config, output, live } = args;
    let engine = engine(&[old, new].into_iter().filter_map(ModuleChoice::given).collect::<Vec<_>>())?;
    let (landscape, loader) = match folder {
        Some(folder) => (folder::read(folder)?, None),
        None => {
            let (landscape, loader) = live.read(&engine).await?;
            (landscape, Some(loader))
        }
    };
    let place = Place::of(folder.as_deref(), loader.as_ref());
    let old = old.policy(&engine, old_config.as_deref(), &landscape, place).await?;
    let new = new.policy(&engine, config.as_deref(), &landscape, place).await?;
    let (old, new) = (Verdicts::of(&old, &landscape), Verdicts::of(&new, &landscape));
    let comparison = Comparison::of(&old, &new);
    print(&match output {
        OutputFormat::Text => text(&old, &new, &comparison, &landscape),
        OutputFormat::Json => json(&Document::of(&old, &new, &comparison, &landscape))?,
    })?;
    Ok(if landscape.unknown().next().is_some() {
        Outcome::Unknown
    } else if comparison.is_same() {
        Outcome::Yes
    } else {
        Outcome::No
    })
}

fn text(old: &Verdicts, new: &Verdicts, comparison: &Comparison<'_>, landscape: &Landscape) -> String {
    let mut text = format!("- {}\n+ {}\n", old.module, new.module);
    for (cluster, old, new) in &comparison.domains {
        text.push_str(&format!("\ndomain of cluster {cluster}\n"));
        for (sign, domain) in [('-', old), ('+', new)] {
            match domain {
                Some(Ok(domain)) => text.push_str(&format!("  {sign} {domain}\n")),
                Some(Err(why)) => text.push_str(&format!("  {sign} none: {why}\n")),
                None => text.push_str(&format!("  {sign} not selected\n")),
            }
        }
    }
    for (kind, (cluster, source, host_name), old, new) in &comparison.claims {
        text.push_str(&format!("\n{}: {host_name} ({source} of cluster {cluster})\n", kind.as_str()));
        text.push_str(&changed_lines(&Decision::lines_of(*old), &Decision::lines_of(*new)));
    }
    text.push_str(&format!("\n{} claims: {} decided the same", comparison.total, comparison.same));
    text.push_str(&counted(|kind| comparison.count(kind)));
    text.push_str(&format!(
        "; {} clusters, {} with another domain\n",
        comparison.clusters,
        comparison.domains.len()
    ));
    if old.unresolved > 0 {
        text.push_str(&format!(
            "host names that lead nowhere yet, so that no module is asked: {}\n",
            old.unresolved
        ));
    }
    for (cluster, why) in landscape.unknown() {
        text.push_str(&format!("not compared, but for its domain: cluster {cluster}: {why}\n"));
    }
    text
}

/// Where two modules differ.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct Document {
    /// Name and version of the one.
    old: String,
    /// Name and version of the other.
    new: String,
    /// Whether they differ nowhere.
    same: bool,
    /// How many claims were decided on.
    claims: usize,
    /// How many of them by both in the same way.
    claims_decided_the_same: usize,
    /// Host names that lead nowhere yet, so that no module is asked.
    unresolved: usize,
    /// How many claims differ how.
    counts: BTreeMap<&'static str, usize>,
    /// Clusters that would have another domain.
    domains: Vec<DomainRow>,
    /// Claims that differ.
    differences: Vec<DifferenceRow>,
    /// Clusters that could not be read.
    not_compared: Vec<NotCompared>,
}

/// A cluster that would have another domain.
#[derive(Serialize, JsonSchema)]
struct DomainRow {
    /// NAMESPACE/NAME of the Cluster.
    cluster: String,
    /// The one by the old module; `null` for none.
    old: Option<String>,
    /// The one by the new module; `null` for none.
    new: Option<String>,
}

/// A claim that would be decided otherwise.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct DifferenceRow {
    /// How it differs.
    difference: &'static str,
    /// NAMESPACE/NAME of the Cluster.
    cluster: String,
    /// The object that asks, as kind, namespace and name.
    object: String,
    /// The host name as the object has it.
    host_name: String,
    /// The old decision, as lines.
    old: Vec<String>,
    /// The new one.
    new: Vec<String>,
}

/// A cluster that could not be read.
#[derive(Serialize, JsonSchema)]
struct NotCompared {
    /// NAMESPACE/NAME of the Cluster.
    cluster: String,
    /// Why.
    reason: String,
}

impl Document {
    fn of(old: &Verdicts, new: &Verdicts, comparison: &Comparison<'_>, landscape: &Landscape) -> Self {
        let text = |domain: &Option<&Result<HostName, String>>| {
            domain.and_then(|domain| domain.as_ref().ok().map(ToString::to_string))
        };
        let domains = comparison.domains.iter().map(|(cluster, old, new)| DomainRow {
            cluster: cluster.to_string(),
            old: text(old),
            new: text(new),
        });
        let differences =
            comparison.claims.iter().map(|(kind, (cluster, source, host_name), old, new)| DifferenceRow {
                difference: kind.as_str(),
                cluster: cluster.to_string(),
                object: source.to_string(),
                host_name: host_name.clone(),
                old: Decision::lines_of(*old),
                new: Decision::lines_of(*new),
            });
        let not_compared = landscape
            .unknown()
            .map(|(cluster, why)| NotCompared { cluster: cluster.to_string(), reason: why.to_owned() });
        Self {
            old: old.module.clone(),
            new: new.module.clone(),
            same: comparison.is_same(),
            claims: comparison.total,
            claims_decided_the_same: comparison.same,
            unresolved: old.unresolved,
            counts: Difference::ALL.iter().map(|kind| (kind.as_str(), comparison.count(*kind))).collect(),
            domains: domains.collect(),
            differences: differences.collect(),
            not_compared: not_compared.collect(),
        }
    }
}
