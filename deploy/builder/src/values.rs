//! The values of the chart: what they are called, what they mean, and which ones are taken.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::Context as _;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The values of the chart. What the central DNS is like, a DNSServiceConfig says.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Values {
    /// The namespace of the service and of the central DNS.
    namespace: Namespace,
    /// The images of all pods.
    images: Images,
    /// Secrets with the credentials for the registry of the service's image.
    image_pull_secrets: Vec<LocalReference>,
    /// Pods of the controller.
    #[schemars(range(min = 0, max = 5))]
    replicas: u32,
    /// Options of `openmcp-dns run`, for example --allow-insecure-kubeconfigs.
    #[serde(default)]
    arguments: Vec<String>,
    /// Whether the service gets into clusters by openMCP's AccessRequests.
    #[serde(default)]
    access_requests: bool,
    /// What each pod of the controller may use.
    resources: Map<String, Value>,
    /// Labels of the nodes that the controller may run on.
    node_selector: BTreeMap<String, String>,
    /// Taints of nodes that do not keep the controller away.
    tolerations: Vec<Map<String, Value>>,
    /// The PriorityClass of the controller.
    priority_class_name: String,
}

/// The namespace of the service.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Namespace {
    /// Its name.
    #[schemars(length(min = 1, max = 63))]
    name: String,
    /// Whether it is made with the release, and goes with it.
    #[serde(default = "yes")]
    create: bool,
}

const fn yes() -> bool {
    true
}

/// The images of all pods.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Images {
    /// The service itself.
    #[schemars(length(min = 1))]
    controller: String,
    /// CoreDNS, where the DNSServiceConfig names no other.
    #[schemars(length(min = 1))]
    core_dns: String,
    /// etcd, where the DNSServiceConfig names no other.
    #[schemars(length(min = 1))]
    etcd: String,
    /// external-dns, the agent of clusters that have one, where the DNSServiceConfig names no other.
    external_dns: String,
}

/// Names an object in the same namespace.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LocalReference {
    /// Its name.
    name: String,
}

/// `values.schema.json`: Helm checks given values against it.
///
/// # Errors
/// Never, unless a schema is no JSON.
pub(crate) fn schema() -> anyhow::Result<String> {
    let settings = schemars::generate::SchemaSettings::draft07();
    let mut schema = settings.into_generator().into_root_schema_for::<Values>().to_value();
    without_formats(&mut schema);
    let text = serde_json::to_string_pretty(&schema).context("failed to write the schema")?;
    Ok(format!("{text}\n"))
}

/// `format` names types of Rust, which those who check do not know.
fn without_formats(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            object.remove("format");
            object.values_mut().for_each(without_formats);
        }
        Value::Array(items) => items.iter_mut().for_each(without_formats),
        _ => {}
    }
}

/// `values.yaml`, with what the schema says of each value beside it.
///
/// # Errors
/// When the defaults are not exactly the values that there are.
pub(crate) fn yaml(defaults: Value) -> anyhow::Result<String> {
    let values: Values =
        serde_json::from_value(defaults).context("the marked values are not those of the chart")?;
    let values = serde_json::to_value(values).context("failed to write the values")?;
    let settings =
        schemars::generate::SchemaSettings::draft07().with(|settings| settings.inline_subschemas = true);
    let schema = settings.into_generator().into_root_schema_for::<Values>().to_value();
    let mut text = String::new();
    write_fields(&mut text, &schema, &values, "")?;
    Ok(text)
}

fn write_fields(text: &mut String, schema: &Value, values: &Value, indent: &str) -> anyhow::Result<()> {
    for (key, value) in values.as_object().context("the values are an object")? {
        let field = &schema["properties"][key];
        let description = field["description"].as_str().with_context(|| format!("{key} is not described"))?;
        for line in description.lines() {
            writeln!(text, "{indent}# {line}")?;
        }
        if field["properties"].is_object() {
            writeln!(text, "{indent}{key}:")?;
            write_fields(text, field, value, &format!("{indent}  "))?;
        } else {
            // JSON is YAML.
            writeln!(text, "{indent}{key}: {value}")?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_mark_without_a_value_that_is_described_is_refused() {
        let error = format!("{:#}", yaml(json!({"nonsense": 1})).unwrap_err());
        assert!(error.contains("unknown field `nonsense`"), "{error}");
    }
}
