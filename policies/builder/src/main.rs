//! `openmcp-dns-policy-builder`: builds policy modules and checks built ones against their sources.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};
use openmcp_dns_policy_builder as builder;

/// Builds policy modules and checks built ones against their sources.
#[derive(Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Compiles a guest and writes it as a component.
    ///
    /// Example: openmcp-dns-policy-builder build policies/standard
    Build {
        /// Folder of the guest, with its Cargo.toml.
        guest: PathBuf,
        /// Where to write the module; `<folder>/<folder's name>.wasm` when not given.
        #[arg(long)]
        out: Option<PathBuf>,
    },
    /// Checks that built modules belong to the sources beside them, load, and decide as their
    /// vectors say; and that a fresh build of them does, where a WebAssembly toolchain is found.
    ///
    /// Example: openmcp-dns-policy-builder check
    Check {
        /// Folders of guests; all below `policies` when none is given.
        guests: Vec<PathBuf>,
        /// Do not build.
        #[arg(long)]
        no_build: bool,
    },
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Build { guest, out } => build(&guest, out),
        Command::Check { guests, no_build } => check(guests, no_build),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn build(guest: &Path, out: Option<PathBuf>) -> anyhow::Result<()> {
    let component = builder::build(guest, &builder::Toolchain::find()?)?;
    let out = match out {
        Some(out) => out,
        None => builder::module_path(guest)?,
    };
    std::fs::write(&out, &component).with_context(|| format!("failed to write {}", out.display()))?;
    println!("{}: {} bytes", out.display(), component.len());
    Ok(())
}

fn check(guests: Vec<PathBuf>, no_build: bool) -> anyhow::Result<()> {
    let guests = if guests.is_empty() { builder::guests(Path::new("policies"))? } else { guests };
    for guest in &guests {
        let path = builder::module_path(guest)?;
        let (module, stamp) = builder::check(guest, &path)?;
        let count = builder::check_decisions(guest, &module).with_context(|| path.display().to_string())?;
        println!("{}: built from these sources, {count} vectors hold", path.display());
        if no_build {
            continue;
        }
        let toolchain = match builder::Toolchain::find() {
            Ok(toolchain) => toolchain,
            Err(why) => {
                println!("{}: skipped a fresh build: {why}", guest.display());
                continue;
            }
        };
        let fresh = builder::build(guest, &toolchain)?;
        let count = builder::check_decisions(guest, &fresh)
            .with_context(|| format!("a fresh build of {}", guest.display()))?;
        // Another compiler writes other instructions for the same sources; the same one must not.
        let bytes = match (fresh == module, stamp.toolchain == toolchain.version()) {
            (true, _) => "the same bytes",
            (false, false) => "other bytes by another compiler",
            (false, true) => {
                anyhow::bail!("{}: a fresh build with the same compiler has other bytes", path.display())
            }
        };
        println!("{}: built afresh: {bytes}, {count} vectors hold", guest.display());
    }
    Ok(())
}
