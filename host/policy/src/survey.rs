//! What can be told of a module's bytes without judging them.

use std::collections::BTreeMap;

use wasmparser::{Parser, Payload};

use crate::inspect::check_form;
use crate::limits::Limits;
use crate::load::{LoadError, digest};
use crate::outline::Outline;

/// Longest content of a custom section that is taken for an annotation, in bytes.
const ANNOTATION_BYTES: usize = 1024;

/// What can be told of a component's bytes without judging or running them. Larger things than the
/// [`Limits`] allow are told as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survey {
    /// SHA-256 of the bytes as 64 hexadecimal digits, as a DNSPolicy names it.
    pub digest: String,
    /// What the component wants of the host.
    pub imports: Vec<String>,
    /// The interfaces that the component exports.
    pub exports: Vec<String>,
    /// Versions of the contract among the exports.
    pub contract_versions: Vec<String>,
    /// Functions in all core modules inside.
    pub functions: u64,
    /// Memory that an instance starts with, in bytes.
    pub memory_bytes: u64,
    /// What compiling takes, in the unit of [`Limits::compile_work`].
    pub compile_work: u64,
    /// Custom sections that hold a short text, by name: what a build says of itself.
    pub annotations: BTreeMap<String, String>,
}

impl Survey {
    /// Reads a component.
    ///
    /// # Errors
    /// When the bytes are none, or damaged, or have more tables or instances than can be counted.
    pub fn of(bytes: &[u8]) -> Result<Self, LoadError> {
        check_form(bytes)?;
        let boundless = Limits {
            memory_bytes: usize::MAX,
            table_elements: usize::MAX,
            functions: u32::MAX,
            function_bytes: usize::MAX,
            compile_work: u64::MAX,
            ..Limits::default()
        };
        // A tenth of the largest number is the bound for one function, which no function reaches.
        let outline = Outline::of(bytes, &boundless)?;
        Ok(Self {
            digest: digest(bytes),
            contract_versions: outline.versions().into_iter().map(str::to_owned).collect(),
            functions: outline.inside.functions,
            memory_bytes: outline.inside.memory_bytes,
            compile_work: outline.inside.work,
            imports: outline.imports,
            exports: outline.exports,
            annotations: annotations(bytes),
        })
    }
}

/// The custom sections of the component itself that hold text; those of the modules inside are theirs.
fn annotations(bytes: &[u8]) -> BTreeMap<String, String> {
    let mut annotations = BTreeMap::new();
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload {
            Ok(Payload::ModuleSection { .. } | Payload::ComponentSection { .. }) => depth += 1,
            Ok(Payload::End(_)) => depth = depth.saturating_sub(1),
            Ok(Payload::CustomSection(section)) if depth == 0 => {
                let text = std::str::from_utf8(section.data()).ok().filter(|text| {
                    (1..=ANNOTATION_BYTES).contains(&text.len()) && !text.contains(char::is_control)
                });
                if let Some(text) = text {
                    annotations.insert(section.name().escape_debug().to_string(), text.to_owned());
                }
            }
            Ok(_) => {}
            // The outline was read from the same bytes, so this does not happen.
            Err(_) => break,
        }
    }
    annotations
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standard_module_says_what_it_is_built_from_and_imports_nothing() {
        let survey = Survey::of(crate::STANDARD).unwrap();
        assert_eq!(survey.imports, [""; 0]);
        assert_eq!(survey.contract_versions, ["0.1.0"]);
        assert_eq!(survey.annotations["openmcp:source-sha256"].len(), 64);
        assert!(survey.compile_work < Limits::default().compile_work);
        assert!(survey.functions > 0 && survey.memory_bytes > 0);
    }

    #[test]
    fn what_is_no_component_has_no_survey() {
        for bytes in [b"".as_slice(), b"text", b"\0asm\x01\0\0\0"] {
            assert!(matches!(Survey::of(bytes), Err(LoadError::NotAComponent { .. })));
        }
    }
}
