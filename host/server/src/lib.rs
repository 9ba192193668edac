//! The authoritative DNS server of openmcp-dns: its zones, answered from memory.
//!
//! ```text
//! store (etcd or memory) ──replace/apply──► Records ◄──lookup── respond ◄──bytes── UDP and TCP sockets
//! ```
//! Whoever follows the store feeds [`Records`] with keys and values in the SkyDNS layout; a
//! [`Server`] answers from the same `Records`. An answer never waits for the store, so the zone stays
//! resolvable while the store is away.
//!
//! It keeps to what DNS asks of a zone where CoreDNS's `etcd` plugin does not: a name answers with its
//! own values and never with those of the names below it, wildcards work (RFC 4592), names that only
//! have names below them exist (RFC 8020), and an unreadable value is lost alone.
//!
//! The module `respond` goes from bytes to bytes and `lookup` from a question to an answer, both without
//! a socket; `udp` and `tcp` only move bytes.

mod lookup;
mod node;
mod path;
mod places;
mod records;
mod respond;
mod server;
mod socket;
mod tcp;
mod udp;
mod zone;

pub use records::Records;
pub use server::{BindError, ServeError, Server};
pub use socket::listen_tcp;
