//! What compiles a guest on this machine.

use std::path::Path;

use thiserror::Error;

use crate::c::CToolchain;
use crate::javascript::JavaScriptToolchain;
use crate::language::Language;
use crate::python::PythonToolchain;
use crate::rust::{RustToolchain, TARGET};

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

/// Nothing on this machine compiles guests of a language. The message names what to install.
#[derive(Debug, Error)]
pub enum NoToolchain {
    /// No Rust toolchain compiles for WebAssembly.
    #[error(
        "no Rust toolchain for {TARGET} was found{}; run `rustup target add {TARGET}`, or on Debian `apt-get install rustc-web cargo-web rust-web-src lld-22`",
        looked_at.iter().map(|why| format!("\n  {why}")).collect::<String>()
    )]
    Rust {
        /// Each toolchain that is there, and what it lacks.
        looked_at: Vec<String>,
    },
    /// A program is missing, or too old.
    #[error(
        "a guest in {language} needs {program}, which was not found ({why}); install it, on Debian by `apt-get install {packages}`"
    )]
    Missing {
        /// The language of the guest.
        language: Language,
        /// What is missing.
        program: &'static str,
        /// What was found instead.
        why: String,
        /// Debian's packages with it.
        packages: &'static str,
    },
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
        say: &dyn Fn(&str),
    ) -> Result<Vec<u8>, crate::BuildError> {
        match self {
            Self::Rust(rust) => {
                say("compiling by cargo; the first build takes a minute or two ...");
                Ok(crate::component::encode(&rust.compile(guest)?)?)
            }
            Self::C(c) => {
                say("compiling by clang ...");
                let core = c.compile(guest)?;
                Ok(crate::component::encode(&crate::component::with_contract(core, contract)?)?)
            }
            Self::JavaScript(javascript) => Ok(javascript.compile(guest, contract, say)?),
            Self::Python(python) => Ok(python.compile(guest, contract, say)?),
        }
    }
}
