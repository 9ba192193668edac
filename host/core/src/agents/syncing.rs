//! Whether an agent has written all that it has.

/// Follows the synchronisations of an agent: it reads everything, writes what is missing, and reads everything again
/// for the next one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Syncing {
    /// The connection on which one has begun. Who has died half way comes back on another.
    begun: Option<u64>,
    is_done: bool,
}

impl Syncing {
    /// The agent reads everything; gives whether that is the end of the first one that went well.
    pub fn read(&mut self, connection: u64) -> bool {
        let is_end = self.is_under_way(connection) && !self.is_done;
        self.is_done |= is_end;
        self.begun = Some(connection);
        is_end
    }

    /// Something is refused: external-dns does not go on.
    pub fn failed(&mut self) {
        self.begun = None;
    }

    /// Whether one has begun on this connection, and nothing was refused since.
    #[must_use]
    pub fn is_under_way(self, connection: u64) -> bool {
        self.begun == Some(connection)
    }

    /// Whether one went well.
    #[must_use]
    pub const fn is_done(self) -> bool {
        self.is_done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_done_when_it_reads_everything_again_after_all_went_well() {
        let mut syncing = Syncing::default();
        assert!(!syncing.read(1));
        syncing.failed();
        assert!(!syncing.is_under_way(1) && !syncing.read(1), "something was refused");
        assert!(syncing.is_under_way(1));
        assert!(!syncing.read(2), "it has died and is back");
        assert!(!syncing.is_done());
        assert!(syncing.read(2));
        assert!(syncing.is_done());
        assert!(!syncing.read(2), "that is known");
        syncing.failed();
        assert!(syncing.is_done());
    }
}
