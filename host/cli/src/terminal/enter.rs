//! Enter, pressed by a person at a terminal.

use std::io::{self, BufRead as _, IsTerminal as _};

use tokio::sync::mpsc;

/// The lines of the terminal; `None` where nobody sits at one.
pub struct Enter(Option<mpsc::UnboundedReceiver<()>>);

impl Enter {
    /// From now on, where both input and output are a terminal.
    pub fn listen() -> Self {
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            return Self(None);
        }
        let (sender, lines) = mpsc::unbounded_channel();
        // Ends with the program: a read from a terminal cannot be called off.
        std::thread::spawn(move || {
            for _ in io::stdin().lock().lines().map_while(Result::ok) {
                if sender.send(()).is_err() {
                    return;
                }
            }
        });
        Self(Some(lines))
    }

    /// Where nobody reads what is written.
    pub const fn nobody() -> Self {
        Self(None)
    }

    /// Whether somebody sits there.
    pub const fn is_somebody(&self) -> bool {
        self.0.is_some()
    }

    /// Waits until it is pressed; for ever where nobody can press it, or not any more. May be cancelled without loss.
    pub async fn pressed(&mut self) {
        if let Some(lines) = &mut self.0
            && lines.recv().await.is_some()
        {
            return;
        }
        self.0 = None;
        std::future::pending().await
    }
}
