//! Cases of sources: objects, and the endpoints that come of them.

use openmcp_dns_core::kinds::{Kind, Watched};
use openmcp_dns_core::objects::{Change, Objects};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::config::Config;
use super::endpoint::{Endpoints, Expected};
use super::report::Outcome;

/// Objects, and the endpoints that come of them.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SourceCase {
    /// Which source is read, for example `ingress` or `gateway-httproute`.
    source: String,
    #[serde(default)]
    config: Config,
    /// The objects as an API server has them, with their status.
    pub input: Vec<Value>,
    expect: Expected,
    /// Follows from the objects.
    #[serde(default, rename = "namespacesNotCreated")]
    _namespaces_not_created: IgnoredAny,
    #[serde(default, rename = "case")]
    _case: IgnoredAny,
    #[serde(default, rename = "origin")]
    _origin: IgnoredAny,
    #[serde(default, rename = "filled")]
    _filled: IgnoredAny,
    #[serde(default, rename = "notes")]
    _notes: IgnoredAny,
}

impl SourceCase {
    /// Runs the case on its own objects.
    #[must_use]
    pub fn run(&self) -> Outcome {
        match self.objects() {
            Ok(objects) => self.judge(objects),
            Err(outcome) => outcome,
        }
    }

    /// Runs the case on its objects as they came from elsewhere, for example from an API server.
    #[must_use]
    pub fn judge(&self, objects: impl IntoIterator<Item = Watched>) -> Outcome {
        let rules = match self.config.rules() {
            Ok(rules) => rules,
            Err(reason) => return Outcome::Skipped(reason),
        };
        let Some(kind) = self.kind() else {
            return Outcome::Skipped(format!("the source {} is not read", self.source));
        };
        let mut all = Objects::default();
        for object in objects {
            all.apply(Change::Set(object));
        }
        let mut endpoints = Endpoints::default();
        let mut reasons = Vec::new();
        for source in all.sources().into_iter().filter(|source| source.kind == kind) {
            let resolution = all.resolve(&source, &rules).unwrap_or_default();
            endpoints.add(&resolution);
            reasons.extend(
                resolution
                    .unresolved
                    .into_iter()
                    .map(|unresolved| format!("  {source} {}: {}", unresolved.host_name, unresolved.reason)),
            );
        }
        let mut lines = self.expect.difference(&endpoints);
        if lines.is_empty() {
            return Outcome::Passed;
        }
        lines.extend(reasons);
        Outcome::Failed(lines)
    }

    /// The kind of the objects that claim host names: external-dns's word for it is the kind in lower case.
    fn kind(&self) -> Option<Kind> {
        let word = self.source.strip_prefix("gateway-").unwrap_or(&self.source);
        Kind::sources().find(|kind| kind.as_str().eq_ignore_ascii_case(word))
    }

    fn objects(&self) -> Result<Vec<Watched>, Outcome> {
        self.input.iter().map(watched).collect()
    }
}

fn watched(object: &Value) -> Result<Watched, Outcome> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (api_version, kind) = (text("/apiVersion"), text("/kind"));
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    let Some(known) = Kind::parse(kind).filter(|known| known.group() == group) else {
        return Err(Outcome::Skipped(format!("objects of kind {kind} are not read")));
    };
    Watched::from_json(known, object.clone()).map_err(|error| {
        Outcome::Failed(vec![format!("{kind} {} cannot be read: {error}", text("/metadata/name"))])
    })
}
