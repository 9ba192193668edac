//! When a command that runs on shall end.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that end a command: Ctrl-C, and what service managers send.
pub struct Shutdown {
    interrupt: Signal,
    terminate: Signal,
}

impl Shutdown {
    /// From now on the signals are caught.
    ///
    /// # Errors
    /// When the system does not let them be caught.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for one of the signals.
    pub async fn requested(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
