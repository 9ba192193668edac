//! Amazon EKS: its add-on manager owns the Corefile, and says so in the object's managed fields.

use serde_json::Value;

use super::facts::Facts;
use super::pods::MountedKey;

/// What it calls itself when it applies the add-on.
const MANAGER: &str = "eks";

/// The label on what it has made.
const LABEL: (&str, &str) = ("eks.amazonaws.com/component", "coredns");

/// What was seen of it, and what to know then.
pub(super) fn said(facts: &Facts, at: &MountedKey) -> (Option<String>, Vec<String>) {
    let Some(config_map) = facts.object(&at.config_map) else { return (None, Vec::new()) };
    let entries = config_map.pointer("/metadata/managedFields").and_then(Value::as_array);
    let field = format!("f:{}", at.key);
    let owns = entries.into_iter().flatten().any(|entry| {
        entry["manager"] == MANAGER
            && entry.pointer("/fieldsV1/f:data").is_some_and(|data| data.get(&field).is_some())
    });
    let labelled = facts.dns_pods().and_then(|pods| pods.label(LABEL.0)) == Some(LABEL.1);
    if !owns && !labelled {
        return (None, Vec::new());
    }
    let why = if owns { format!("{MANAGER} owns it") } else { format!("its pods are of {}", LABEL.0) };
    let note = "an update of the EKS add-on coredns with OVERWRITE takes the block out, and it comes back at once; to keep it, \
                use PRESERVE, or write it into the add-on's configuration value corefile";
    (Some(format!("{why}: this is an EKS add-on")), vec![note.to_owned()])
}
