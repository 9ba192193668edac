//! Reads label selectors as they are written on a command line.

use openmcp_dns_core::kinds::{LabelRequirement, LabelSelector};

/// Reads requirements with commas between them, such as `a=b, c in (d, e), !f`; `None` when the text is no selector.
pub(super) fn parse(text: &str) -> Option<LabelSelector> {
    let mut selector = LabelSelector::default();
    for part in parts(text) {
        selector.match_expressions.push(requirement(part.trim())?);
    }
    Some(selector)
}

/// The text at its commas, but for those in brackets.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0;
    let at = move |letter: char| {
        depth += i32::from(letter == '(') - i32::from(letter == ')');
        letter == ',' && depth == 0
    };
    text.split(at).filter(|part| !part.trim().is_empty())
}

fn requirement(text: &str) -> Option<LabelRequirement> {
    let of = |key: &str, operator: &str, values: Vec<String>| {
        let (key, operator) = (key.trim().to_owned(), operator.to_owned());
        let is_word =
            |text: &String| !text.is_empty() && !text.contains(|letter: char| letter.is_whitespace());
        (is_word(&key) && values.iter().all(is_word)).then_some(LabelRequirement { key, operator, values })
    };
    let one = |value: &str| vec![value.trim().to_owned()];
    if let Some((head, list)) = text.strip_suffix(')').and_then(|text| text.split_once('(')) {
        let values = list.split(',').map(|value| value.trim().to_owned()).collect();
        let (key, operator) = head.trim().rsplit_once(char::is_whitespace)?;
        return match operator {
            "in" => of(key, "In", values),
            "notin" => of(key, "NotIn", values),
            _ => None,
        };
    }
    if let Some((key, value)) = text.split_once("!=") {
        of(key, "NotIn", one(value))
    } else if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
        of(key, "In", one(value))
    } else if let Some(key) = text.strip_prefix('!') {
        of(key, "DoesNotExist", Vec::new())
    } else {
        of(text, "Exists", Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_requirement_is_read_and_nothing_else() {
        let read = |text: &str| {
            let selector = parse(text)?;
            let one = |requirement: LabelRequirement| {
                format!("{} {} {}", requirement.key, requirement.operator, requirement.values.join("|"))
            };
            Some(selector.match_expressions.into_iter().map(one).collect::<Vec<_>>().join("; "))
        };
        for (text, expected) in [
            ("", Some("")),
            ("a=b", Some("a In b")),
            ("a==b,c!=d", Some("a In b; c NotIn d")),
            ("example.org/a in (b, c), !d , e", Some("example.org/a In b|c; d DoesNotExist ; e Exists ")),
            ("a notin (b)", Some("a NotIn b")),
            ("a in (b c)", None),
            ("a within (b)", None),
            ("a b", None),
        ] {
            assert_eq!(read(text).as_deref(), expected, "{text}");
        }
    }
}
