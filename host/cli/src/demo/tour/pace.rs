//! Pace: a person goes on with Enter; a script, which nobody watches, goes on by itself.

use std::io::{BufRead as _, IsTerminal as _};

use tokio::sync::mpsc;

use crate::terminal::output::{OutputFormat, note};

/// When the next step comes.
pub(super) enum Pace {
    /// At once.
    AtOnce,
    /// With each line from the terminal.
    ByEnter(mpsc::UnboundedReceiver<()>),
}

impl Pace {
    /// Whether somebody sits there to see it.
    pub(super) fn of(output: OutputFormat) -> Self {
        let is_watched =
            output == OutputFormat::Text && std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
        if !is_watched {
            return Self::AtOnce;
        }
        let (sender, lines) = mpsc::unbounded_channel();
        // Ends with the program: a read from a terminal cannot be called off.
        std::thread::spawn(move || {
            for _ in std::io::stdin().lock().lines().map_while(Result::ok) {
                if sender.send(()).is_err() {
                    return;
                }
            }
        });
        Self::ByEnter(lines)
    }

    /// Says what to do.
    pub(super) fn prompt(&self) {
        if matches!(self, Self::ByEnter(_)) {
            note("\nEnter for the next step, Ctrl-C to end");
        }
    }

    /// Waits for the next step. May be cancelled without loss.
    pub(super) async fn next(&mut self) {
        if let Self::ByEnter(lines) = self {
            // At the end of the input there is nobody to wait for.
            lines.recv().await;
        }
    }
}
