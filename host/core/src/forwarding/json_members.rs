//! Members of a JSON object, changed in its text: what others have written stays, to the byte.

use std::ops::Range;

use serde_json::{Map, Value};

/// The text with one more member, or another value of it, or without it. `None` where the text is no JSON object.
pub(super) fn with(text: &str, key: &str, value: Option<&Value>) -> Option<String> {
    let before: Map<String, Value> = match text.trim() {
        "" => Map::new(),
        text => serde_json::from_str(text).ok()?,
    };
    let member = value.map(|value| format!("{}: {value}", Value::from(key)));
    let after = match (members(text), member) {
        (None, None) => text.to_owned(),
        (None, Some(member)) => format!("{{{member}}}"),
        (Some((open, members)), member) => {
            let at = members.iter().position(|(name, _)| name == key);
            match (at, member) {
                (Some(at), Some(member)) => replaced(text, members[at].1.clone(), &member),
                (Some(at), None) => {
                    let span = &members[at].1;
                    let span = match (members.get(at + 1), at.checked_sub(1).and_then(|at| members.get(at))) {
                        (Some((_, next)), _) => span.start..next.start,
                        (None, Some((_, previous))) => previous.end..span.end,
                        (None, None) => span.clone(),
                    };
                    replaced(text, span, "")
                }
                // Before the first one, so that the space around that stays as it is when ours is taken out.
                (None, Some(member)) => match members.first() {
                    Some((_, first)) => replaced(text, first.start..first.start, &format!("{member}, ")),
                    None => replaced(text, open..open, &member),
                },
                (None, None) => text.to_owned(),
            }
        }
    };
    let mut wanted = before;
    match value {
        Some(value) => drop(wanted.insert(key.to_owned(), value.clone())),
        None => drop(wanted.remove(key)),
    }
    let is: Map<String, Value> =
        if after.trim().is_empty() { Map::new() } else { serde_json::from_str(&after).ok()? };
    (is == wanted).then_some(after)
}

fn replaced(text: &str, span: Range<usize>, by: &str) -> String {
    [&text[..span.start], by, &text[span.end..]].concat()
}

/// A name, and its bytes up to the end of its value.
type Member = (String, Range<usize>);

/// Where the object's inside begins, and its members. Only for
/// what is known to be a JSON object; `None` for an empty text.
fn members(text: &str) -> Option<(usize, Vec<Member>)> {
    let open = text.find('{')? + 1;
    let mut members = Vec::new();
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    let (mut start, mut end) = (None, open);
    for (at, c) in text[open..].char_indices().map(|(at, c)| (at + open, c)) {
        if quoted {
            quoted = escaped || c != '"';
            escaped = !escaped && c == '\\';
            end = at + c.len_utf8();
            continue;
        }
        match c {
            ',' | '}' if depth == 0 => {
                if let Some(start) = start.take() {
                    let name =
                        serde_json::Deserializer::from_str(&text[start..end]).into_iter::<String>().next();
                    members.push((name?.ok()?, start..end));
                }
                if c == '}' {
                    return Some((open, members));
                }
                continue;
            }
            '"' => quoted = true,
            '{' | '[' => depth += 1,
            '}' | ']' => depth = depth.saturating_sub(1),
            c if c.is_whitespace() => continue,
            _ => {}
        }
        start = start.or(Some(at));
        end = at + c.len_utf8();
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_member_comes_and_goes_without_a_trace() {
        for text in
            ["{}", "{\"a.example\": [\"10.0.0.1\"]}", "{\n  \"a\\\"}\": [\"x,}\"],\n  \"b\": {\"c\": 1}\n}\n"]
        {
            let with_it = with(text, "z.example", Some(&json!(["10.0.0.9"]))).unwrap();
            let another = with(&with_it, "z.example", Some(&json!(["10.0.0.8"]))).unwrap();
            assert!(another.contains("\"z.example\": [\"10.0.0.8\"]"), "{another}");
            assert_eq!(with(&another, "z.example", None).unwrap(), text);
        }
        assert_eq!(with("", "z", Some(&json!(1))).unwrap(), "{\"z\": 1}");
    }

    #[test]
    fn a_member_is_taken_out_wherever_it_stands() {
        let text = "{\"a\": 1, \"b\": 2, \"c\": 3}";
        assert_eq!(with(text, "a", None).unwrap(), "{\"b\": 2, \"c\": 3}");
        assert_eq!(with(text, "b", None).unwrap(), "{\"a\": 1, \"c\": 3}");
        assert_eq!(with(text, "c", None).unwrap(), "{\"a\": 1, \"b\": 2}");
        assert_eq!(with(text, "d", None).unwrap(), text);
    }

    #[test]
    fn what_is_no_object_is_left_alone() {
        assert_eq!(with("{\"a\": 1", "z", None), None);
        assert_eq!(with("[1]", "z", Some(&json!(1))), None);
    }
}
