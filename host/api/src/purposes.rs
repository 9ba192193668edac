//! The purpose selector of openMCP's own DNS service, whose `DNSServiceConfig` has it.

use schemars::{Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// So deep can a selector be nested. Schemas of Kubernetes cannot refer to themselves, and what they do not name is taken
/// out of an object without a word, so each level is written down; what is deeper is refused.
pub const LEVELS: usize = 4;

/// Most selectors in a list: what an API server may have to check for an object has a bound.
const MOST: usize = 16;

/// Selects clusters by their purposes. Of several requirements the first counts, in the order of the fields; without any,
/// every cluster is selected (upstream: `PurposeSelectorRequirement.Matches` in `api/dns/v1alpha1/config_types.go`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct PurposeSelector {
    /// The cluster has this purpose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// This does not hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not: Option<Box<Self>>,
    /// All of these hold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub and: Vec<Self>,
    /// One of these holds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub or: Vec<Self>,
}

impl PurposeSelector {
    /// Whether a cluster with these purposes is selected.
    #[must_use]
    pub fn selects(&self, purposes: &[String]) -> bool {
        let Self { name, not, and, or } = self;
        if let Some(name) = name {
            purposes.contains(name)
        } else if let Some(not) = not {
            !not.selects(purposes)
        } else if !and.is_empty() {
            and.iter().all(|selector| selector.selects(purposes))
        } else {
            or.is_empty() || or.iter().any(|selector| selector.selects(purposes))
        }
    }
}

/// The schema, written down to the last level.
pub fn schema(_: &mut SchemaGenerator) -> Schema {
    let mut schema = level(LEVELS);
    // Applied as a whole: an API server that takes it apart leaves `null` where its last field goes, which is no object.
    schema["x-kubernetes-map-type"] = json!("atomic");
    schema["description"] = json!(
        "A requirement on `spec.purposes` of the `Cluster`, as openMCP's own DNS service has it: of name (a purpose that the \
         cluster has), not, and, or, the first that is set counts; without any, every cluster is selected."
    );
    Schema::try_from(schema).unwrap_or_default()
}

fn level(levels: usize) -> Value {
    let list = |items: Value| json!({ "type": "array", "maxItems": MOST, "items": items });
    let object = |not: Value, list: Value| {
        let properties = json!({ "name": { "type": "string" }, "not": not, "and": list, "or": list });
        json!({ "type": "object", "properties": properties })
    };
    if levels > 1 {
        return object(level(levels - 1), list(level(levels - 1)));
    }
    // Without these, they would be taken out, and the selector would select every cluster.
    let free = || json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    let mut schema = object(free(), list(free()));
    schema["x-kubernetes-validations"] = json!([{
        "rule": "!has(self.not) && !has(self.and) && !has(self.or)",
        "message": format!("a purposeSelector has at most {LEVELS} levels"),
    }]);
    schema
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// The sets of purposes and the selectors of upstream's own tests
    /// (`internal/controllers/cluster/testdata/purposeselector`).
    #[test]
    fn it_selects_what_upstream_selects() {
        let vectors: Value = serde_json::from_str(include_str!("../tests/purposes.json")).unwrap();
        let sets: BTreeMap<String, Vec<String>> = serde_json::from_value(vectors["sets"].clone()).unwrap();
        let cases = vectors["cases"].as_array().unwrap();
        assert_eq!((sets.len(), cases.len()), (6, 7));
        for case in cases {
            let selector: PurposeSelector = serde_json::from_value(case["selector"].clone()).unwrap();
            let selected = sets.iter().filter(|(_, purposes)| selector.selects(purposes));
            assert_eq!(selected.map(|(name, _)| &**name).collect::<String>(), case["selects"], "{case}");
        }
    }

    #[test]
    fn of_several_requirements_the_first_counts() {
        let all: PurposeSelector = serde_json::from_value(
            json!({ "name": "foo", "not": { "name": "foo" }, "or": [{ "name": "bar" }] }),
        )
        .unwrap();
        assert!(all.selects(&["foo".to_owned()]) && !all.selects(&["bar".to_owned()]));
    }
}
