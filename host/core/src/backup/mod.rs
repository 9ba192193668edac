//! Records outside of the store: as lines that can be restored, and as a zone file.
//!
//! ```text
//! Mirror ──kept──► KeptRecord ──► lines ──► parse ──► Restoration ──► plans
//!                       └──► zone file
//! ```

mod line;
mod restoration;
mod zone_file;

pub use line::{KeptRecord, LineError, parse};
pub use restoration::Restoration;
pub use zone_file::zone_file;

use crate::mirror::{Mirror, Stored, StoredName};
use crate::name::HostName;
use crate::service_names::is_service_name;
use crate::skydns::Owner;

fn is_kept(name: &HostName, owner: &Owner) -> bool {
    !is_service_name(name, &owner.zone) && name.address().is_none()
}

/// All values that clusters have in the store, by name. What is not ours is left out, and so are the names of the
/// service itself, which it seeds, and those of addresses, which follow from the rest.
#[must_use]
pub fn kept(mirror: &Mirror) -> Vec<KeptRecord> {
    let mut records = Vec::new();
    for owner in mirror.owners() {
        for name in mirror.names_of(owner).filter(|name| is_kept(name, owner)) {
            let stored = mirror.at(name).into_iter().flat_map(StoredName::iter);
            let ours = stored.filter(|stored| stored.owner() == Some(owner));
            records.extend(ours.filter_map(|stored: &Stored| {
                Some(KeptRecord {
                    name: name.clone(),
                    value: stored.value()?,
                    ttl_seconds: stored.ttl_seconds()?,
                    owner: owner.clone(),
                    source: stored.source()?.to_owned(),
                })
            }));
        }
    }
    records.sort();
    records
}
