//! Colours, which only a terminal shows: see [`print_styled`](super::output::print_styled).

use clap::builder::styling::{AnsiColor, Style};

/// All is well.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// Something is wrong.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// Something is not known, or not yet.
pub const UNSURE: Style = AnsiColor::Yellow.on_default();
