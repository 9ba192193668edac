//! Reads typed fields out of a JSON object, and says by its path what is wrong with one.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::json::Value;

/// A JSON object whose fields are taken one by one; what is left at the end is not known.
pub struct Fields {
    path: String,
    object: Vec<(String, Value)>,
    known: Vec<&'static str>,
}

impl Fields {
    /// Starts to read an object; `path` is where it stands, empty for the outermost.
    pub fn of(path: String, value: Value) -> Result<Self, String> {
        match value {
            Value::Object(object) => Ok(Self { path, object, known: Vec::new() }),
            other => Err(wrong(&path, "an object", &other)),
        }
    }

    /// A text.
    pub fn text(&mut self, name: &'static str) -> Result<Option<String>, String> {
        self.take(name).map(|(path, value)| text(&path, value)).transpose()
    }

    /// A number from 0 to 4294967295 without a fraction.
    pub fn number(&mut self, name: &'static str) -> Result<Option<u32>, String> {
        let Some((path, value)) = self.take(name) else { return Ok(None) };
        match value {
            Value::Number(Some(number)) => Ok(Some(number)),
            other => Err(wrong(&path, "a whole number from 0 to 4294967295", &other)),
        }
    }

    /// `true` or `false`.
    pub fn flag(&mut self, name: &'static str) -> Result<Option<bool>, String> {
        match self.take(name) {
            None => Ok(None),
            Some((_, Value::Flag(flag))) => Ok(Some(flag)),
            Some((path, other)) => Err(wrong(&path, "true or false", &other)),
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
        item: fn(&str, Value) -> Result<T, String>,
    ) -> Result<Option<Vec<T>>, String> {
        self.take(name).map(|(path, value)| list(&path, value, item)).transpose()
    }

    /// An object of which every field is a list of texts.
    pub fn lists_by_name(
        &mut self,
        name: &'static str,
    ) -> Result<Option<Vec<(String, Vec<String>)>>, String> {
        let Some((path, value)) = self.take(name) else { return Ok(None) };
        let Value::Object(object) = value else { return Err(wrong(&path, "an object", &value)) };
        let mut lists = Vec::new();
        for (key, value) in object {
            let texts = list(&join(&path, &key), value, text)?;
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
                Err(format!("{}: there is no such field; known are {known}", join(&self.path, unknown)))
            }
        }
    }

    /// A field with its path; `null` counts as not given, as everywhere in Kubernetes.
    fn take(&mut self, name: &'static str) -> Option<(String, Value)> {
        self.known.push(name);
        let index = self.object.iter().position(|(field, _)| field == name)?;
        match self.object.remove(index).1 {
            Value::Null => None,
            value => Some((join(&self.path, name), value)),
        }
    }
}

fn text(path: &str, value: Value) -> Result<String, String> {
    match value {
        Value::Text(text) => Ok(text),
        other => Err(wrong(path, "a text", &other)),
    }
}

fn list<T>(path: &str, value: Value, item: fn(&str, Value) -> Result<T, String>) -> Result<Vec<T>, String> {
    let Value::List(values) = value else { return Err(wrong(path, "a list", &value)) };
    values.into_iter().enumerate().map(|(index, value)| item(&format!("{path}[{index}]"), value)).collect()
}

fn wrong(path: &str, expected: &str, found: &Value) -> String {
    let found = match found {
        Value::Null => "null",
        Value::Flag(_) => "true or false",
        Value::Number(_) => "another number",
        Value::Text(_) => "a text",
        Value::List(_) => "a list",
        Value::Object(_) => "an object",
    };
    let path = if path.is_empty() { "the configuration" } else { path };
    format!("{path}: expected {expected}, found {found}")
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}
