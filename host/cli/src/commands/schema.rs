//! `openmcp-dns schema`: what the JSON of the other commands says.

use clap::ValueEnum;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};

use openmcp_dns_core::decision_log::History;
use openmcp_dns_kit::explain::Explanation;
use openmcp_dns_kit::plan::Plan;

use super::{conformance, corefile, policy, probe, status};
use crate::demo;
use crate::terminal::output::{json, print, render, table};

/// Prints the JSON Schema of what another command prints with `--output json`: every field, its type, its unit and
/// what it means.
///
/// Schemas are of JSON Schema 2020-12. Within a minor version fields may come, and none changes its meaning or goes;
/// CHANGELOG.md says what does otherwise.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Without an output, all of them are listed.

Examples:
  openmcp-dns schema
  openmcp-dns schema plan
  openmcp-dns schema status | jq '.properties.findings'")]
pub struct SchemaArgs {
    /// Whose output: the words of the command with hyphens between them
    #[arg(value_enum, hide_possible_values = true)]
    output: Option<Output>,
}

/// A JSON document, or the lines of one kind, that a command prints.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Output {
    Conformance,
    Corefile,
    /// With --once
    Demo,
    /// Each line while it watches
    DemoEvents,
    Explain,
    History,
    Plan,
    PolicyBench,
    PolicyDiff,
    PolicyInspect,
    PolicyReplay,
    PolicyRun,
    PolicyTest,
    Probe,
    Status,
}

/// Runs the command.
pub fn run(args: &SchemaArgs) -> anyhow::Result<()> {
    let text = match args.output {
        Some(output) => json(&output.schema())?,
        None => list(),
    };
    Ok(print(&text)?)
}

fn list() -> String {
    let mut rows = table(&["output", "command"]);
    for output in Output::value_variants() {
        rows.add_row([output.name(), output.command()]);
    }
    render(&rows, "")
}

impl Output {
    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// How the command is typed.
    fn command(self) -> String {
        let words = match self {
            Self::Corefile => "corefile check".to_owned(),
            Self::Demo => "demo --once".to_owned(),
            Self::DemoEvents => "demo".to_owned(),
            _ => self.name().replacen('-', " ", 1),
        };
        format!("openmcp-dns {words} --output json")
    }

    pub(super) fn schema(self) -> Schema {
        let mut schema = match self {
            Self::Conformance => of::<conformance::Document>(),
            Self::Corefile => of::<Vec<corefile::show::Report>>(),
            Self::Demo => of::<demo::Overview>(),
            Self::DemoEvents => of::<demo::Event>(),
            Self::Explain => of::<Explanation>(),
            Self::History => of::<History>(),
            Self::Plan => of::<Plan>(),
            Self::PolicyBench => of::<policy::bench::Document>(),
            Self::PolicyDiff => of::<policy::diff::Document>(),
            Self::PolicyInspect => of::<policy::inspect::Document>(),
            Self::PolicyReplay => of::<policy::replay::Document<'_>>(),
            Self::PolicyRun => of::<policy::run::Document>(),
            Self::PolicyTest => of::<policy::test::Document>(),
            Self::Probe => of::<probe::show::Document>(),
            Self::Status => of::<status::overview::Overview>(),
        };
        schema.insert("title".to_owned(), self.command().into());
        schema
    }
}

/// As it is written, not as it could be read.
fn of<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// Calls `look` with each property of a schema, and of what it consists of: its name, itself, and the object.
    fn properties(schema: &Value, look: &mut impl FnMut(&str, &Value, &Value)) {
        match schema {
            Value::Object(fields) => {
                if let Some(Value::Object(properties)) = fields.get("properties") {
                    for (name, property) in properties {
                        look(name, property, schema);
                    }
                }
                fields.values().for_each(|field| properties(field, look));
            }
            Value::Array(items) => items.iter().for_each(|item| properties(item, look)),
            _ => {}
        }
    }

    #[test]
    fn every_field_is_in_camel_case() {
        for output in Output::value_variants() {
            let schema = output.schema();
            properties(schema.as_value(), &mut |name, _, _| {
                let is_camel_case = name.starts_with(|first: char| first.is_ascii_lowercase())
                    && name.chars().all(|letter| letter.is_ascii_alphanumeric());
                assert!(is_camel_case, "{name} of {}", output.name());
            });
        }
    }

    #[test]
    fn every_field_says_what_it_means() {
        let mut silent = Vec::new();
        for output in Output::value_variants() {
            let schema = output.schema();
            properties(schema.as_value(), &mut |name, property, parent| {
                // What tells the cases of an enum apart is a constant, and a case with a name says it itself.
                let is_case = parent.get("description").is_some()
                    && parent["properties"].as_object().unwrap().len() == 1;
                if property.get("description").is_none() && property.get("const").is_none() && !is_case {
                    silent.push(format!("{name} of {}", output.name()));
                }
            });
        }
        assert!(silent.is_empty(), "{silent:#?}");
    }
}
