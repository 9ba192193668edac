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
        /// Folder of the guest.
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
    let component = build_now(guest, &toolchain(guest)?)?;
    let out = match out {
        Some(out) => out,
        None => builder::module_path(guest, builder::Purpose::Deciding)?,
    };
    std::fs::write(&out, &component).with_context(|| format!("failed to write {}", out.display()))?;
    println!("{}: {} bytes", out.display(), component.len());
    Ok(())
}

fn toolchain(guest: &Path) -> anyhow::Result<builder::Toolchain> {
    Ok(builder::Toolchain::find(builder::Language::of(guest)?)?)
}

fn build_now(guest: &Path, toolchain: &builder::Toolchain) -> anyhow::Result<Vec<u8>> {
    let say = |step: &str| eprintln!("{}: {step}", guest.display());
    Ok(builder::build(guest, toolchain, builder::Purpose::Deciding, &say)?)
}

fn check(guests: Vec<PathBuf>, no_build: bool) -> anyhow::Result<()> {
    let guests = if guests.is_empty() { builder::guests(Path::new("policies"))? } else { guests };
    for guest in &guests {
        if builder::Language::of(guest)?.has_runtime() {
            check_large(guest, no_build)?;
        } else {
            check_committed(guest, no_build)?;
        }
    }
    Ok(())
}

fn check_committed(guest: &Path, no_build: bool) -> anyhow::Result<()> {
    let path = builder::module_path(guest, builder::Purpose::Deciding)?;
    let (module, stamp) = builder::check(guest, &path)?;
    let count = builder::check_decisions(guest, &module).with_context(|| path.display().to_string())?;
    println!("{}: built from these sources, {count} vectors hold", path.display());
    if no_build {
        return Ok(());
    }
    let toolchain = match toolchain(guest) {
        Ok(toolchain) => toolchain,
        Err(why) => {
            println!("{}: skipped a fresh build: {why}", guest.display());
            return Ok(());
        }
    };
    let fresh = build_now(guest, &toolchain)?;
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
    Ok(())
}

/// The module of a guest that brings its runtime along is not committed: it is there when it was built
/// here, and is built now when it is not, or when it was built from other sources.
fn check_large(guest: &Path, no_build: bool) -> anyhow::Result<()> {
    let path = builder::module_path(guest, builder::Purpose::Deciding)?;
    let module = match (builder::check(guest, &path), no_build) {
        (Ok((module, _)), _) => module,
        (Err(why), true) => {
            println!("{}: skipped: {why}", guest.display());
            return Ok(());
        }
        (Err(_), false) => match toolchain(guest) {
            Ok(toolchain) => {
                let module = build_now(guest, &toolchain)?;
                std::fs::write(&path, &module)
                    .with_context(|| format!("failed to write {}", path.display()))?;
                module
            }
            Err(why) => {
                println!("{}: skipped: {why}", guest.display());
                return Ok(());
            }
        },
    };
    let count = builder::check_decisions(guest, &module).with_context(|| path.display().to_string())?;
    println!("{}: built from these sources, {count} vectors hold", path.display());
    Ok(())
}
