//! `openmcp-dns policy pull`: gets a module out of an OCI registry.

use std::path::PathBuf;

use anyhow::Context as _;

use super::super::block_on;
use super::super::limits::LimitArgs;
use super::login::{LoginArgs, REGISTRY_HINT};
use super::{Outcome, note};
use crate::terminal::hint::{Hint as _, hinted};
use crate::terminal::output::print;
use openmcp_dns_modules::registry::{Access, Reference, hex_digest};

/// Gets a module out of an OCI registry and writes it into a file.
///
/// Its bytes have the digest that the manifest names, and the manifest has the digest of the reference
/// where that has one. Nothing is run; `openmcp-dns policy inspect` says what it is.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Exit code: 0 when the module was written, 2 when not.

Examples:
  openmcp-dns policy pull registry.example/team/my-policy:1.0.0
  openmcp-dns policy pull registry.example/team/my-policy@sha256:<digest> --out old.wasm")]
pub(super) struct PullArgs {
    /// Where from: REGISTRY/REPOSITORY:TAG, or REGISTRY/REPOSITORY@sha256:DIGEST
    reference: Reference,

    /// Where to write the module; otherwise into the current folder, by the repository's name. An existing
    /// file is replaced only when it is named here
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    #[command(flatten)]
    login: LoginArgs,
}

/// Runs the command.
pub(super) fn run(args: &PullArgs) -> anyhow::Result<Outcome> {
    let PullArgs { reference, out, login } = args;
    let name = reference.repository().rsplit('/').next().unwrap_or_default();
    let file = out.clone().unwrap_or_else(|| PathBuf::from(format!("{name}.wasm")));
    if out.is_none() && file.exists() {
        let message = format!("{} is there already", file.display());
        return Err(hinted(message, "name the file to write with --out"));
    }
    let limits = LimitArgs::from_environment()?.limits();
    let mut registry = login.registry(reference, Access::Pull).hint(REGISTRY_HINT)?;
    note(&format!("pulling {reference} ..."));
    let pulled = block_on(async {
        Ok(async {
            let manifest = registry.manifest().await?;
            let module = registry.module(&manifest, limits.module_bytes).await?;
            Ok::<_, openmcp_dns_modules::registry::RegistryError>((manifest.digest, module))
        }
        .await)
    })?;
    let (digest, module) =
        pulled.with_context(|| format!("failed to pull {reference}")).hint(REGISTRY_HINT)?;
    std::fs::write(&file, &module)
        .with_context(|| format!("failed to write {}", file.display()))
        .hint("choose another file with --out")?;
    note(&format!("pulled {}", reference.pinned(&digest)));
    print(&format!("{}: {} bytes, sha256 {}\n", file.display(), module.len(), hex_digest(&module)))?;
    Ok(Outcome::Yes)
}
