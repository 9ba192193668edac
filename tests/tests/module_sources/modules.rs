//! Policy modules to push.

use anyhow::Context as _;
use openmcp_dns_tests::programs::repository;
use sha2::{Digest as _, Sha256};

/// The module that denies some names.
pub(crate) fn deny_prefix() -> anyhow::Result<Vec<u8>> {
    let file = repository("policies/deny-prefix/deny-prefix.wasm");
    std::fs::read(&file).with_context(|| format!("failed to read {}", file.display()))
}

/// The same module with other bytes: a custom section at its end says `mark`. What a service has seen
/// of one says nothing of another.
pub(crate) fn marked(mark: &str) -> anyhow::Result<Vec<u8>> {
    let mut module = deny_prefix()?;
    let name = b"mark";
    // Lengths below 128 are one byte of LEB128.
    let size = u8::try_from(1 + name.len() + mark.len()).ok().filter(|size| *size < 128);
    module.extend([0, size.context("a mark of at most 100 bytes")?, 4]);
    module.extend(name);
    module.extend(mark.as_bytes());
    Ok(module)
}

/// SHA-256 as 64 hexadecimal digits.
pub(crate) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
