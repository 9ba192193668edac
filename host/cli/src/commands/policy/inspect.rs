//! `openmcp-dns policy inspect`: what a module is, and whether the service would use it.

use openmcp_dns_kit::Inspection;
use openmcp_dns_policy::Limits;
use serde_json::json;

use super::module::{ModuleArg, engine, raised_options, service_limits};
use super::{Outcome, configuration};
use crate::terminal::output::{OutputFormat, print};

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
        OutputFormat::Json => json_text(module, &inspection, &limits)?,
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

fn json_text(module: &ModuleArg, inspection: &Inspection, limits: &Limits) -> serde_json::Result<String> {
    let description = inspection.admitted.as_ref().ok().map(|module| module.description());
    let survey = inspection.survey.as_ref().ok();
    let error = inspection.admitted.as_ref().err();
    let text = serde_json::to_string_pretty(&json!({
        "module": module.to_string(),
        "name": description.map(|description| &description.name),
        "version": description.map(|description| &description.version),
        "summary": description.map(|description| &description.summary),
        "sha256": inspection.digest,
        "bytes": inspection.bytes,
        "contractVersions": survey.map(|survey| &survey.contract_versions),
        "exports": survey.map(|survey| &survey.exports),
        "imports": survey.map(|survey| &survey.imports),
        "functions": survey.map(|survey| survey.functions),
        "memoryBytes": survey.map(|survey| survey.memory_bytes),
        "compileWork": survey.map(|survey| survey.compile_work),
        "raisedLimits": survey.map(|survey| raised_options(survey, limits)),
        "annotations": survey.map(|survey| &survey.annotations),
        "admitted": inspection.admitted.is_ok(),
        "reason": error.map(|error| error.reason().as_str()),
        "message": error.map(|error| openmcp_dns_core::chain(error)),
    }))?;
    Ok(format!("{text}\n"))
}

fn list(items: &[String]) -> String {
    if items.is_empty() { "none".to_owned() } else { items.join(", ") }
}
