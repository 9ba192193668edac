//! Cuts a Corefile into tokens, each with its place in the text.
//!
//! There is no written grammar; this follows `coredns/caddy` `caddyfile/lexer.go` in every detail
//! that decides where a token starts or ends, also where the rule is odd.

use std::ops::Range;

/// One token: a word, a quoted text, or a brace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// The text without its quotes, with `\"` resolved. Whether it was quoted is forgotten, as in
    /// the original: a quoted `"{"` is a brace.
    pub text: String,
    /// Line of its first character, from 1.
    pub line: u32,
    /// Its bytes in the text, quotes included.
    pub span: Range<usize>,
}

impl Token {
    /// Line of its last character: a quoted text may run over several.
    pub(super) fn last_line(&self) -> u32 {
        let breaks = self.text.bytes().filter(|byte| *byte == b'\n').count();
        self.line.saturating_add(u32::try_from(breaks).unwrap_or(u32::MAX))
    }
}

/// A comment from its `#` to where it ends, the line break excluded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// Line, from 1.
    pub line: u32,
    /// Its bytes in the text.
    pub span: Range<usize>,
}

/// A text cut into pieces; what lies between the pieces is blank.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lexed {
    /// The tokens in order.
    pub tokens: Vec<Token>,
    /// The comments in order.
    pub comments: Vec<Comment>,
}

/// Cuts a text into tokens and comments. Every text can be cut.
///
/// The rules that surprise:
/// - A byte order mark is skipped at the very start only.
/// - Blanks are all of Unicode's White_Space; `\r` outside quotes is dropped even inside a word.
/// - `"` opens a quote only as the first character of a token; the closing quote ends the token
///   even without a blank; `\"` is the only escape; the end of the text ends an open quote.
/// - `#` starts a comment anywhere, also inside a word. If a word was pending, the next blank ends
///   word and comment, and the rest of the line is code again.
#[must_use]
pub fn lex(text: &str) -> Lexed {
    let mut lexer = Lexer { text, line: 1, lexed: Lexed::default(), word: None, comment: None };
    lexer.run();
    lexer.lexed
}

struct Lexer<'t> {
    text: &'t str,
    line: u32,
    lexed: Lexed,
    /// The word that is being read.
    word: Option<Token>,
    /// Where the comment that is being read starts.
    comment: Option<usize>,
}

impl Lexer<'_> {
    fn run(&mut self) {
        let skipped = if self.text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        let mut chars = self.text.char_indices().skip_while(|(at, _)| *at < skipped);
        while let Some((at, c)) = chars.next() {
            if c.is_whitespace() {
                self.blank(at, c);
            } else if self.comment.is_some() {
                // Part of the comment.
            } else if c == '#' {
                self.comment = Some(at);
            } else if let Some(word) = &mut self.word {
                word.text.push(c);
                word.span.end = at + c.len_utf8();
            } else if c == '"' {
                self.quoted(at, &mut chars);
            } else {
                self.word = Some(Token { text: c.to_string(), line: self.line, span: at..at + c.len_utf8() });
            }
        }
        self.end_comment(self.text.len());
        self.lexed.tokens.extend(self.word.take());
    }

    fn blank(&mut self, at: usize, c: char) {
        match c {
            '\r' => return,
            '\n' => {
                self.line = self.line.saturating_add(1);
                self.end_comment(at);
            }
            _ => {}
        }
        if let Some(word) = self.word.take() {
            self.lexed.tokens.push(word);
            self.end_comment(at);
        }
    }

    fn end_comment(&mut self, end: usize) {
        if let Some(start) = self.comment.take() {
            // A line break has been counted already when it ends the comment.
            let line = self.line - u32::from(self.text[end..].starts_with('\n'));
            let end = start + self.text[start..end].trim_end_matches('\r').len();
            self.lexed.comments.push(Comment { line, span: start..end });
        }
    }

    /// Reads a quoted token whose opening quote is at `start`.
    fn quoted(&mut self, start: usize, chars: &mut impl Iterator<Item = (usize, char)>) {
        let mut token = Token { text: String::new(), line: self.line, span: start..self.text.len() };
        let mut escaped = false;
        for (at, c) in chars {
            match c {
                '\\' if !escaped => {
                    escaped = true;
                    continue;
                }
                '"' if !escaped => {
                    token.span.end = at + 1;
                    self.lexed.tokens.push(token);
                    return;
                }
                '\n' => self.line = self.line.saturating_add(1),
                _ => {}
            }
            if escaped && c != '"' {
                token.text.push('\\');
            }
            token.text.push(c);
            escaped = false;
        }
        // An open quote at the end of the text: kept unless nothing follows it.
        if !token.text.is_empty() {
            self.lexed.tokens.push(token);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        lex(text).tokens.into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn a_comment_inside_a_word_ends_at_the_next_blank() {
        assert_eq!(words("forward . 8.8.8.8#google dns\ncache"), ["forward", ".", "8.8.8.8", "dns", "cache"]);
        assert_eq!(words("forward . # google dns\ncache"), ["forward", ".", "cache"]);
    }

    #[test]
    fn a_quote_opens_only_at_the_start_of_a_word_and_ends_the_token() {
        assert_eq!(words(r#""a b"c x"y z" """#), ["a b", "c", r#"x"y"#, r#"z""#, ""]);
    }

    #[test]
    fn only_a_quote_can_be_escaped() {
        assert_eq!(words(r#""a\"b" "a\.b\\c""#), ["a\"b", r"a\.b\\c"]);
    }

    #[test]
    fn carriage_returns_vanish_outside_quotes_and_stay_inside() {
        assert_eq!(words("a\r\nb\rc \"d\r\ne\""), ["a", "bc", "d\r\ne"]);
    }

    #[test]
    fn a_byte_order_mark_counts_only_at_the_start() {
        assert_eq!(words("\u{feff}a \u{feff}b"), ["a", "\u{feff}b"]);
    }

    #[test]
    fn the_end_of_the_text_ends_words_quotes_and_comments() {
        assert_eq!(words("a"), ["a"]);
        assert_eq!(words("\"a b"), ["a b"]);
        assert_eq!(words("\""), Vec::<String>::new());
        assert_eq!(words("a#b"), ["a"]);
    }

    #[test]
    fn spans_and_lines_point_into_the_text() {
        let text = "a \"b\nc\" d # e\r\nf#g h";
        let lexed = lex(text);
        let tokens: Vec<_> = lexed.tokens.iter().map(|t| (&text[t.span.clone()], t.line)).collect();
        assert_eq!(tokens, [("a", 1), ("\"b\nc\"", 1), ("d", 2), ("f", 3), ("h", 3)]);
        let comments: Vec<_> = lexed.comments.iter().map(|c| (&text[c.span.clone()], c.line)).collect();
        assert_eq!(comments, [("# e", 2), ("#g", 3)]);
        assert_eq!(lexed.tokens[1].last_line(), 2);
    }
}
