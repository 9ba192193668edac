//! Text: how a step is announced.

use super::super::event::StepOverview;
use crate::terminal::style::{emphasis, is_seen};

/// Columns of an ordinary terminal.
const COLUMNS: usize = 80;

/// Lines of one command that are shown; a longer one is cut in its middle.
const MOST_LINES: usize = 24;

/// Announces a step.
pub fn step(StepOverview { number, of, title, why, done }: &StepOverview) -> String {
    let title = emphasis(&format!("── {number}/{of}  {title}"), is_seen());
    let mut text = format!("\n{title}\n\n{}\n", wrapped(why));
    for command in done {
        text.push_str(&shown(command));
    }
    text.push('\n');
    text
}

/// A text in lines of an ordinary width.
fn wrapped(text: &str) -> String {
    let mut lines = String::new();
    let mut width = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if width > 0 && width + 1 + length > COLUMNS {
            lines.push('\n');
            width = 0;
        } else if width > 0 {
            lines.push(' ');
            width += 1;
        }
        lines.push_str(word);
        width += length;
    }
    lines.push('\n');
    lines
}

/// A command as somebody would type it.
fn shown(command: &str) -> String {
    let lines: Vec<&str> = command.lines().collect();
    let (head, tail) = match lines.len().checked_sub(MOST_LINES) {
        Some(more) if more > 1 => lines.split_at(MOST_LINES - 1),
        _ => (lines.as_slice(), [].as_slice()),
    };
    let mut text = String::new();
    for (line, prompt) in head.iter().zip(std::iter::once("$ ").chain(std::iter::repeat("  "))) {
        text.push_str(&format!("  {prompt}{line}\n"));
    }
    if let [cut @ .., last] = tail {
        text.push_str(&format!("    ... {} lines more\n    {last}\n", cut.len()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_breaks_between_words() {
        let text = wrapped(&"word ".repeat(40));
        assert!(text.lines().all(|line| line.chars().count() <= COLUMNS), "{text}");
        assert_eq!(text.split_whitespace().count(), 40);
    }

    #[test]
    fn a_long_command_is_shown_with_its_beginning_and_its_end() {
        let command = format!("cat\n{}END", "line\n".repeat(100));
        let text = shown(&command);
        assert!(text.starts_with("  $ cat\n    line\n"), "{text}");
        assert!(text.ends_with("    ... 78 lines more\n    END\n"), "{text}");
        assert_eq!(shown("cp a b"), "  $ cp a b\n");
    }
}
