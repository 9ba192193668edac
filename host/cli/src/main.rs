//! `openmcp-dns` makes every host name of an openMCP landscape resolvable on every cluster of it.
//!
//! `commands` holds the commands, `demo` runs the whole service on a folder of manifests, and `terminal` is
//! below both: how results, hints and signals reach a person. The service itself is a library.

#![allow(unreachable_pub, reason = "a binary has no outside; here `pub` says what a module offers to others")]

mod commands;
mod demo;
mod terminal;

fn main() -> std::process::ExitCode {
    commands::main()
}
