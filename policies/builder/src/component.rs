//! Makes a component of a core module, and stamps it with what it was built from.

use std::path::Path;

use openmcp_dns_policy::debugging;
use thiserror::Error;
use wasmparser::{Parser, Payload};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// Custom section with the digest of the sources, as 64 hexadecimal digits.
const SOURCES_SECTION: &str = "openmcp:source-sha256";
/// Custom section with the compiler's version, as it says it itself.
const TOOLCHAIN_SECTION: &str = "openmcp:toolchain";

/// What a module says of how it was built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Digest of the sources as 64 hexadecimal digits.
    pub sources: String,
    /// The compiler's version, as it says it itself.
    pub toolchain: String,
}

/// Why no component can be made of a core module.
#[derive(Debug, Error)]
pub enum EncodeError {
    /// The module does not fit the contract that it was generated from.
    #[error("failed to make a component of the compiled module: {0}")]
    Component(String),
    /// The contract in the guest's folder, or above it, cannot be read.
    #[error("failed to read the contract: {0}")]
    Contract(String),
}

impl Stamp {
    /// Reads the stamp of a component; `None` when it has none.
    #[must_use]
    pub fn of(component: &[u8]) -> Option<Self> {
        let (mut sources, mut toolchain) = (None, None);
        let mut depth = 0_u32;
        for payload in Parser::new(0).parse_all(component) {
            match payload.ok()? {
                // Sections of the modules inside are theirs, not the component's.
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::CustomSection(section) if depth == 0 => {
                    let text = std::str::from_utf8(section.data()).ok().map(str::to_owned);
                    match section.name() {
                        SOURCES_SECTION => sources = text,
                        TOOLCHAIN_SECTION => toolchain = text,
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        Some(Self { sources: sources?, toolchain: toolchain? })
    }
}

/// Writes the contract into a core module, for compilers that do not know of it.
pub(crate) fn with_contract(mut core: Vec<u8>, contract: &Path) -> Result<Vec<u8>, EncodeError> {
    let failed = |error: &dyn std::fmt::Display| EncodeError::Contract(format!("{error:#}"));
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_path(contract).map_err(|error| failed(&error))?;
    let world = resolve.select_world(&[package], Some("dns-policy")).map_err(|error| failed(&error))?;
    embed_component_metadata(&mut core, &resolve, world, StringEncoding::UTF8, false)
        .map_err(|error| failed(&error))?;
    Ok(core)
}

/// Writes into a core module that it may print, so that it can be debugged.
pub(crate) fn with_output(mut core: Vec<u8>) -> Result<Vec<u8>, EncodeError> {
    let failed = |error: &dyn std::fmt::Display| EncodeError::Contract(format!("{error:#}"));
    let mut resolve = Resolve::default();
    let package = resolve.push_str("output.wit", debugging::OUTPUT).map_err(|error| failed(&error))?;
    let world = resolve.select_world(&[package], Some("debug")).map_err(|error| failed(&error))?;
    embed_component_metadata(&mut core, &resolve, world, StringEncoding::UTF8, false)
        .map_err(|error| failed(&error))?;
    Ok(core)
}

/// Makes a component of a core module that carries its world (as wit-bindgen writes it).
pub(crate) fn encode(core: &[u8]) -> Result<Vec<u8>, EncodeError> {
    // The chain of causes is what names the function that does not fit.
    let failed = |error: &dyn std::fmt::Display| EncodeError::Component(format!("{error:#}"));
    let mut encoder = ComponentEncoder::default();
    encoder.validate(true).module(core).map_err(|error| failed(&error))?;
    encoder.encode().map_err(|error| failed(&error))
}

/// Writes into a component what it was built from.
pub(crate) fn stamp(component: &mut Vec<u8>, stamp: &Stamp) {
    append_section(component, SOURCES_SECTION, stamp.sources.as_bytes());
    append_section(component, TOOLCHAIN_SECTION, stamp.toolchain.as_bytes());
}

/// Appends a custom section: id 0, the size, the name with its size, the content.
fn append_section(component: &mut Vec<u8>, name: &str, content: &[u8]) {
    let mut body = Vec::new();
    push_number(&mut body, name.len());
    body.extend_from_slice(name.as_bytes());
    body.extend_from_slice(content);
    component.push(0);
    push_number(component, body.len());
    component.extend_from_slice(&body);
}

/// A number in LEB128, as the WebAssembly binary format writes sizes.
fn push_number(bytes: &mut Vec<u8>, mut number: usize) {
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return;
        }
        bytes.push(low | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    #[test]
    fn a_stamp_can_be_read_back_however_long_it_is() {
        let expected = Stamp { sources: "ab".repeat(32), toolchain: "rustc ".repeat(50) };
        let mut component = EMPTY.to_vec();
        stamp(&mut component, &expected);
        assert_eq!(Stamp::of(&component), Some(expected));
    }

    #[test]
    fn what_has_no_stamp_or_is_no_component_gives_none() {
        for bytes in [EMPTY, b"".as_slice(), b"text", b"\0asm\x01\0\0\0"] {
            assert_eq!(Stamp::of(bytes), None);
        }
    }

    #[test]
    fn a_core_module_without_a_world_is_refused() {
        let error = encode(b"no module").unwrap_err().to_string();
        assert!(error.starts_with("failed to make a component"), "{error}");
    }
}
