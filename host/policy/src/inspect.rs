//! Looks at a module's bytes before anything is compiled.

use wasmparser::{Encoding, Parser, Payload, Validator};
use wit_parser::{Resolve, WorldId};

use crate::bindings::Version;
use crate::debugging;
use crate::engine::Engine;
use crate::load_error::LoadError;
use crate::outline::Outline;

/// Checks everything that can be said of a module without running it. Gives the version of the contract
/// in which it is asked.
pub(crate) fn inspect(bytes: &[u8], engine: &Engine) -> Result<&'static Version, LoadError> {
    let limits = engine.limits();
    if bytes.len() > limits.module_bytes {
        return Err(LoadError::TooManyBytes { limit: limits.module_bytes });
    }
    check_form(bytes)?;
    let outline = Outline::of(bytes, limits)?;
    let debugging = engine.is_debugging();
    outline.check_imports(if debugging { &[debugging::INTERFACE] } else { &[] })?;
    let version = outline.version(engine.versions())?;
    // The next step reads the module with less care than the engine does.
    Validator::new().validate_all(bytes).map_err(|error| LoadError::Malformed(error.to_string()))?;
    check_types(bytes, version, debugging)?;
    Ok(version)
}

/// Says what the bytes are, when they are no component.
pub(crate) fn check_form(bytes: &[u8]) -> Result<(), LoadError> {
    let not = |found: &'static str| Err(LoadError::NotAComponent { found });
    if bytes.is_empty() {
        return not("an empty file");
    }
    if bytes.starts_with(b"\x7fELF") {
        return not(
            "compiled machine code (.cwasm), which cannot be checked; give the module it was compiled from",
        );
    }
    if bytes.starts_with(b"\0asm") {
        return match Parser::new(0).parse(bytes, true) {
            Ok(wasmparser::Chunk::Parsed { payload: Payload::Version { encoding, .. }, .. }) => {
                match encoding {
                    Encoding::Component => Ok(()),
                    Encoding::Module => {
                        not("a core WebAssembly module; make a component of it, see policies/README.md")
                    }
                }
            }
            Ok(_) => not("an incomplete WebAssembly file"),
            Err(error) => Err(LoadError::Malformed(error.to_string())),
        };
    }
    let start = bytes.get(..bytes.len().min(512)).unwrap_or_default();
    let text = std::str::from_utf8(start).is_ok_and(|text| !text.contains('\0'));
    not(if text { "text; give the binary form" } else { "no WebAssembly at all" })
}

/// Compares the types of the module's functions with the contract's. Compiling and linking do not:
/// a record with a field too many would be noticed only when an instance is made.
fn check_types(bytes: &[u8], version: &Version, debugging: bool) -> Result<(), LoadError> {
    let (resolve, world) = contract(version, debugging)?;
    wit_component::targets(&resolve, world, bytes, true)
        .map_err(|error| LoadError::Contract(format!("its types differ from the contract's: {error:#}")))
}

/// A version of the contract that is built in; for debugging, with what debug builds may import.
fn contract(version: &Version, debugging: bool) -> Result<(Resolve, WorldId), LoadError> {
    let failed =
        |error: &dyn std::fmt::Display| LoadError::Internal(format!("the built-in contract: {error:#}"));
    let mut resolve = Resolve::default();
    let mut push = |name, text: &str| resolve.push_str(name, text).map_err(|error| failed(&error));
    let mut package = push("policy.wit", version.wit)?;
    if debugging {
        push("output.wit", debugging::OUTPUT)?;
        package = push("debug-build.wit", &debugging::world(version.number))?;
    }
    let name = if debugging { "debug-build" } else { "dns-policy" };
    let world = resolve.select_world(&[package], Some(name)).map_err(|error| failed(&error))?;
    Ok((resolve, world))
}
