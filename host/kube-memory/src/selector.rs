//! Label and field selectors.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::kept::Kept;
use crate::kind::Key;
use crate::refusal::Refusal;

/// Which objects of a kind a list or watch is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selector {
    labels: Vec<Requirement>,
    fields: Vec<(Field, bool, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Requirement {
    Exists(String),
    Missing(String),
    In(String, BTreeSet<String>),
    /// Objects without the label match, too.
    NotIn(String, BTreeSet<String>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Name,
    Namespace,
}

impl Selector {
    pub(crate) fn parse(labels: &str, fields: &str) -> Result<Self, Refusal> {
        let labels = split(labels).into_iter().map(Requirement::parse).collect::<Result<_, _>>()?;
        let fields = split(fields).into_iter().map(field).collect::<Result<_, _>>()?;
        Ok(Self { labels, fields })
    }

    /// Whether every object matches.
    pub(crate) const fn is_empty(&self) -> bool {
        self.labels.is_empty() && self.fields.is_empty()
    }

    pub(crate) fn matches(&self, (namespace, name): &Key, object: &Kept) -> bool {
        let fields_match = self.fields.iter().all(|(field, equal, wanted)| {
            let value = match field {
                Field::Name => name,
                Field::Namespace => namespace,
            };
            (value == wanted) == *equal
        });
        fields_match && (self.labels.is_empty() || self.labels_match(&object.object()["metadata"]["labels"]))
    }

    fn labels_match(&self, labels: &Value) -> bool {
        self.labels.iter().all(|requirement| requirement.matches(labels))
    }
}

impl Requirement {
    fn parse(text: &str) -> Result<Self, Refusal> {
        let bad = || Refusal::bad_request(format!("unable to parse requirement: {text:?}"));
        let one = |value: &str| BTreeSet::from([value.trim().to_owned()]);
        let (key, requirement): (&str, Box<dyn FnOnce(String) -> Self>) =
            if let Some(list) = text.strip_suffix(')') {
                let (head, list) = list.split_once('(').ok_or_else(bad)?;
                let values: BTreeSet<String> = list.split(',').map(|value| value.trim().to_owned()).collect();
                match head.split_whitespace().collect::<Vec<_>>().as_slice() {
                    [key, "in"] => (*key, Box::new(|key| Self::In(key, values))),
                    [key, "notin"] => (*key, Box::new(|key| Self::NotIn(key, values))),
                    _ => return Err(bad()),
                }
            } else if let Some((key, value)) = text.split_once("!=") {
                (key, Box::new(move |key| Self::NotIn(key, one(value))))
            } else if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
                (key, Box::new(move |key| Self::In(key, one(value))))
            } else if let Some(key) = text.strip_prefix('!') {
                (key, Box::new(Self::Missing))
            } else {
                (text, Box::new(Self::Exists))
            };
        let key = key.trim();
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
        if key.is_empty() || !key.chars().all(allowed) { Err(bad()) } else { Ok(requirement(key.to_owned())) }
    }

    fn matches(&self, labels: &Value) -> bool {
        let value = |key: &str| labels.get(key).and_then(Value::as_str);
        match self {
            Self::Exists(key) => value(key).is_some(),
            Self::Missing(key) => value(key).is_none(),
            Self::In(key, wanted) => value(key).is_some_and(|value| wanted.contains(value)),
            Self::NotIn(key, unwanted) => value(key).is_none_or(|value| !unwanted.contains(value)),
        }
    }
}

fn field(text: &str) -> Result<(Field, bool, String), Refusal> {
    let (key, equal, value) = if let Some((key, value)) = text.split_once("!=") {
        (key, false, value)
    } else if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        (key, true, value)
    } else {
        return Err(Refusal::bad_request(format!("invalid selector: {text:?}; can't understand it")));
    };
    match key {
        "metadata.name" => Ok((Field::Name, equal, value.to_owned())),
        "metadata.namespace" => Ok((Field::Namespace, equal, value.to_owned())),
        other => Err(Refusal::bad_request(format!("field label not supported: {other}"))),
    }
}

/// The parts between commas outside of parentheses.
fn split(text: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    let parts = text.split(move |c| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    });
    parts.map(str::trim).filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn matches(labels: &str, fields: &str) -> bool {
        let object = json!({ "metadata": { "labels": { "app": "web", "example.com/tier": "front" } } });
        let key = ("shop".to_owned(), "one".to_owned());
        Selector::parse(labels, fields).unwrap().matches(&key, &Kept::new(&object))
    }

    #[test]
    fn labels_are_compared_as_kubectl_writes_selectors() {
        for selector in [
            "",
            "app",
            "app=web",
            "app==web",
            "app = web",
            "!gone",
            "app!=db",
            "gone!=x",
            "app in (db, web)",
            "app notin (db)",
            "gone notin (x)",
            "app in (web,db),example.com/tier=front,!gone",
        ] {
            assert!(matches(selector, ""), "{selector}");
        }
        for selector in [
            "gone",
            "app=db",
            "!app",
            "app!=web",
            "app in (db)",
            "app notin (web,db)",
            "app,gone",
            "gone in (x)",
        ] {
            assert!(!matches(selector, ""), "{selector}");
        }
    }

    #[test]
    fn fields_are_name_and_namespace() {
        assert!(matches("", "metadata.name=one,metadata.namespace==shop"));
        assert!(!matches("", "metadata.name!=one"));
        assert!(!matches("app=web", "metadata.name=two"));
        assert_eq!(Selector::parse("", "spec.x=1").unwrap_err().code, 400);
        assert_eq!(Selector::parse("", "metadata.name").unwrap_err().code, 400);
    }

    #[test]
    fn a_selector_that_is_none_is_refused() {
        for selector in ["a b", "a in b)", "a maybe (b)", "=b", "a>1", "(", ")", "a=b)"] {
            assert_eq!(Selector::parse(selector, "").unwrap_err().code, 400, "{selector}");
        }
    }
}
