//! `openmcp-dns-policy-builder`: builds policy modules and checks built ones against their sources.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};

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
    /// Example: openmcp-dns-policy-builder build policies/standard --out policies/standard/standard.wasm
    Build {
        /// Folder of the guest, with its Cargo.toml.
        guest: PathBuf,
        /// Where to write the module.
        #[arg(long)]
        out: PathBuf,
    },
    /// Checks that a built module belongs to the sources beside it. Needs no WebAssembly toolchain.
    Check {
        /// Folder of the guest, with its Cargo.toml.
        guest: PathBuf,
        /// The built module.
        #[arg(long)]
        module: PathBuf,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<String> {
    match command {
        Command::Build { guest, out } => {
            let component = openmcp_dns_policy_builder::build(&guest)?;
            std::fs::write(&out, &component).with_context(|| format!("failed to write {}", out.display()))?;
            Ok(format!("{}: {} bytes", out.display(), component.len()))
        }
        Command::Check { guest, module } => {
            let stamp = openmcp_dns_policy_builder::check(&guest, &module)?;
            Ok(format!("{}: built from these sources with {}", module.display(), stamp.toolchain))
        }
    }
}
