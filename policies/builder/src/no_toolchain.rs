//! That nothing on this machine compiles a guest, and what to install.

use thiserror::Error;

use crate::compile::TARGET;
use crate::language::Language;

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
