//! Where a value comes from.

use std::fmt;

use crate::cluster::SourceRef;

/// Text of [`Source::Service`]; the one of an object has slashes.
const SERVICE: &str = "openmcp-dns";

/// Text of [`Source::AddressRecord`].
const ADDRESS_RECORD: &str = "address-record";

/// What led to a value.
#[derive(Clone, Copy, Debug)]
pub enum Source<'s> {
    /// An object of a cluster.
    Object(&'s SourceRef),
    /// The service itself, which needs the name.
    Service,
    /// An address record of the same owner, at the host name that a PTR record has.
    AddressRecord,
}

impl Source<'_> {
    /// Whether this is its text form.
    #[must_use]
    pub fn is_written(self, text: &str) -> bool {
        match self {
            Self::Object(object) => object.is_written(text),
            Self::Service => text == SERVICE,
            Self::AddressRecord => text == ADDRESS_RECORD,
        }
    }
}

impl fmt::Display for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object(object) => object.fmt(f),
            Self::Service => f.write_str(SERVICE),
            Self::AddressRecord => f.write_str(ADDRESS_RECORD),
        }
    }
}
