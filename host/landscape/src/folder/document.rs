//! Documents: the parts of a file that are parsed each on its own.

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_saphyr::{DefaultMessageFormatter, MessageFormatter as _};

use crate::problem::Problem;

/// How the text of a file is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Syntax {
    /// YAML, with several documents possible.
    Yaml,
    /// JSON, one document.
    Json,
}

impl Syntax {
    /// Goes by the end of the file's name; `None` for files that hold no manifests.
    pub fn of(file_name: &str) -> Option<Self> {
        let (_, ending) = file_name.rsplit_once('.')?;
        match ending {
            "yaml" | "yml" => Some(Self::Yaml),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// One document of a file.
#[derive(Clone, Copy, Debug)]
pub struct Document<'t> {
    /// Line in the file at which the first thing in the document stands, from 1.
    pub line: usize,
    /// Line in the file at which its text begins, from 1.
    first_line: usize,
    syntax: Syntax,
    text: &'t str,
}

/// The documents of a file. A line that starts with `---` separates them, wherever it stands
/// (YAML 1.2.2 section 9.1.2), so a broken document does not spoil the ones after it.
pub fn documents(syntax: Syntax, text: &str) -> Vec<Document<'_>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let document = |first_line: usize, text| {
        let blank = |line: &&str| line.trim().is_empty() || line.trim_start().starts_with(['#', '%']);
        let skipped = str::lines(text).take_while(|line| blank(line) || is_marker(line)).count();
        Document { line: first_line + skipped, first_line, syntax, text }
    };
    if syntax == Syntax::Json {
        return if text.trim().is_empty() { Vec::new() } else { vec![document(1, text)] };
    }
    let mut documents = Vec::new();
    let (mut start, mut start_line, mut offset) = (0, 1, 0);
    for (index, line) in text.split_inclusive('\n').enumerate() {
        if is_marker(line) && offset > start {
            documents.push(document(start_line, &text[start..offset]));
            (start, start_line) = (offset, index + 1);
        }
        offset += line.len();
    }
    documents.push(document(start_line, &text[start..]));
    // What holds nothing but comments and markers is no document.
    documents.retain(|document| document.line < document.first_line + document.text.lines().count());
    documents
}

fn is_marker(line: &str) -> bool {
    line.strip_prefix("---").is_some_and(|rest| rest.trim().is_empty() || rest.starts_with([' ', '\t']))
}

impl Document<'_> {
    /// Reads the document as a type.
    ///
    /// # Errors
    /// Names the line where the text, or a field, is not as expected.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        self.read_with(serde_saphyr::options! { with_snippet: false })
    }

    /// Reads the document as it stands. A field whose type nobody knows is a boolean only where it says
    /// `true` or `false`: `n` and `on` are texts, such as a name or a label.
    ///
    /// # Errors
    /// As [`Document::read`].
    pub fn value(&self) -> Result<Value, Problem> {
        self.read_with(serde_saphyr::options! { with_snippet: false, strict_booleans: true })
    }

    fn read_with<T: DeserializeOwned>(&self, options: serde_saphyr::Options) -> Result<T, Problem> {
        let hint = "correct it; what the file published before stays until then";
        match self.syntax {
            Syntax::Json => serde_json::from_str(self.text).map_err(|error| {
                let text = error.to_string();
                // The position is given beside the message.
                let message = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message);
                Problem::error(Some(error.line().max(1)), message, hint)
            }),
            Syntax::Yaml => serde_saphyr::from_str_with_options(self.text, options).map_err(|error| {
                let message = one_line(&DefaultMessageFormatter.format_message(&error));
                let line = error.location().and_then(|location| usize::try_from(location.line()).ok());
                let line = line.filter(|line| *line > 0).map_or(self.line, |line| self.first_line + line - 1);
                Problem::error(Some(line), message, hint)
            }),
        }
    }
}

/// The message quotes the file, which may hold anything.
fn one_line(message: &str) -> String {
    message.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<(usize, String)> {
        let documents = documents(Syntax::Yaml, text);
        documents.iter().map(|document| (document.line, document.text.trim().to_owned())).collect()
    }

    #[test]
    fn a_file_is_split_at_its_markers_only() {
        assert_eq!(split("a: 1\n"), [(1, "a: 1".to_owned())]);
        assert_eq!(
            split("\u{feff}---\na: 1\n--- # two\nb: 1\n"),
            [(2, "---\na: 1".into()), (4, "--- # two\nb: 1".into())]
        );
        assert_eq!(split("a: |\n  ---\n  --- x\n----\n").len(), 1);
        assert_eq!(split("# comment\n---\n---\n\n"), []);
        assert_eq!(split("a: 1\r\n---\r\nb: 1\r\n").len(), 2);
    }

    #[test]
    fn files_are_recognised_by_their_ending() {
        assert_eq!(Syntax::of("a/b.yaml"), Some(Syntax::Yaml));
        assert_eq!(Syntax::of("b.yml"), Some(Syntax::Yaml));
        assert_eq!(Syntax::of("b.json"), Some(Syntax::Json));
        for other in ["b.yaml~", ".b.yaml.swp", "README.md", "yaml", "4913"] {
            assert_eq!(Syntax::of(other), None, "{other}");
        }
    }
}
