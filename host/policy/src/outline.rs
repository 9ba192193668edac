//! What a component shows on its outside, and how much there is inside.

use wasmparser::{BinaryReaderError, ComponentExternalKind, Instance, Parser, Payload};

use crate::bindings::{INTERFACE, Version};
use crate::limits::{CORE_INSTANCES, Limits, TABLES};
use crate::load_error::LoadError;
use crate::work::FunctionTypes;

/// The package of the contract, as it stands in front of an exported interface's name.
const PACKAGE: &str = "openmcp:dns-policy/";

/// Bytes of a page of memory (core specification, section 2.5.5).
const PAGE_BYTES: u64 = 65536;

/// Names on the outside of a component, and what was counted inside.
#[derive(Default)]
pub(crate) struct Outline {
    pub(crate) imports: Vec<String>,
    pub(crate) exports: Vec<String>,
    pub(crate) inside: Inside,
}

/// What was counted so far inside of a component.
#[derive(Default)]
pub(crate) struct Inside {
    pub(crate) functions: u64,
    pub(crate) memory_bytes: u64,
    pub(crate) work: u64,
    /// The most that one function has, and one table.
    pub(crate) function_bytes: u64,
    pub(crate) function_work: u64,
    pub(crate) table_elements: u64,
    tables: u64,
    instances: u64,
    types: FunctionTypes,
}

impl Outline {
    /// Reads a component from one end to the other, without any trust in it: this comes first.
    pub(crate) fn of(bytes: &[u8], limits: &Limits) -> Result<Self, LoadError> {
        let mut outline = Self::default();
        let mut depth = 0_u32;
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload.map_err(malformed)?;
            outline.inside.count(&payload, limits)?;
            match payload {
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
                _ => {}
            }
        }
        Ok(outline)
    }

    /// A policy imports nothing: what it decides depends on the question alone. Only a debug build may have
    /// an import, which changes nothing about that.
    pub(crate) fn check_imports(&self, allowed: &[&str]) -> Result<(), LoadError> {
        let surplus = self.imports.iter().map(String::as_str).filter(|name| !allowed.contains(name));
        let names: Vec<&str> = surplus.collect();
        if names.is_empty() {
            return Ok(());
        }
        Err(LoadError::Imports { names: names.join(", ") })
    }

    /// The versions of the contract that a module exports.
    pub(crate) fn versions(&self) -> Vec<&str> {
        self.exports.iter().filter_map(|name| name.strip_prefix(INTERFACE)).collect()
    }

    /// The version in which a module is asked: of those that both sides speak, the latest. Names the
    /// version that a module speaks when it is another one: the check of types would only say that an
    /// export is missing.
    pub(crate) fn version(&self, spoken: &'static [Version]) -> Result<&'static Version, LoadError> {
        let versions = self.versions();
        let fits = |version: &&Version| versions.iter().any(|number| version.fits(number));
        if let Some(version) = spoken.iter().rev().find(fits) {
            return Ok(version);
        }
        let spoken: Vec<String> = spoken.iter().map(Version::to_string).collect();
        let found = match &versions[..] {
            [] if self.exports.iter().any(|name| name.starts_with(PACKAGE)) => {
                format!("exports {}, but not its interface policy", self.exports.join(", "))
            }
            [] => "does not export it".to_owned(),
            versions => format!("speaks version {}", versions.join(", ")),
        };
        Err(LoadError::Contract(format!("it must export {}, and {found}", spoken.join(", or "))))
    }
}

impl Inside {
    fn count(&mut self, payload: &Payload<'_>, limits: &Limits) -> Result<(), LoadError> {
        match payload {
            Payload::ModuleSection { .. } => {
                self.types = FunctionTypes::default();
                Ok(())
            }
            Payload::TypeSection(types) => {
                self.types.read(types.clone()).map_err(malformed)?;
                Ok(())
            }
            Payload::InstanceSection(instances) => {
                for instance in instances.clone() {
                    if matches!(instance.map_err(malformed)?, Instance::Instantiate { .. }) {
                        self.instances += 1;
                    }
                }
                at_most("core instances", self.instances, CORE_INSTANCES.into())
            }
            Payload::MemorySection(memories) => {
                for memory in memories.clone() {
                    let bytes = memory.map_err(malformed)?.initial.saturating_mul(PAGE_BYTES);
                    self.memory_bytes = self.memory_bytes.saturating_add(bytes);
                    at_most("bytes of memory", bytes, limits.memory_bytes as u64)?;
                }
                Ok(())
            }
            Payload::TableSection(tables) => {
                self.tables += u64::from(tables.count());
                at_most("tables", self.tables, TABLES.into())?;
                for table in tables.clone() {
                    let elements = table.map_err(malformed)?.ty.initial;
                    self.table_elements = self.table_elements.max(elements);
                    at_most("table elements", elements, limits.table_elements as u64)?;
                }
                Ok(())
            }
            Payload::CodeSectionStart { count, .. } => {
                self.functions += u64::from(*count);
                at_most("functions", self.functions, limits.functions.into())
            }
            Payload::CodeSectionEntry(body) => {
                let range = body.range();
                let bytes = range.end - range.start;
                self.function_bytes = self.function_bytes.max(bytes);
                at_most("bytes in one function", bytes, limits.function_bytes as u64)?;
                let work = self.types.work(body).map_err(malformed)?;
                self.function_work = self.function_work.max(work);
                at_most("units of work for the compiler in one function", work, limits.compile_work / 10)?;
                self.work = self.work.saturating_add(work);
                at_most("units of work for the compiler", self.work, limits.compile_work)
            }
            _ => Ok(()),
        }
    }
}

fn at_most(what: &'static str, found: u64, limit: u64) -> Result<(), LoadError> {
    if found > limit {
        return Err(LoadError::TooLarge { what, found, limit });
    }
    Ok(())
}

fn malformed(error: BinaryReaderError) -> LoadError {
    LoadError::Malformed(error.to_string())
}
