//! A manifest with marks.

use std::path::Path;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

/// Before what a template has in the place of the value on the same line.
const MARK: &str = " # chart: ";

/// On a line of its own: the document is there only if the expression holds.
const CONDITION: &str = "# chart-if: ";

/// The namespace of the service, wherever an object lies in it.
const NAMESPACE: &str = "namespace: openmcp-dns";

/// Where the chart has it.
const NAMESPACE_MARK: &str = "toJson .Values.namespace.name";

/// A manifest that was read.
pub(crate) struct Source(String);

impl Source {
    pub(crate) fn read(file: &Path) -> anyhow::Result<Self> {
        let text =
            std::fs::read_to_string(file).with_context(|| format!("failed to read {}", file.display()))?;
        if text.contains("{{") {
            bail!("{} would be read as a template: it has {{{{ in it", file.display());
        }
        // What stands before an empty line is for those who change the source.
        Ok(Self(text.split_once("\n\n").map_or(text.as_str(), |(_, rest)| rest).to_owned()))
    }

    /// As `kubectl` takes it.
    pub(crate) fn plain(&self) -> String {
        let lines = self.0.lines().filter(|line| !line.starts_with(CONDITION));
        lines.map(|line| format!("{}\n", marked(line).map_or(line, |(value, _)| value))).collect()
    }

    /// As Helm takes it.
    pub(crate) fn template(&self) -> String {
        self.0.split_inclusive("---\n").map(document).collect()
    }

    /// The marked values, each where the values of the chart have it.
    pub(crate) fn defaults(&self, into: &mut Value) -> anyhow::Result<()> {
        for (line, expression) in self.0.lines().filter_map(marked) {
            let Some(path) = expression.strip_prefix("toJson .Values.") else { continue };
            let (_, value) = key_and_value(line)?;
            let value: Value =
                serde_saphyr::from_str(value).with_context(|| format!("no value on the line {line:?}"))?;
            let place = path.split('.').fold(&mut *into, |place, key| {
                if place.is_null() {
                    *place = json!({});
                }
                &mut place[key]
            });
            if !place.is_null() && *place != value {
                bail!("{path} is {place} and {value}");
            }
            *place = value;
        }
        Ok(())
    }
}

/// The line without its mark, and what the mark says.
fn marked(line: &str) -> Option<(&str, &str)> {
    line.split_once(MARK).or_else(|| line.ends_with(NAMESPACE).then_some((line, NAMESPACE_MARK)))
}

fn key_and_value(line: &str) -> anyhow::Result<(&str, &str)> {
    line.split_once(": ").with_context(|| format!("a mark stands on {line:?}, which has no value"))
}

/// A document with expressions in the place of values, and in its condition.
fn document(text: &str) -> String {
    let (body, end) = text.strip_suffix("---\n").map_or((text, ""), |body| (body, "---\n"));
    let condition = body.lines().find_map(|line| line.strip_prefix(CONDITION));
    let lines: String = body
        .lines()
        .filter(|line| !line.starts_with(CONDITION))
        .map(|line| match marked(line) {
            Some((value, expression)) => {
                let key = value.split_once(": ").map_or(value, |(key, _)| key);
                format!("{key}: {{{{ {expression} }}}}\n")
            }
            None => format!("{line}\n"),
        })
        .collect();
    match condition {
        Some(condition) => format!("{{{{- if {condition} }}}}\n{lines}{{{{- end }}}}\n{end}"),
        None => format!("{lines}{end}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source() -> Source {
        Source(
            "# chart-if: .Values.create\nname: a # chart: toJson .Values.name\nkind: A\n---\nb:\n  namespace: openmcp-dns\n"
                .to_owned(),
        )
    }

    #[test]
    fn what_kubectl_takes_has_the_values_and_no_marks() {
        assert_eq!(source().plain(), "name: a\nkind: A\n---\nb:\n  namespace: openmcp-dns\n");
    }

    #[test]
    fn what_helm_takes_has_expressions_in_their_place() {
        assert_eq!(
            source().template(),
            "{{- if .Values.create }}\nname: {{ toJson .Values.name }}\nkind: A\n{{- end }}\n---\nb:\n  \
             namespace: {{ toJson .Values.namespace.name }}\n"
        );
    }

    #[test]
    fn the_marked_values_are_the_defaults_and_must_agree() {
        let mut defaults = json!({});
        source().defaults(&mut defaults).unwrap();
        assert_eq!(defaults, json!({"name": "a", "namespace": {"name": "openmcp-dns"}}));
        let other = Source("name: b # chart: toJson .Values.name\n".to_owned());
        let error = other.defaults(&mut defaults).unwrap_err().to_string();
        assert!(error.contains("name is \"a\" and \"b\""), "{error}");
    }
}
