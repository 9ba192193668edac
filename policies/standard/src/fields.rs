//! Reads typed fields out of a JSON object, and says by its path what is wrong with one.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::json::Value;

/// As many fields as the largest object has.
const MOST_FIELDS: usize = 11;

/// Where a value stands in the configuration. It is spelled out only in an error: writing texts is most of
/// what reading a small configuration takes.
#[derive(Clone, Copy)]
pub enum Path<'p> {
    /// The configuration itself.
    Root,
    /// A field of an object.
    Field(&'p Path<'p>, &'p str),
    /// An item of a list.
    Item(&'p Path<'p>, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("the configuration"),
            Self::Field(Self::Root, name) => f.write_str(name),
            Self::Field(parent, name) => write!(f, "{parent}.{name}"),
            Self::Item(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// A JSON object whose fields are taken one by one; what is left at the end is not known.
pub struct Fields<'p> {
    path: Path<'p>,
    object: Vec<(String, Value)>,
    known: Vec<&'static str>,
}

impl<'p> Fields<'p> {
    /// Starts to read an object.
    pub fn of(path: Path<'p>, value: Value) -> Result<Self, String> {
        match value {
            Value::Object(object) => Ok(Self { path, object, known: Vec::with_capacity(MOST_FIELDS) }),
            other => Err(wrong(path, "an object", &other)),
        }
    }

    /// A text.
    pub fn text(&mut self, name: &'static str) -> Result<Option<String>, String> {
        self.take(name).map(|value| text(Path::Field(&self.path, name), value)).transpose()
    }

    /// A number from 0 to 4294967295 without a fraction.
    pub fn number(&mut self, name: &'static str) -> Result<Option<u32>, String> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Number(Some(number))) => Ok(Some(number)),
            Some(other) => {
                Err(wrong(Path::Field(&self.path, name), "a whole number from 0 to 4294967295", &other))
            }
        }
    }

    /// `true` or `false`.
    pub fn flag(&mut self, name: &'static str) -> Result<Option<bool>, String> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Flag(flag)) => Ok(Some(flag)),
            Some(other) => Err(wrong(Path::Field(&self.path, name), "true or false", &other)),
        }
    }

    /// A list of texts.
    pub fn texts(&mut self, name: &'static str) -> Result<Option<Vec<String>>, String> {
        self.list(name, text)
    }

    /// A list, each item of which `item` reads.
    pub fn list<T>(
        &mut self,
        name: &'static str,
        item: fn(Path<'_>, Value) -> Result<T, String>,
    ) -> Result<Option<Vec<T>>, String> {
        self.take(name).map(|value| list(Path::Field(&self.path, name), value, item)).transpose()
    }

    /// An object of which every field is a list of texts.
    pub fn lists_by_name(
        &mut self,
        name: &'static str,
    ) -> Result<Option<Vec<(String, Vec<String>)>>, String> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let path = Path::Field(&self.path, name);
        let Value::Object(object) = value else { return Err(wrong(path, "an object", &value)) };
        let mut lists = Vec::with_capacity(object.len());
        for (key, value) in object {
            let texts = list(Path::Field(&path, &key), value, text)?;
            lists.push((key, texts));
        }
        Ok(Some(lists))
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// Names a field that nobody took.
    pub fn end(self) -> Result<(), String> {
        match self.object.first() {
            None => Ok(()),
            Some((unknown, _)) => {
                let known = self.known.join(", ");
                let unknown = Path::Field(&self.path, unknown);
                Err(format!("{unknown}: there is no such field; known are {known}"))
            }
        }
    }

    /// A field; `null` counts as not given, as everywhere in Kubernetes.
    fn take(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        let index = self.object.iter().position(|(field, _)| field == name)?;
        match self.object.remove(index).1 {
            Value::Null => None,
            value => Some(value),
        }
    }
}

fn text(path: Path<'_>, value: Value) -> Result<String, String> {
    match value {
        Value::Text(text) => Ok(text),
        other => Err(wrong(path, "a text", &other)),
    }
}

fn list<T>(
    path: Path<'_>,
    value: Value,
    item: fn(Path<'_>, Value) -> Result<T, String>,
) -> Result<Vec<T>, String> {
    let Value::List(values) = value else { return Err(wrong(path, "a list", &value)) };
    values.into_iter().enumerate().map(|(index, value)| item(Path::Item(&path, index), value)).collect()
}

fn wrong(path: Path<'_>, expected: &str, found: &Value) -> String {
    let found = match found {
        Value::Null => "null",
        Value::Flag(_) => "true or false",
        Value::Number(_) => "another number",
        Value::Text(_) => "a text",
        Value::List(_) => "a list",
        Value::Object(_) => "an object",
    };
    format!("{path}: expected {expected}, found {found}")
}
