//! Colours, which only a terminal shows: see [`print_styled`](super::output::print_styled).

use clap::builder::styling::{AnsiColor, Style};

/// All is well.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// Something is wrong.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// Something is not known, or not yet.
pub const UNSURE: Style = AnsiColor::Yellow.on_default();

/// How something went, for who looks and does not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// As it should.
    Good,
    /// Not as it should.
    Bad,
    /// Not known, or not yet.
    Unsure,
    /// Neither well nor not.
    Plain,
}

impl Mark {
    const fn look(self) -> (Style, char) {
        match self {
            Self::Good => (GOOD, '✓'),
            Self::Bad => (BAD, '✗'),
            Self::Unsure => (UNSURE, '…'),
            Self::Plain => (Style::new(), ' '),
        }
    }

    /// A word with a symbol in front and in colour; as it is where nobody sees them.
    pub fn on(self, word: &str, is_seen: bool) -> String {
        if !is_seen {
            return word.to_owned();
        }
        let (style, symbol) = self.look();
        format!("{style}{symbol} {word}{style:#}")
    }
}

/// A title; as it is where nobody sees how it looks.
pub fn emphasis(title: &str, is_seen: bool) -> String {
    let style = Style::new().bold();
    if is_seen { format!("{style}{title}{style:#}") } else { title.to_owned() }
}

/// Whether stdout shows colours: it is a terminal, and `NO_COLOR` does not say otherwise.
pub fn is_seen() -> bool {
    anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_only_where_somebody_sees_it() {
        assert_eq!(Mark::Bad.on("denied", false), "denied");
        assert_eq!(Mark::Good.on("ok", true), "\u{1b}[32m✓ ok\u{1b}[0m");
    }
}
