//! `openmcp-dns policy inspect`: what a module is, and whether the service would use it.

use std::collections::BTreeMap;

use openmcp_dns_kit::Inspection;
use openmcp_dns_policy::Limits;
use schemars::JsonSchema;
use serde::Serialize;

use super::module::{ModuleArg, engine, raised_options, service_limits};
use super::{Outcome, configuration};
use crate::terminal::output::{OutputFormat, json, print};

/// Says what a module is: what it calls itself, which contract it speaks, what it was built from, and
/// whether the service would use it. A module that is larger than the service takes by default, such as
/// one in JavaScript or Python, is looked at all the same: the options of `openmcp-dns run` that must be
/// raised for it are named.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Exit code: 0 when the service would use the module (if need be with raised limits), 1 when not, 2 when it cannot be read.

Examples:
  openmcp-dns policy inspect standard
  openmcp-dns policy inspect my-policy.wasm --config '{\"ttlSeconds\": 30}'
  openmcp-dns policy inspect my-policy.wasm --output json | jq -r .sha256")]
pub(super) struct InspectArgs {
    /// The module: a file, or `standard`
    module: ModuleArg,

    /// Configuration that the module would be used with: JSON, or a JSON or YAML file
    #[arg(long, value_name = "FILE|JSON")]
    config: Option<String>,

    /// `text` for people, `json` for programs
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT", hide_possible_values = true)]
    output: OutputFormat,
}

/// Runs the command.
pub(super) fn run(args: &InspectArgs) -> anyhow::Result<Outcome> {
    let InspectArgs { module, config, output } = args;
    let configuration = configuration::text(config.as_deref())?;
    let inspection = Inspection::of(&module.read()?, &engine(&[module])?, &configuration);
    let limits = service_limits()?;
    print(&match output {
        OutputFormat::Text => text(module, &inspection, &limits),
        OutputFormat::Json => json(&Document::of(module, &inspection, &limits))?,
    })?;
    Ok(if inspection.admitted.is_ok() { Outcome::Yes } else { Outcome::No })
}

fn text(module: &ModuleArg, inspection: &Inspection, limits: &Limits) -> String {
    let mut lines: Vec<(&str, String)> = vec![("module", module.to_string())];
    if let Ok(admitted) = &inspection.admitted {
        let description = admitted.description();
        lines.push(("name", description.name.clone()));
        lines.push(("version", description.version.clone()));
        lines.push(("summary", description.summary.clone()));
    }
    lines.push(("sha256", inspection.digest.clone()));
    lines.push(("size", format!("{} bytes (limit {})", inspection.bytes, limits.module_bytes)));
    if let Ok(survey) = &inspection.survey {
        lines.push(("contract", list(&survey.contract_versions)));
        lines.push(("exports", list(&survey.exports)));
        lines.push(("imports", list(&survey.imports)));
        lines.push(("functions", format!("{} (limit {})", survey.functions, limits.functions)));
        lines.push((
            "memory",
            format!("{} bytes at first (limit {})", survey.memory_bytes, limits.memory_bytes),
        ));
        lines.push(("compile work", format!("{} (limit {})", survey.compile_work, limits.compile_work)));
        let options = raised_options(survey, limits);
        if !options.is_empty() {
            lines.push(("raised limits", format!("openmcp-dns run needs at least {}", options.join(" "))));
        }
        for (name, content) in &survey.annotations {
            lines.push(("annotation", format!("{name} = {content}")));
        }
    }
    lines.push((
        "admitted",
        match &inspection.admitted {
            Ok(_) if inspection.needs_raised(limits) => "yes, with raised limits".to_owned(),
            Ok(_) => "yes".to_owned(),
            Err(error) => format!("no, {}: {}", error.reason().as_str(), openmcp_dns_core::chain(error)),
        },
    ));
    if let Err(error) = &inspection.admitted {
        lines.push(("next step", module.next_step(error.reason())));
    }
    lines.iter().map(|(name, value)| format!("{name:<13} {value}\n")).collect()
}

/// What a module is.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct Document {
    /// The file, or `standard`.
    module: String,
    /// What it calls itself; `null` where it is not admitted.
    name: Option<String>,
    /// Its version, as it says itself; `null` where it is not admitted.
    version: Option<String>,
    /// What it does, as it says itself; `null` where it is not admitted.
    summary: Option<String>,
    /// SHA-256 of its bytes as hexadecimal digits.
    sha256: String,
    /// Its size.
    bytes: usize,
    /// Which versions of the contract it speaks; `null`, as all that follows, where it is no module.
    contract_versions: Option<Vec<String>>,
    /// What it exports.
    exports: Option<Vec<String>>,
    /// What it imports: the service gives it nothing.
    imports: Option<Vec<String>>,
    /// How many functions it has.
    functions: Option<u64>,
    /// Its memory at first.
    memory_bytes: Option<u64>,
    /// What compiling it costs, in the unit of `--policy-compile-work`.
    compile_work: Option<u64>,
    /// Options of `openmcp-dns run` that must be raised for it.
    raised_limits: Option<Vec<String>>,
    /// What it says of itself besides, by name.
    annotations: Option<BTreeMap<String, String>>,
    /// Whether the service would use it.
    admitted: bool,
    /// Why not, for machines; `null` where it is admitted.
    reason: Option<&'static str>,
    /// Why not, for people; `null` where it is admitted.
    message: Option<String>,
}

impl Document {
    fn of(module: &ModuleArg, inspection: &Inspection, limits: &Limits) -> Self {
        let description = inspection.admitted.as_ref().ok().map(|module| module.description());
        let survey = inspection.survey.as_ref().ok();
        let error = inspection.admitted.as_ref().err();
        Self {
            module: module.to_string(),
            name: description.map(|description| description.name.clone()),
            version: description.map(|description| description.version.clone()),
            summary: description.map(|description| description.summary.clone()),
            sha256: inspection.digest.clone(),
            bytes: inspection.bytes,
            contract_versions: survey.map(|survey| survey.contract_versions.clone()),
            exports: survey.map(|survey| survey.exports.clone()),
            imports: survey.map(|survey| survey.imports.clone()),
            functions: survey.map(|survey| survey.functions),
            memory_bytes: survey.map(|survey| survey.memory_bytes),
            compile_work: survey.map(|survey| survey.compile_work),
            raised_limits: survey.map(|survey| raised_options(survey, limits)),
            annotations: survey.map(|survey| survey.annotations.clone()),
            admitted: inspection.admitted.is_ok(),
            reason: error.map(|error| error.reason().as_str()),
            message: error.map(|error| openmcp_dns_core::chain(error)),
        }
    }
}

fn list(items: &[String]) -> String {
    if items.is_empty() { "none".to_owned() } else { items.join(", ") }
}
