//! `openmcp-dns policy build`: compiles a guest to a policy module.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context as _;
use openmcp_dns_policy::digest;
use openmcp_dns_policy_builder as builder;

use super::super::hint::Hint as _;
use super::super::output::print;
use super::{Outcome, note};

/// Builds a policy module: compiles the guest in a folder, makes a component of it, and stamps it with
/// the digest of its sources.
///
/// It takes a Rust toolchain for wasm32-unknown-unknown, by rustup or, where rustup cannot add the target, as
/// Debian packages it; the first build takes up to two minutes. The same sources and toolchain give the
/// same bytes.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Exit code: 0 when the module was built, 2 when not.

Examples:
  openmcp-dns policy build my-policy
  openmcp-dns policy build policies/standard --out /tmp/standard.wasm")]
pub(super) struct BuildArgs {
    /// The guest: a folder with Cargo.toml and src, as `openmcp-dns policy scaffold` makes it
    #[arg(value_name = "DIR")]
    folder: PathBuf,

    /// Where to write the module; otherwise into the guest's folder, by its name
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Runs the command.
pub(super) fn run(args: &BuildArgs) -> anyhow::Result<Outcome> {
    let BuildArgs { folder, out } = args;
    let hint = "name the folder of a guest; `openmcp-dns policy scaffold DIR --language rust` makes one";
    builder::Sources::of(folder).with_context(|| format!("{} is no guest", folder.display())).hint(hint)?;
    let out = match out {
        Some(out) => out.clone(),
        None => builder::module_path(folder).hint(hint)?,
    };
    let toolchain = builder::Toolchain::find()
        .hint("install one of the two toolchains that are named above, then run this again")?;
    note(&format!(
        "building {} with {}; the first build takes a minute or two ...",
        folder.display(),
        toolchain.version()
    ));
    let started = Instant::now();
    let module = builder::build(folder, &toolchain).hint(
        "correct what the compiler says; bindings come from wit/policy.wit and must be exported with export!",
    )?;
    std::fs::write(&out, &module)
        .with_context(|| format!("failed to write {}", out.display()))
        .hint("choose another file with --out")?;
    note(&format!(
        "built in {} s; try it: openmcp-dns policy test {}",
        started.elapsed().as_secs(),
        out.display()
    ));
    print(&format!("{}: {} bytes, sha256 {}\n", out.display(), module.len(), digest(&module)))?;
    Ok(Outcome::Yes)
}
