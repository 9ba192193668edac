//! What compiles a guest on this machine.

use std::path::Path;

use crate::c::CToolchain;
use crate::component::{EncodeError, with_contract, with_output};
use crate::error::BuildError;
use crate::javascript::JavaScriptToolchain;
use crate::language::Language;
use crate::no_toolchain::NoToolchain;
use crate::purpose::Purpose;
use crate::python::PythonToolchain;
use crate::rust::RustToolchain;

/// What compiles a guest of one language.
#[derive(Debug)]
pub enum Toolchain {
    /// cargo and rustc.
    Rust(RustToolchain),
    /// clang and the linker of its version.
    C(CToolchain),
    /// Node.js and npm, which fetches the rest.
    JavaScript(JavaScriptToolchain),
    /// Python and pip, which fetches the rest.
    Python(PythonToolchain),
}

impl Toolchain {
    /// Looks for what compiles guests of a language.
    ///
    /// # Errors
    /// Says what is missing, and how to install it.
    pub fn find(language: Language) -> Result<Self, NoToolchain> {
        match language {
            Language::Rust => RustToolchain::find().map(Self::Rust),
            Language::C => CToolchain::find().map(Self::C),
            Language::JavaScript => JavaScriptToolchain::find().map(Self::JavaScript),
            Language::Python => PythonToolchain::find().map(Self::Python),
        }
    }

    /// The compiler's own words for its version.
    #[must_use]
    pub fn version(&self) -> &str {
        match self {
            Self::Rust(rust) => rust.version(),
            Self::C(c) => c.version(),
            Self::JavaScript(javascript) => javascript.version(),
            Self::Python(python) => python.version(),
        }
    }

    /// Compiles a guest to a component.
    pub(crate) fn compile(
        &self,
        guest: &Path,
        contract: &Path,
        purpose: Purpose,
        say: &dyn Fn(&str),
    ) -> Result<Vec<u8>, BuildError> {
        match self {
            Self::Rust(rust) => {
                say("compiling by cargo; the first build takes a minute or two ...");
                Ok(encode(rust.compile(guest, purpose)?, purpose)?)
            }
            Self::C(c) => {
                say("compiling by clang ...");
                let core = c.compile(guest, purpose)?;
                Ok(encode(with_contract(core, contract)?, purpose)?)
            }
            Self::JavaScript(javascript) => Ok(javascript.compile(guest, contract, say)?),
            Self::Python(python) => Ok(python.compile(guest, contract, say)?),
        }
    }
}

/// Makes a component of a core module that carries the contract.
fn encode(core: Vec<u8>, purpose: Purpose) -> Result<Vec<u8>, EncodeError> {
    let core = match purpose {
        Purpose::Deciding => core,
        Purpose::Debugging => with_output(core)?,
    };
    crate::component::encode(&core)
}
