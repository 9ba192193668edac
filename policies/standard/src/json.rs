//! Reads JSON (RFC 8259) as far as a configuration needs it.
//!
//! Why not a crate: `serde_json` without `std` makes more than half of the finished module, most
//! of it for floating-point numbers, which no field takes.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// Deepest nesting. The configuration needs four; more would only exhaust the stack.
const MAX_DEPTH: u32 = 16;

/// A JSON value.
pub enum Value {
    /// `null`
    Null,
    /// `true` or `false`
    Flag(bool),
    /// A whole number from 0 to 4294967295; `None` for any other number.
    Number(Option<u32>),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Value>),
    /// An object: its fields in their order, none of them twice.
    Object(Vec<(String, Value)>),
}

/// Reads one value, and nothing behind it.
pub fn parse(text: &str) -> Result<Value, String> {
    let mut reader = Reader { text, at: 0 };
    let value = reader.value(0)?;
    match reader.peek() {
        None => Ok(value),
        Some(_) => Err(reader.unexpected("the end")),
    }
}

struct Reader<'a> {
    text: &'a str,
    /// Index of the next byte; always at a character's first byte.
    at: usize,
}

impl Reader<'_> {
    fn value(&mut self, depth: u32) -> Result<Value, String> {
        if depth > MAX_DEPTH {
            return Err(format!("nested deeper than {MAX_DEPTH} at byte {}", self.at));
        }
        match self.peek() {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.list(depth),
            Some(b'"') => self.text().map(Value::Text),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ if self.word("null") => Ok(Value::Null),
            _ if self.word("true") => Ok(Value::Flag(true)),
            _ if self.word("false") => Ok(Value::Flag(false)),
            _ => Err(self.unexpected("a value")),
        }
    }

    fn object(&mut self, depth: u32) -> Result<Value, String> {
        let mut fields: Vec<(String, Value)> = Vec::new();
        self.at += 1;
        if self.take(b'}') {
            return Ok(Value::Object(fields));
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.unexpected("the name of a field in quotes"));
            }
            let name = self.text()?;
            if fields.iter().any(|(other, _)| *other == name) {
                return Err(format!("field '{name}' is given twice"));
            }
            if !self.take(b':') {
                return Err(self.unexpected("':'"));
            }
            fields.push((name, self.value(depth + 1)?));
            if self.take(b'}') {
                return Ok(Value::Object(fields));
            }
            if !self.take(b',') {
                return Err(self.unexpected("',' or '}'"));
            }
        }
    }

    fn list(&mut self, depth: u32) -> Result<Value, String> {
        let mut values = Vec::new();
        self.at += 1;
        if self.take(b']') {
            return Ok(Value::List(values));
        }
        loop {
            values.push(self.value(depth + 1)?);
            if self.take(b']') {
                return Ok(Value::List(values));
            }
            if !self.take(b',') {
                return Err(self.unexpected("',' or ']'"));
            }
        }
    }

    /// A number by its grammar; what no field can take (a fraction, an exponent, a sign) is kept
    /// apart, so that the error can name the field.
    fn number(&mut self) -> Result<Value, String> {
        let start = self.at;
        let negative = self.next_is(b'-');
        let leading_zero = self.text.as_bytes().get(self.at) == Some(&b'0');
        let digits = self.digits()?;
        if leading_zero && digits > 1 {
            return Err(self.unexpected("no zero in front of a number"));
        }
        let mut whole = !negative;
        if self.next_is(b'.') {
            whole = false;
            self.digits()?;
        }
        if self.next_is(b'e') || self.next_is(b'E') {
            whole = false;
            let _sign = self.next_is(b'+') || self.next_is(b'-');
            self.digits()?;
        }
        let text = self.text.get(start..self.at).unwrap_or_default();
        Ok(Value::Number(if whole { text.parse().ok() } else { None }))
    }

    fn digits(&mut self) -> Result<usize, String> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if count == 0 {
            return Err(self.unexpected("a digit"));
        }
        self.at += count;
        Ok(count)
    }

    fn text(&mut self) -> Result<String, String> {
        let mut text = String::new();
        self.at += 1;
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let plain = rest.bytes().take_while(|byte| !matches!(byte, b'"' | b'\\' | ..b' ')).count();
            text.push_str(rest.get(..plain).unwrap_or_default());
            self.at += plain;
            if self.next_is(b'"') {
                return Ok(text);
            }
            if !self.next_is(b'\\') {
                return Err(self.unexpected("the end of a text"));
            }
            text.push(self.escaped()?);
        }
    }

    fn escaped(&mut self) -> Result<char, String> {
        let byte = self.text.as_bytes().get(self.at).copied();
        let character = match byte {
            Some(b'"' | b'\\' | b'/') => byte.map(char::from),
            Some(b'b') => Some('\u{8}'),
            Some(b'f') => Some('\u{c}'),
            Some(b'n') => Some('\n'),
            Some(b'r') => Some('\r'),
            Some(b't') => Some('\t'),
            Some(b'u') => return self.escaped_number(),
            _ => None,
        };
        let character = character.ok_or_else(|| self.unexpected("an escape"))?;
        self.at += 1;
        Ok(character)
    }

    /// `\uXXXX`, or two of them for a character beyond the first 65536.
    fn escaped_number(&mut self) -> Result<char, String> {
        let first = self.hexadecimal()?;
        let code = match first {
            0xD800..=0xDBFF if self.next_is(b'\\') => {
                match self.hexadecimal()? {
                    second @ 0xDC00..=0xDFFF => 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00),
                    // The first half alone, which is no character.
                    _ => first,
                }
            }
            _ => first,
        };
        char::from_u32(code).ok_or_else(|| self.unexpected("a character after \\u"))
    }

    fn hexadecimal(&mut self) -> Result<u32, String> {
        let digits = self.text.get(self.at + 1..self.at + 5).filter(|_| self.next_is(b'u'));
        let number = digits
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .ok_or_else(|| self.unexpected("four hexadecimal digits after \\u"))?;
        self.at += 4;
        Ok(number)
    }

    /// The next byte after white space, which is skipped.
    fn peek(&mut self) -> Option<u8> {
        let rest = self.text.as_bytes().get(self.at..)?;
        self.at += rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        self.peek();
        self.next_is(byte)
    }

    /// Goes on behind `byte` if it is the very next.
    fn next_is(&mut self, byte: u8) -> bool {
        let is = self.text.as_bytes().get(self.at) == Some(&byte);
        self.at += usize::from(is);
        is
    }

    fn word(&mut self, word: &str) -> bool {
        let is = self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word));
        if is {
            self.at += word.len();
        }
        is
    }

    fn unexpected(&self, expected: &str) -> String {
        format!("expected {expected} at byte {}", self.at)
    }
}
