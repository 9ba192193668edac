//! How results are written to stdout.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::ops::Range;

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

/// The lines of a table without the blanks at their ends, each with `indent` in front. Where a terminal is too narrow
/// for its rows, each of them takes several lines, and what stands in a cell stays whole.
pub fn render(table: &comfy_table::Table, indent: &str) -> String {
    render_within(table, indent, columns())
}

/// The columns of the terminal; `None` where stdout is none.
fn columns() -> Option<usize> {
    let (terminal_size::Width(columns), _) = terminal_size::terminal_size_of(io::stdout())?;
    Some(usize::from(columns))
}

fn render_within(table: &comfy_table::Table, indent: &str, columns: Option<usize>) -> String {
    let rows: Vec<Vec<String>> = table.header().into_iter().chain(table.row_iter()).map(cells).collect();
    let count = rows.iter().map(Vec::len).max().unwrap_or_default();
    let cell = |row: &'_ [String], column: usize| row.get(column).cloned().unwrap_or_default();
    let widths: Vec<usize> = (0..count)
        .map(|column| rows.iter().map(|row| cell(row, column).chars().count()).max().unwrap_or(0))
        .collect();
    let lines = lines_of_a_row(&widths, indent.len(), columns.unwrap_or(usize::MAX));
    let mut text = String::new();
    for row in &rows {
        for (number, columns) in lines.iter().enumerate() {
            let mut line = format!("{indent}{}", if number > 0 { FURTHER } else { "" });
            for column in columns.clone() {
                let _ = write!(line, "{:width$}{GAP}", cell(row, column), width = widths[column]);
            }
            let line = line.trim_end();
            if number == 0 || !line.is_empty() {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    text
}

/// Between two columns.
const GAP: &str = "  ";

/// Before the lines on which a row goes on.
const FURTHER: &str = "    ";

/// Which columns stand on which line of a row.
fn lines_of_a_row(widths: &[usize], indent: usize, columns: usize) -> Vec<Range<usize>> {
    let mut lines = Vec::new();
    let (mut first, mut used) = (0, indent);
    for (column, width) in widths.iter().enumerate() {
        if column > first && used.saturating_add(*width) > columns {
            lines.push(first..column);
            (first, used) = (column, indent + FURTHER.len());
        }
        used = used.saturating_add(width + GAP.len());
    }
    lines.push(first..widths.len());
    lines
}

fn cells(row: &comfy_table::Row) -> Vec<String> {
    row.cell_iter().map(comfy_table::Cell::content).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "svc-abc123.workload01.openmcp.cluster";

    fn probes() -> comfy_table::Table {
        let mut rows = table(&["name", "type", "expected", "answer", "time", "verdict"]);
        rows.add_row([NAME, "A", "172.18.201.1", "172.18.201.1", "0.3 ms", "ok"]);
        rows.add_row(["a.b", "AAAA", "", "", "", ""]);
        rows
    }

    #[test]
    fn a_table_that_fits_has_a_line_for_each_row() {
        let wide = "  NAME                                   TYPE  EXPECTED      ANSWER        TIME    VERDICT\n  \
                    svc-abc123.workload01.openmcp.cluster  A     172.18.201.1  172.18.201.1  0.3 ms  ok\n  \
                    a.b                                    AAAA\n";
        for columns in [None, Some(200)] {
            assert_eq!(render_within(&probes(), "  ", columns), wide);
        }
    }

    #[test]
    fn a_table_that_is_too_wide_goes_on_below_and_breaks_no_cell() {
        let narrow = render_within(&probes(), "  ", Some(80));
        assert_eq!(
            narrow,
            "  NAME                                   TYPE  EXPECTED      ANSWER\n      TIME    VERDICT\n  \
             svc-abc123.workload01.openmcp.cluster  A     172.18.201.1  172.18.201.1\n      0.3 ms  ok\n  \
             a.b                                    AAAA\n"
        );
        assert!(render_within(&probes(), "", Some(10)).contains(NAME), "what cannot fit stands alone");
    }
}
