//! `openmcp-dns policy push`: puts a module into an OCI registry.

use anyhow::Context as _;

use super::super::block_on;
use super::login::{LoginArgs, REGISTRY_HINT};
use super::module::{ModuleArg, engine};
use super::{Outcome, configuration, note};
use crate::terminal::hint::Hint as _;
use crate::terminal::output::print;
use openmcp_dns_modules::registry::{Access, Artifact, Reference, hex_digest};

/// Puts a module into an OCI registry, and prints what to write into a DNSPolicy.
///
/// The module is admitted first, as the service does it. The same module always gives the same manifest
/// and so the same digest, whenever and wherever it is pushed.
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Exit code: 0 when the module is in the registry, 2 when not.

Examples:
  openmcp-dns policy push my-policy.wasm registry.example/team/my-policy:1.0.0
  openmcp-dns policy push my-policy.wasm registry.example/team/my-policy:1.0.0 \\
    --username robot --password-stdin --ca ca.pem < password.txt")]
pub(super) struct PushArgs {
    /// The module: a file, or `standard`
    module: ModuleArg,

    /// Where to: REGISTRY/REPOSITORY:TAG
    reference: Reference,

    /// Configuration to admit the module with, where it does not accept none: JSON, or a JSON or YAML file
    #[arg(long, value_name = "FILE|JSON")]
    config: Option<String>,

    #[command(flatten)]
    login: LoginArgs,
}

/// Runs the command.
pub(super) fn run(args: &PushArgs) -> anyhow::Result<Outcome> {
    let PushArgs { module, reference, config, login } = args;
    note("compiling and admitting the module ...");
    let admitted = module.admit(&engine(&[module])?, &configuration::text(config.as_deref())?)?;
    let bytes = module.read()?.into_owned();
    let (size, sha256) = (bytes.len(), hex_digest(&bytes));
    let artifact = Artifact::new(bytes, admitted.description(), admitted.contract_version());
    if reference.digest().is_some_and(|digest| digest != artifact.digest()) {
        anyhow::bail!("the module would have the digest {}, not that of {reference}", artifact.digest());
    }
    let mut registry = login.registry(reference, Access::Push).hint(REGISTRY_HINT)?;
    note(&format!("pushing {size} bytes to {reference} ..."));
    let pushed = block_on(async { Ok(registry.push(&artifact).await) })?;
    let pushed = pushed.with_context(|| format!("failed to push {module}")).hint(REGISTRY_HINT)?;
    let description = admitted.description();
    print(&format!(
        "# {} {}, {size} bytes; in a DNSPolicy:\n\
         spec:\n  module:\n    oci:\n      reference: {pushed}\n    sha256: {sha256}\n",
        description.name, description.version,
    ))?;
    Ok(Outcome::Yes)
}
