//! Looks at a module's bytes before anything is compiled.

use wasmparser::{ComponentExternalKind, Encoding, Parser, Payload, Validator};
use wit_parser::{Resolve, WorldId};

use crate::limits::Limits;
use crate::load::LoadError;

/// The package of the contract, as it stands in front of an exported interface's name.
const PACKAGE: &str = "openmcp:dns-policy/";
/// The interface that a module exports, without its version.
const INTERFACE: &str = "openmcp:dns-policy/policy@";
/// The version of the contract that this service speaks; later ones of `0.1` fit as well.
const VERSION: &str = "0.1.0";
/// What all versions that fit start with.
const TRACK: &str = "0.1.";

/// Checks everything that can be said of a module without running it.
pub(crate) fn inspect(bytes: &[u8], limits: &Limits) -> Result<(), LoadError> {
    if bytes.len() > limits.module_bytes {
        return Err(LoadError::TooLarge {
            what: "bytes",
            found: bytes.len() as u64,
            limit: limits.module_bytes as u64,
        });
    }
    check_form(bytes)?;
    let outline = Outline::of(bytes, limits)?;
    if !outline.imports.is_empty() {
        return Err(LoadError::Imports { names: outline.imports.join(", ") });
    }
    outline.check_version()?;
    // The next step reads the module with less care than the engine does.
    Validator::new().validate_all(bytes).map_err(|error| LoadError::Malformed(error.to_string()))?;
    check_types(bytes)
}

/// Says what the bytes are, when they are no component.
fn check_form(bytes: &[u8]) -> Result<(), LoadError> {
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

/// What a component shows on its outside, and how much there is inside.
#[derive(Default)]
struct Outline {
    imports: Vec<String>,
    exports: Vec<String>,
}

impl Outline {
    fn of(bytes: &[u8], limits: &Limits) -> Result<Self, LoadError> {
        let malformed = |error: wasmparser::BinaryReaderError| LoadError::Malformed(error.to_string());
        let mut outline = Self::default();
        let mut functions = 0_u64;
        let mut depth = 0_u32;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload.map_err(malformed)? {
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentImportSection(imports) if depth == 0 => {
                    for import in imports {
                        outline.imports.push(import.map_err(malformed)?.name.name.to_owned());
                    }
                }
                Payload::ComponentExportSection(exports) if depth == 0 => {
                    for export in exports {
                        let export = export.map_err(malformed)?;
                        if export.kind == ComponentExternalKind::Instance {
                            outline.exports.push(export.name.name.to_owned());
                        }
                    }
                }
                Payload::CodeSectionStart { count, .. } => functions += u64::from(count),
                Payload::CodeSectionEntry(body) => {
                    let (found, limit) =
                        (body.range().end - body.range().start, limits.function_bytes as u64);
                    if found > limit {
                        return Err(LoadError::TooLarge { what: "bytes in one function", found, limit });
                    }
                }
                _ => {}
            }
            let limit = u64::from(limits.functions);
            if functions > limit {
                return Err(LoadError::TooLarge { what: "functions", found: functions, limit });
            }
        }
        Ok(outline)
    }

    /// Names the version that a module speaks when it is another one: the check of types would only
    /// say that an export is missing.
    fn check_version(&self) -> Result<(), LoadError> {
        let versions: Vec<&str> =
            self.exports.iter().filter_map(|name| name.strip_prefix(INTERFACE)).collect();
        if versions.iter().any(|version| version.starts_with(TRACK)) {
            return Ok(());
        }
        let found = match &versions[..] {
            [] if self.exports.iter().any(|name| name.starts_with(PACKAGE)) => {
                format!("exports {}, but not its interface policy", self.exports.join(", "))
            }
            [] => "does not export it".to_owned(),
            versions => format!("speaks version {}", versions.join(", ")),
        };
        Err(LoadError::Contract(format!(
            "it must export {INTERFACE}{VERSION} or a later version of {TRACK}x, and {found}"
        )))
    }
}

/// Compares the types of the module's functions with the contract's. Compiling and linking do not:
/// a record with a field too many would be noticed only when an instance is made.
fn check_types(bytes: &[u8]) -> Result<(), LoadError> {
    let (resolve, world) = contract()?;
    wit_component::targets(&resolve, world, bytes, true)
        .map_err(|error| LoadError::Contract(format!("its types differ from the contract's: {error:#}")))
}

/// The contract that is built in.
fn contract() -> Result<(Resolve, WorldId), LoadError> {
    let failed =
        |error: &dyn std::fmt::Display| LoadError::Internal(format!("the built-in contract: {error:#}"));
    let mut resolve = Resolve::default();
    let package = resolve.push_str("policy.wit", crate::CONTRACT).map_err(|error| failed(&error))?;
    let world = resolve.select_world(&[package], Some("dns-policy")).map_err(|error| failed(&error))?;
    Ok((resolve, world))
}
