//! Names of the zone in the hosts files of a cluster's nodes, for who asks no cluster DNS: its API server.
//!
//! ```text
//! what the store holds, patterns ──► Selection ──text──► ConfigMap ──► pod on each node: apply ──► its hosts file
//! ```
//! A hosts file is somebody else's: of it, only lines that end in [`TAG`] are ours, and what others say of a name counts.

mod change;
mod file;
mod pace;
mod recorded;
mod selection;

pub use change::Change;
pub use file::{Applied, HostsFileError, MAX_FILE_BYTES, TAG, apply, remove};
pub use pace::Pace;
pub use recorded::recorded;
pub use selection::{
    Hosts, HostsError, LeftOut, MAX_ADDRESSES, MAX_NAMES, MAX_TEXT_BYTES, Selection, is_selected, text_digest,
};
