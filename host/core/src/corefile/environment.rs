//! Environment variables in a Corefile: `{$NAME}` and `{%NAME%}`.

/// The two ways to write a variable.
const FORMS: [(&str, &str); 2] = [("{%", "%}"), ("{$", "}")];

/// Replacements per token. The original scans a replaced text again, without a limit: a variable
/// whose value names itself would keep it busy for ever.
const MAX_REPLACEMENTS: usize = 100;

/// Replaces the variables in a token as `coredns/caddy` does: unset ones become empty, and a value
/// is scanned again.
pub(super) fn expand(token: &str, value_of: &dyn Fn(&str) -> Option<String>) -> String {
    let mut text = token.to_owned();
    let mut replacements = 0;
    for (open, close) in FORMS {
        while let Some((start, end)) = first_reference(&text, open, close) {
            replacements += 1;
            if replacements > MAX_REPLACEMENTS {
                return text;
            }
            let reference = text[start..end].to_owned();
            let name = &reference[open.len()..reference.len() - close.len()];
            text = text.replace(&reference, &value_of(name).unwrap_or_default());
        }
    }
    text
}

/// Whether a token could become `candidate` with some value for each of its variables.
pub(super) fn may_become(token: &str, candidate: &str) -> bool {
    let mut rest = candidate;
    let mut pieces = literal_pieces(token).into_iter();
    let Some(first) = pieces.next() else { return true };
    let Some(after_first) = rest.strip_prefix(first.as_str()) else { return false };
    rest = after_first;
    let mut pieces: Vec<String> = pieces.collect();
    let Some(last) = pieces.pop() else { return rest.is_empty() };
    for piece in pieces {
        match rest.find(&piece) {
            Some(at) => rest = &rest[at + piece.len()..],
            None => return false,
        }
    }
    rest.ends_with(&last)
}

/// Whether a token holds a variable.
pub(super) fn has_variable(token: &str) -> bool {
    FORMS.iter().any(|(open, close)| first_reference(token, open, close).is_some())
}

/// What stands before, between and after the variables of a token.
fn literal_pieces(token: &str) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut rest = token;
    loop {
        let first = FORMS.iter().filter_map(|(open, close)| first_reference(rest, open, close)).min();
        let Some((start, end)) = first else {
            pieces.push(rest.to_owned());
            return pieces;
        };
        pieces.push(rest[..start].to_owned());
        rest = &rest[end..];
    }
}

/// The first variable; `None` as well when its name is empty, because the original gives up there.
fn first_reference(text: &str, open: &str, close: &str) -> Option<(usize, usize)> {
    let start = text.find(open)?;
    let end = start + text[start..].find(close)?;
    (end > start + open.len()).then_some((start, end + close.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value_of(name: &str) -> Option<String> {
        match name {
            "ZONE" => Some("openmcp.cluster".to_owned()),
            "INNER" => Some("ZONE".to_owned()),
            "LOOP" => Some("{$LOOP}".to_owned()),
            _ => None,
        }
    }

    #[test]
    fn both_forms_are_replaced_and_unset_variables_vanish() {
        assert_eq!(expand("{$ZONE}:{%UNSET%}53", &value_of), "openmcp.cluster:53");
        assert_eq!(expand("{$ZONE", &value_of), "{$ZONE");
        assert_eq!(expand("{$}", &value_of), "{$}");
    }

    #[test]
    fn a_value_that_names_itself_comes_to_an_end() {
        assert_eq!(expand("{$LOOP}", &value_of), "{$LOOP}");
    }

    #[test]
    fn a_token_with_variables_may_become_what_fits_around_them() {
        assert!(may_become("{$ZONE}", "openmcp.cluster"));
        assert!(may_become("{$A}.cluster:{%PORT%}", "openmcp.cluster:53"));
        assert!(!may_become("{$A}.local:{$PORT}", "openmcp.cluster:53"));
        assert!(!may_become(".:{$PORT}", "openmcp.cluster:53"));
        assert!(may_become("openmcp.cluster", "openmcp.cluster"));
        assert!(!may_become("openmcp.cluster", "openmcp.cluster:53"));
    }
}
