//! `openmcp-dns policy replay`: what another module would have decided.

use std::path::PathBuf;
use std::sync::Arc;

use openmcp_dns_kit::replay::{Differing, OtherDomain, Replay};
use openmcp_dns_policy::Module;
use schemars::JsonSchema;
use serde::Serialize;

use super::super::decision_log;
use super::difference::{changed_lines, counted};
use super::module::{ModuleArg, engine};
use super::run::ModuleRow;
use super::{Outcome, configuration};
use crate::terminal::hint::hinted;
use crate::terminal::output::{OutputFormat, json, print};

/// Asks a module every question that stands in a decision log, and shows which it would have decided otherwise: claims
/// that it denies, other records, other domains of clusters.
///
/// The log is written by `openmcp-dns run --decision-log DIR`. A question is asked with all that the module was told then,
/// also with the configuration; --config takes its place. The host's own rules hold as well. Two denials are the same
/// when their codes are. A question of which the module wants to be told more than stands in the log is not asked.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Exit code: 0 when everything is decided the same, 1 when something is not, 2 when questions cannot be asked.

Examples:
  openmcp-dns policy replay /var/lib/openmcp-dns/decisions my-policy.wasm
  openmcp-dns policy replay decisions standard --config new-config.yaml --output json")]
pub(super) struct ReplayArgs {
    /// The directory of the decision log, or a copy of it
    log: PathBuf,

    /// The module: a file, or `standard`
    module: ModuleArg,

    /// Configuration instead of the one in the log: JSON, or a JSON or YAML file
    #[arg(long, value_name = "FILE|JSON")]
    config: Option<String>,

    /// `text` for people, `json` for programs
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT", hide_possible_values = true)]
    output: OutputFormat,
}

/// Runs the command.
pub(super) fn run(args: &ReplayArgs) -> anyhow::Result<Outcome> {
    let ReplayArgs { log: directory, module, config, output } = args;
    let configuration = config.as_deref().map(|config| configuration::text(Some(config))).transpose()?;
    let log = decision_log::read(directory)?;
    let module = Arc::new(module.compile(&engine(&[module])?)?);
    let replay = Replay::of(&log, &module, configuration.as_deref());
    if replay.questions == 0 {
        let message = format!("no question to a module stands in the log in {}", directory.display());
        return Err(hinted(message, "a log holds what was decided since it was begun"));
    }
    print(&match output {
        OutputFormat::Text => text(&replay, &module),
        OutputFormat::Json => json(&Document::of(&replay, &module))?,
    })?;
    Ok(if !replay.not_asked.is_empty() {
        Outcome::Unknown
    } else if replay.is_same() {
        Outcome::Yes
    } else {
        Outcome::No
    })
}

fn text(replay: &Replay, module: &Module) -> String {
    let mut text = format!("- the log\n+ {}\n", module.description());
    for OtherDomain { cluster, old, new, no_domain } in &replay.domains {
        text.push_str(&format!("\ndomain of cluster {cluster}\n  - {old}\n"));
        match new {
            Some(new) => text.push_str(&format!("  + {new}\n")),
            None => text.push_str(&format!("  + none: {}\n", no_domain.as_deref().unwrap_or_default())),
        }
    }
    for Differing { time, cluster, object, host_name, difference, old, new, .. } in &replay.differences {
        text.push_str(&format!("\n{difference}: {host_name} ({object} of cluster {cluster}, {time})\n"));
        text.push_str(&changed_lines(old, new));
    }
    text.push_str(&format!("\n{} questions: {} decided the same", replay.questions, replay.same));
    text.push_str(&counted(|kind| replay.count(kind)));
    text.push_str(&format!("; clusters with another domain: {}\n", replay.domains.len()));
    for (why, count) in &replay.not_asked {
        text.push_str(&format!("not asked: {count}: {why}\n"));
    }
    text
}

/// What another module would have decided.
#[derive(Serialize, JsonSchema)]
pub(in super::super) struct Document<'r> {
    #[serde(flatten)]
    replay: &'r Replay,
    /// The module that was asked.
    module: ModuleRow,
}

impl<'r> Document<'r> {
    fn of(replay: &'r Replay, module: &Module) -> Self {
        let description = module.description();
        let module = ModuleRow {
            name: description.name.clone(),
            version: description.version.clone(),
            sha256: module.digest().to_owned(),
        };
        Self { replay, module }
    }
}
