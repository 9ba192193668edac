//! Errors in words.

use std::error::Error;

/// Longest text of an error, in characters. Much of it may come from an API server or a registry that says
/// what it likes, and it goes into the log and into status.
const MOST: usize = 1000;

/// An error with everything it was caused by, in one line. What others have said in it can neither forge
/// a line of the log nor fill it: line breaks become spaces, other control characters are escaped, and
/// what is too long is cut.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        // Many errors repeat their cause in their own text.
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    harmless(&text)
}

fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len().min(MOST));
    for (count, character) in text.chars().enumerate() {
        if count == MOST {
            shown.push('…');
            break;
        }
        match character {
            '\n' | '\r' | '\t' => shown.push(' '),
            // Those that break lines, and those that turn the order of what follows.
            '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => shown.extend(character.escape_unicode()),
            other if other.is_control() => shown.extend(other.escape_unicode()),
            other => shown.push(other),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use thiserror::Error;

    use super::*;

    #[derive(Debug, Error)]
    #[error("refused")]
    struct Outer(#[source] Inner);

    #[derive(Debug, Error)]
    #[error("{0}")]
    struct Inner(String);

    fn said(text: &str) -> String {
        chain(&Outer(Inner(text.to_owned())))
    }

    #[test]
    fn what_a_foreign_server_says_stays_in_its_line() {
        assert_eq!(
            said("no\r\nERROR all is lost\u{1b}[2J\u{202e}"),
            "refused: no  ERROR all is lost\\u{1b}[2J\\u{202e}"
        );
    }

    #[test]
    fn what_a_foreign_server_says_is_cut() {
        let cut = said(&"ä".repeat(1_000_000));
        assert_eq!(cut.chars().count(), MOST + 1);
        assert!(cut.ends_with("ä…"));
    }
}
