//! Why the service has ended, though nobody asked it to.

use thiserror::Error;

use super::parts::PartEnded;
use crate::leadership::LeadLost;

/// Why the service has ended, though nobody asked it to.
#[derive(Debug, Error)]
pub enum Ended {
    /// Nothing works without it.
    #[error(transparent)]
    Part(#[from] PartEnded),
    /// Another replica leads, or may do so.
    #[error(transparent)]
    Lead(#[from] LeadLost),
}
