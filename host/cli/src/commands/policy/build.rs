//! `openmcp-dns policy build`: compiles a guest to a policy module.

use std::path::PathBuf;
use std::time::Instant;

use openmcp_dns_kit::build::{Built, Guest, GuestError, ModuleError};
use openmcp_dns_kit::{Language, Purpose};

use super::{Outcome, note};
use crate::terminal::hint::Hint as _;
use crate::terminal::output::print;

/// Builds a policy module: compiles the guest in a folder, makes a component of it, and stamps it with
/// the digest of its sources.
///
/// The language is told by the guest's files: Cargo.toml for Rust, src/decisions.c for C, package.json for
/// JavaScript, src/decisions.py for Python. A tool that is missing is named with what installs it. The
/// first build takes up to two minutes; for JavaScript and Python it fetches the pinned packages.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Exit code: 0 when the module was built, 2 when not.

Examples:
  openmcp-dns policy build my-policy
  openmcp-dns policy build my-policy --debug
  openmcp-dns policy build policies/standard --out /tmp/standard.wasm")]
pub(super) struct BuildArgs {
    /// The guest: a folder as `openmcp-dns policy scaffold` makes it
    #[arg(value_name = "DIR")]
    folder: PathBuf,

    /// Where to write the module; otherwise into the guest's folder, by its name
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Build one for `policy run --debug` and `policy test --debug` beside it, DIR/NAME.debug.wasm (Rust and C): it
    /// keeps names and lines, prints panics and what the guest prints itself, and no service takes one that prints
    #[arg(long)]
    debug: bool,
}

/// Runs the command.
pub(super) fn run(args: &BuildArgs) -> anyhow::Result<Outcome> {
    let BuildArgs { folder, out, debug } = args;
    let purpose = if *debug { Purpose::Debugging } else { Purpose::Deciding };
    let guest = Guest::find(folder, purpose, out.as_deref()).with_hint(|error| match error {
        GuestError::NoGuest { .. } | GuestError::Place(_) => {
            "name the folder of a guest; `openmcp-dns policy scaffold DIR --language rust` makes one"
        }
        GuestError::NoDebugBuild { .. } => {
            "leave out --debug: what such a guest throws or raises stands in the verdict of `policy run`"
        }
        GuestError::NoToolchain(_) => "install what is named above, then run this again",
    })?;
    let language = guest.language;
    note(&format!("building {}, a guest in {language}, with {}", folder.display(), guest.compiler()));
    let started = Instant::now();
    let Built { bytes, sha256 } = guest.build(&note).with_hint(|error| match error {
        ModuleError::Build(_) => next_step(language),
        ModuleError::Write { .. } => "choose another file with --out",
    })?;
    let out = guest.out.display();
    let option = if *debug { " --debug" } else { "" };
    note(&format!(
        "built in {} s; try it: openmcp-dns policy test {out}{option}",
        started.elapsed().as_secs()
    ));
    print(&format!("{out}: {bytes} bytes, sha256 {sha256}\n"))?;
    Ok(Outcome::Yes)
}

/// What to do when a guest does not become a module.
const fn next_step(language: Language) -> &'static str {
    match language {
        Language::Rust => {
            "correct what the compiler says; bindings come from wit/policy.wit and must be exported with export!"
        }
        Language::C => {
            "correct what the compiler says; a function of the contract that is missing is an undefined symbol, see src/bindings/dns_policy.h"
        }
        Language::JavaScript => {
            "correct what is named above; the file that package.json names as main must export `policy`, with a function for each decision"
        }
        Language::Python => {
            "correct what is named above; src/decisions.py must have a class `Policy` with a function for each decision"
        }
    }
}
