//! `openmcp-dns` makes every host name of an openMCP landscape resolvable on every cluster of it.
//!
//! ```text
//! commands ──► demo ──► terminal        libraries: service, landscape, kit
//!     └───────────────────▲
//! ```
//! `commands` holds the commands: what was typed becomes arguments of a library, what it gives becomes text
//! or JSON, and what it refuses gets a next step. `demo` runs the whole service on a folder of manifests.
//! `terminal` is below both, how results, hints and signals reach a person, and imports neither.

#![allow(unreachable_pub, reason = "a binary has no outside; here `pub` says what a module offers to others")]

mod commands;
mod demo;
mod terminal;

fn main() -> std::process::ExitCode {
    commands::main()
}
