//! Record values as the CoreDNS `etcd` plugin reads them: keys and JSON values (SkyDNS).
//!
//! ```text
//! svc.wl01.openmcp.cluster  A 172.18.201.1
//!         │
//!         ▼
//! /skydns/cluster/openmcp/wl01/svc/<value id>   {"host":"172.18.201.1","ttl":60,...}
//! ```
//! One key holds one value. The value id is a hash of owner and value ([`value_id`]), so that two
//! runs write the same key and two clusters never share one. What somebody else wrote below the
//! same prefix is read as far as it makes sense and is otherwise left alone: [`parse_key`] answers
//! `None` and [`Entry::decode`] an error, both for that one key only.
//!
//! Source of the layout: CoreDNS `plugin/etcd/msg/{path,service,type}.go`.

mod entry;
mod key;
mod owner;
mod source;

pub use entry::{DEFAULT_PRIORITY, DEFAULT_TTL_SECONDS, DEFAULT_WEIGHT, Entry, EntryError};
pub use key::{
    KeyParts, Prefix, PrefixError, RESERVED_LABEL, ValueId, has_reserved_label, key_for, parse_key,
    zone_prefix,
};
pub use owner::{Owner, OwnerError, Ownership, value_id};
pub use source::Source;
