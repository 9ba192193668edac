//! What can be told of a module's bytes without judging them.

use std::collections::BTreeMap;

use wasmparser::{Parser, Payload};

use crate::inspect::check_form;
use crate::limits::Limits;
use crate::load::digest;
use crate::load_error::LoadError;
use crate::outline::Outline;

/// Longest content of a custom section that is taken for an annotation, in bytes.
const ANNOTATION_BYTES: usize = 1024;

/// What can be told of a component's bytes without judging or running them. Larger things than the
/// [`Limits`] allow are told as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survey {
    /// SHA-256 of the bytes as 64 hexadecimal digits, as a DNSPolicy names it.
    pub digest: String,
    /// Size of the component in bytes.
    pub bytes: u64,
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
    /// The same of the function that takes the most; a tenth of the limit is for one function.
    pub function_work: u64,
    /// Code of the largest function in bytes.
    pub function_bytes: u64,
    /// Elements that the largest table starts with.
    pub table_elements: u64,
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
            bytes: bytes.len() as u64,
            contract_versions: outline.versions().into_iter().map(str::to_owned).collect(),
            functions: outline.inside.functions,
            memory_bytes: outline.inside.memory_bytes,
            compile_work: outline.inside.work,
            function_work: outline.inside.function_work,
            function_bytes: outline.inside.function_bytes,
            table_elements: outline.inside.table_elements,
            imports: outline.imports,
            exports: outline.exports,
            annotations: annotations(bytes),
        })
    }
}

/// A limit that decides whether a module is loaded at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SizeLimit {
    /// [`Limits::module_bytes`]
    ModuleBytes,
    /// [`Limits::memory_bytes`]
    MemoryBytes,
    /// [`Limits::functions`]
    Functions,
    /// [`Limits::function_bytes`]
    FunctionBytes,
    /// [`Limits::compile_work`]
    CompileWork,
    /// [`Limits::table_elements`]
    TableElements,
}

impl Survey {
    /// The limits that the module does not fit, each with the least value that it needs. A module may need
    /// more memory and larger tables once it runs.
    #[must_use]
    pub fn beyond(&self, limits: &Limits) -> Vec<(SizeLimit, u64)> {
        let work = self.compile_work.max(self.function_work.saturating_mul(10));
        [
            (SizeLimit::ModuleBytes, self.bytes, limits.module_bytes as u64),
            (SizeLimit::MemoryBytes, self.memory_bytes, limits.memory_bytes as u64),
            (SizeLimit::Functions, self.functions, limits.functions.into()),
            (SizeLimit::FunctionBytes, self.function_bytes, limits.function_bytes as u64),
            (SizeLimit::CompileWork, work, limits.compile_work),
            (SizeLimit::TableElements, self.table_elements, limits.table_elements as u64),
        ]
        .into_iter()
        .filter(|(_, needed, allowed)| needed > allowed)
        .map(|(limit, needed, _)| (limit, needed))
        .collect()
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
        assert_eq!(survey.contract_versions, ["0.2.0"]);
        assert_eq!(survey.annotations["openmcp:source-sha256"].len(), 64);
        assert!(survey.compile_work < Limits::default().compile_work);
        assert!(survey.functions > 0 && survey.memory_bytes > 0);
        assert!(survey.function_bytes > 0 && survey.function_work > 0 && survey.table_elements > 0);
        assert_eq!(survey.beyond(&Limits::default()), []);
    }

    #[test]
    fn a_module_that_does_not_fit_names_each_limit_and_what_it_needs() {
        let survey = Survey::of(crate::STANDARD).unwrap();
        let needed = Limits {
            module_bytes: crate::STANDARD.len() - 1,
            // Its largest function takes more than a tenth of this.
            compile_work: survey.function_work * 10 - 1,
            ..Limits::default()
        };
        let work = survey.compile_work.max(survey.function_work * 10);
        assert_eq!(
            survey.beyond(&needed),
            [(SizeLimit::ModuleBytes, survey.bytes), (SizeLimit::CompileWork, work)]
        );
    }

    #[test]
    fn what_is_no_component_has_no_survey() {
        for bytes in [b"".as_slice(), b"text", b"\0asm\x01\0\0\0"] {
            assert!(matches!(Survey::of(bytes), Err(LoadError::NotAComponent { .. })));
        }
    }
}
