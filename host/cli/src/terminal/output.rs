//! How results are written to stdout.

use std::io::{self, Write as _};

use serde::Serialize;

/// For whom the results are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum OutputFormat {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

/// Writes to stdout.
///
/// # Errors
/// When nobody reads stdout any more, for example at the end of `| head`.
pub fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// As [`print()`], for a text with styles, which are left out where stdout is no terminal, or `NO_COLOR` is set.
///
/// # Errors
/// As [`print()`].
pub fn print_styled(text: &str) -> io::Result<()> {
    let mut stdout = anstream::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// A document for programs, as `openmcp-dns schema` describes it.
///
/// # Errors
/// When it cannot be written as JSON, which is a bug.
pub fn json(document: &impl Serialize) -> serde_json::Result<String> {
    Ok(serde_json::to_string_pretty(document)? + "\n")
}

/// Writes a line to stderr. Nobody has to read it.
pub fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Whether nobody reads the output any more, which is a reason to end but not an error.
pub fn is_closed(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// A table without borders, in the way of `kubectl`: columns, and two blanks between them.
pub fn table(head: &[&str]) -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING).set_header(head.iter().map(|cell| cell.to_uppercase()));
    table
}

/// The lines of a table without the blanks at their ends, each with `indent` in front.
pub fn render(table: &comfy_table::Table, indent: &str) -> String {
    table.lines().fold(String::new(), |mut text, line| {
        text.push_str(indent);
        // Every cell has a blank on both sides.
        text.push_str(line.strip_prefix(' ').unwrap_or(&line).trim_end());
        text.push('\n');
        text
    })
}
