//! `openmcp-dns policy diff`: what another module would change.

use std::path::PathBuf;

use openmcp_dns_core::compare::Difference;
use openmcp_dns_core::decide::Decision;
use openmcp_dns_kit::diff::{Comparison, Verdicts};
use openmcp_dns_landscape::Landscape;
use serde_json::json;

use super::super::block_on;
use super::super::landscape::folder;
use super::super::landscape::live::LiveArgs;
use super::Outcome;
use super::choice::ModuleChoice;
use super::difference::{changed_lines, counted};
use super::guards::Place;
use super::module::engine;
use crate::terminal::output::{OutputFormat, print};

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
        OutputFormat::Json => json_text(&old, &new, &comparison, &landscape)?,
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

fn json_text(
    old: &Verdicts,
    new: &Verdicts,
    comparison: &Comparison<'_>,
    landscape: &Landscape,
) -> serde_json::Result<String> {
    let domains: Vec<serde_json::Value> = comparison
        .domains
        .iter()
        .map(|(cluster, old, new)| {
            let text = |domain: &Option<&Result<openmcp_dns_core::name::HostName, String>>| {
                domain.and_then(|domain| domain.as_ref().ok().map(ToString::to_string))
            };
            json!({ "cluster": cluster.to_string(), "old": text(old), "new": text(new) })
        })
        .collect();
    let claims: Vec<serde_json::Value> = comparison
        .claims
        .iter()
        .map(|(kind, (cluster, source, host_name), old, new)| {
            json!({
                "difference": kind.as_str(),
                "cluster": cluster.to_string(),
                "object": source.to_string(),
                "hostName": host_name,
                "old": Decision::lines_of(*old),
                "new": Decision::lines_of(*new),
            })
        })
        .collect();
    let counts: serde_json::Map<String, serde_json::Value> = Difference::ALL
        .iter()
        .map(|kind| (kind.as_str().to_owned(), comparison.count(*kind).into()))
        .collect();
    let not_compared: Vec<serde_json::Value> = landscape
        .unknown()
        .map(|(cluster, why)| json!({ "cluster": cluster.to_string(), "reason": why }))
        .collect();
    let text = serde_json::to_string_pretty(&json!({
        "old": old.module,
        "new": new.module,
        "same": comparison.is_same(),
        "claims": comparison.total,
        "claimsDecidedTheSame": comparison.same,
        "unresolved": old.unresolved,
        "counts": counts,
        "domains": domains,
        "differences": claims,
        "notCompared": not_compared,
    }))?;
    Ok(format!("{text}\n"))
}
