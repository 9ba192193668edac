//! Remote: requests to web servers and registries outside, none of which is trusted.
//!
//! Every body is read up to a bound, every wait ends, redirects are few and never lead to plain http,
//! and no message of an error repeats what a server wrote or a URL that may hold a key.

mod body;
mod client;
mod error;

pub use body::read_bounded;
pub use client::{UntrustedHttp, expect_success, host_of};
pub use error::RemoteError;
