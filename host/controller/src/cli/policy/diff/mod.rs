//! `openmcp-dns policy diff`: what another module would change.

mod compare;
mod landscape;
mod side;

use std::path::PathBuf;

use compare::{Comparison, Kind};
use serde_json::json;
use side::{Side, Verdict};

use super::super::output::{OutputFormat, print};
use super::Outcome;
use super::module::{ModuleArg, engine};

/// Has two modules decide on every claim of a landscape folder, and shows where they differ: the domains
/// of clusters, names that one denies, other records.
///
/// The folder is one of manifests, as `openmcp-dns demo` reads it. The DNSPolicy in it says the base domain,
/// the shared names and the configuration; its own module is not looked at. Two denials are the
/// same when their codes are. With the same module twice, it shows what another configuration would change.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Exit code: 0 when both decide the same, 1 when they differ, 2 when they cannot be compared.

Examples:
  openmcp-dns policy diff standard my-policy.wasm examples/landscape
  openmcp-dns policy diff old.wasm new.wasm landscape --config new-config.yaml
  openmcp-dns policy diff standard standard landscape --old-config '{}' --config new-config.yaml")]
pub(super) struct DiffArgs {
    /// The module that decides now: a file, or `standard`
    old: ModuleArg,

    /// The module that is to decide: a file, or `standard`
    new: ModuleArg,

    /// The landscape: a folder with one folder of manifests for each cluster
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,

    /// Configuration of the new module instead of the DNSPolicy's: JSON, or a JSON or YAML file
    #[arg(long, value_name = "FILE|JSON")]
    config: Option<String>,

    /// Configuration of the old module instead of the DNSPolicy's: JSON, or a JSON or YAML file
    #[arg(long, value_name = "FILE|JSON")]
    old_config: Option<String>,

    /// `text` for people, `json` for programs
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT", hide_possible_values = true)]
    output: OutputFormat,
}

/// Runs the command.
pub(super) fn run(args: &DiffArgs) -> anyhow::Result<Outcome> {
    let DiffArgs { old, new, folder, config, old_config, output } = args;
    let landscape = landscape::read(folder)?;
    let engine = engine(&[old, new])?;
    let old = Side::of(&engine, old, old_config.as_deref(), &landscape)?;
    let new = Side::of(&engine, new, config.as_deref(), &landscape)?;
    let comparison = Comparison::of(&old, &new);
    print(&match output {
        OutputFormat::Text => text(&old, &new, &comparison),
        OutputFormat::Json => json_text(&old, &new, &comparison)?,
    })?;
    Ok(if comparison.is_same() { Outcome::Yes } else { Outcome::No })
}

fn text(old: &Side, new: &Side, comparison: &Comparison<'_>) -> String {
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
        for (sign, verdict, other) in [('-', old, new), ('+', new, old)] {
            for line in verdict_lines(verdict) {
                // Records that stay are no difference.
                if !matches!(other, Some(Verdict::Published(lines)) if lines.contains(&line)) {
                    text.push_str(&format!("  {sign} {line}\n"));
                }
            }
        }
    }
    text.push_str(&format!("\n{} claims: {} decided the same", comparison.total, comparison.same));
    for kind in Kind::ALL {
        let count = comparison.count(kind);
        if count > 0 {
            text.push_str(&format!(", {count} {}", kind.as_str()));
        }
    }
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
    text
}

fn verdict_lines(verdict: &Option<&Verdict>) -> Vec<String> {
    match verdict {
        Some(Verdict::Published(lines)) if lines.is_empty() => vec!["no records".to_owned()],
        Some(Verdict::Published(lines)) => lines.clone(),
        Some(Verdict::Denied { code, message }) => vec![format!("denied, {code}: {message}")],
        Some(Verdict::Undecided(why)) => vec![format!("undecided: {why}")],
        None => vec!["not asked".to_owned()],
    }
}

fn json_text(old: &Side, new: &Side, comparison: &Comparison<'_>) -> serde_json::Result<String> {
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
                "host_name": host_name,
                "old": verdict_lines(old),
                "new": verdict_lines(new),
            })
        })
        .collect();
    let counts: serde_json::Map<String, serde_json::Value> =
        Kind::ALL.iter().map(|kind| (kind.as_str().to_owned(), comparison.count(*kind).into())).collect();
    let text = serde_json::to_string_pretty(&json!({
        "old": old.module,
        "new": new.module,
        "same": comparison.is_same(),
        "claims": comparison.total,
        "claims_decided_the_same": comparison.same,
        "unresolved": old.unresolved,
        "counts": counts,
        "domains": domains,
        "differences": claims,
    }))?;
    Ok(format!("{text}\n"))
}
